"""Ten adaptation steps from the same weights and batches, here and in PyTorch, in AdaptSegNet's order.

The network is the compact one, whose twin is written out in torch_ten_steps.py; optimisers, schedules and term weights
are those of the config, and once more with larger ones ("brisk"), so that every term moves something. With still larger
ones the rounding of float32 decides: at a learning rate of 1e-2 a discriminator's unit comes to lie on the kink of its
LeakyReLU, and PyTorch in float32 differs from PyTorch in float64 by more than the tolerance.
"""

from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.config import base_config
from udas_tf.methods.uda import OutputAdaptation
from udas_tf.models import discriminators
from udas_tf.models import segmenter as segmenters
from udas_tf.models.backbones import compact
from udas_tf.models.heads import deeplab_v2
from udas_tf.training import optimizers

STEPS, CLASSES, SIZE = 10, 5, (65, 97)
WIDTH, GROUPS, BLOCKS, RATES = 8, 4, (1, 1, 1, 1), (6, 12, 18, 24)
DISCRIMINATOR_WIDTH = 8
KL_FROM = 4
LEVELS = ("primary", "auxiliary")
TOLERANCE = 1e-3
KINDS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "bias": "bias"}


def make_batches():
    rng = np.random.default_rng(0)
    batches = []
    for _ in range(STEPS):
        labels = rng.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8)
        images = rng.uniform(0, 255, (2, 2, *SIZE, 3)).astype(np.float32)
        images[0] = 0.5 * images[0] + 25 * labels[..., None]  # something to learn,
        images[1] = 0.3 * images[1] + 150  # and to tell apart
        labels[rng.uniform(size=labels.shape) < 0.1] = 255
        batches.append({"source": images[0], "label": labels, "target": images[1]})
    return batches


def section_of(brisk, kind):
    """The config's section, its schedule cut to a few steps."""
    uda = base_config().uda.copy_and_resolve_references()
    uda.decay_steps, uda.adversarial_loss = STEPS + 2, kind
    if brisk:
        uda.learning_rate, uda.discriminator_learning_rate = 2e-3, 3e-4
        uda.weight_adv_primary, uda.weight_adv_auxiliary, uda.weight_auxiliary = 0.1, 0.05, 0.4
        uda.weight_decay = 5e-2
    return uda


def term_weights(uda):
    return {
        "L_seg_p": 1.0,
        "L_seg_a": uda.weight_auxiliary,
        "L_adv_p": uda.weight_adv_primary,
        "L_adv_a": uda.weight_adv_auxiliary,
        "L_kl": uda.weight_kl,
    }


def ours(uda):
    keras.utils.set_random_seed(1)
    with mock.patch.object(compact, "GROUPS", GROUPS):
        segmenter = segmenters.build(
            "compact",
            "deeplab_v2",
            CLASSES,
            backbone_keys=compact.Config(WIDTH, BLOCKS),
            head_keys=deeplab_v2.Config(RATES),
        )
    for variable in segmenters.classifier_variables(segmenter):
        variable.assign(5 * variable)  # maps with something in them: the initial weights' are all but even
    judges = {level: discriminators.fully_convolutional(CLASSES, width=DISCRIMINATOR_WIDTH) for level in LEVELS}
    schedule = optimizers.poly(uda.discriminator_learning_rate, uda.decay_steps, uda.poly_power)
    adam = optimizers.built(
        optimizers.TorchAdam(schedule, beta_1=0.9, beta_2=0.99), optimizers.trainable(judges.values())
    )
    sgd = optimizers.segmenter_optimizer(uda, segmenter)
    return OutputAdaptation(segmenter, judges, sgd, adam, term_weights(uda), uda.adversarial_loss, KL_FROM)


def train_ours(method, batches):
    step = tf.function(method.train_step, autograph=False)
    logs = []
    for batch in batches:
        method.reset_metrics()
        given = {
            "source": {"image": tf.constant(batch["source"]), "label": tf.constant(batch["label"])},
            "target": {"image": tf.constant(batch["target"])},
        }
        logs.append({name: float(value) for name, value in step(given).items()})
    return logs


def state_of(network):
    """The values of a network's variables under PyTorch's names and in its layout."""
    state = {}
    for variable in network.trainable_variables:
        layer, kind = variable.path.split("/")[-2:]
        value = variable.numpy().copy()
        state[f"{layer}.{KINDS[kind]}"] = value.transpose(3, 2, 0, 1) if value.ndim == 4 else value
    return state


def compare(found, expected, start):
    """The largest deviation of a parameter relative to its tensor's largest entry, and of a network's whole change
    relative to that change, as Euclidean norms. Each argument: parameters by name, of each network."""
    of_values, of_changes = [], []
    for ours, theirs, before in zip(found, expected, start, strict=True):
        assert ours.keys() == theirs.keys()
        far, moved = [], []
        for name, wanted in theirs.items():
            wanted = wanted.astype(np.float64)
            far.append((ours[name] - wanted).ravel())
            moved.append((wanted - before[name]).ravel())
            assert np.abs(moved[-1]).max() > 0, f"{name} did not move"
            of_values.append(np.abs(far[-1]).max() / np.abs(wanted).max())
        of_changes.append(np.linalg.norm(np.concatenate(far)) / np.linalg.norm(np.concatenate(moved)))
    return max(of_values), max(of_changes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("brisk", "kind"),
    [(False, "bce"), (True, "bce"), (True, "least_squares")],
    ids=["config", "brisk", "brisk_least_squares"],
)
def test_ten_steps(pytorch, brisk, kind, within):
    uda, batches = section_of(brisk, kind), make_batches()
    method = ours(uda)
    networks = [method.segmenter, *(method.discriminators[level] for level in LEVELS)]
    start = [state_of(network) for network in networks]
    expected, after = pytorch(
        "torch_ten_steps.train",
        {"classes": CLASSES, "width": WIDTH, "groups": GROUPS, "rates": RATES},
        {"classes": CLASSES, "width": DISCRIMINATOR_WIDTH},
        start,
        uda.to_dict(),
        term_weights(uda),
        KL_FROM,
        batches,
    )
    found = train_ours(method, batches)
    of_values, of_changes = compare([state_of(network) for network in networks], after, start)
    within(of_values, TOLERANCE)
    within(of_changes, TOLERANCE)
    for step, wanted in enumerate(expected):
        for name, value in wanted.items():
            np.testing.assert_allclose(found[step][name], value, rtol=1e-4, err_msg=f"{name}, step {step}")
