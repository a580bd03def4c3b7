"""Ten adaptation steps from the same weights and batches, here and in PyTorch, in AdaptSegNet's order.

The network is the compact one, whose twin is written out below; optimisers, schedules and term weights are
those of the config, and once more with larger ones ("brisk"), so that every term moves something. Larger
still and float32 decides: at a learning rate of 1e-2 a discriminator's unit comes to lie on the kink of its
LeakyReLU, and PyTorch in float32 differs from PyTorch in float64 by more than the tolerance.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.config import base_config
from udas_tf.methods import optimizers
from udas_tf.methods.output_adaptation import OutputAdaptation
from udas_tf.models import deeplab_v2, discriminators

torch = pytest.importorskip("torch")
F = torch.nn.functional

STEPS, CLASSES, SIZE = 10, 5, (65, 97)
WIDTH, GROUPS, BLOCKS, RATES = 8, 4, (1, 1, 1, 1), (6, 12, 18, 24)
KL_FROM = 4
LEVELS = ("primary", "auxiliary")
SHORT = {"primary": "p", "auxiliary": "a"}
TOLERANCE = 1e-3


@pytest.fixture(autouse=True)
def one_thread():
    """PyTorch's threads and TensorFlow's wait for one another: with all of them it takes ten times as
    long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class CompactTwin(torch.nn.Module):
    """models.deeplab_v2.build("compact"): the same layers under the same names."""

    def __init__(self):
        super().__init__()
        self.add_conv_norm("conv1", 3, WIDTH, 3, stride=2)
        before = WIDTH
        stages = zip((1, 2, 4, 4), (1, 2, 1, 1), (1, 1, 2, 4), strict=True)
        for stage, (factor, stride, dilation) in enumerate(stages, start=1):
            name, width = f"layer{stage}_0", factor * WIDTH
            if stride != 1 or before != width:
                self.add_conv_norm(f"{name}_downsample", before, width, 1, stride)
            self.add_conv_norm(f"{name}_conv1", before, width, 3, stride, dilation)
            self.add_conv_norm(f"{name}_conv2", width, width, 3, 1, dilation)
            before = width
        for level in LEVELS:
            for index, rate in enumerate(RATES):
                branch = torch.nn.Conv2d(before, CLASSES, 3, padding=rate, dilation=rate)
                self.add_module(f"{level}_classifier_{index}", branch)

    def add_conv_norm(self, name, inputs, outputs, size, stride=1, dilation=1):
        padding = dilation * (size - 1) // 2
        conv = torch.nn.Conv2d(inputs, outputs, size, stride, padding, dilation, bias=False)
        self.add_module(name, conv)
        self.add_module(f"{name}_norm", torch.nn.GroupNorm(GROUPS, outputs))

    def conv_norm(self, x, name):
        return self.get_submodule(f"{name}_norm")(self.get_submodule(name)(x))

    def forward(self, images):
        """RGB 0..255 [B, 3, H, W] to both classifiers' logits at that size, (primary, auxiliary)."""
        x = F.relu(self.conv_norm(images / 64 - 2, "conv1"))
        x = F.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        stages = []
        for stage in range(1, 5):
            name = f"layer{stage}_0"
            projects = hasattr(self, f"{name}_downsample")
            shortcut = self.conv_norm(x, f"{name}_downsample") if projects else x
            x = F.relu(self.conv_norm(x, f"{name}_conv1"))
            x = F.relu(self.conv_norm(x, f"{name}_conv2") + shortcut)
            stages.append(x)
        outputs = []
        for level, features in zip(LEVELS, (stages[3], stages[2]), strict=True):
            branches = [self.get_submodule(f"{level}_classifier_{i}")(features) for i in range(len(RATES))]
            outputs.append(F.interpolate(sum(branches), SIZE, mode="bilinear", align_corners=True))
        return outputs

    def groups(self, rate):
        """AdaptSegNet's optim_parameters: the classifiers learn ten times faster."""
        classifiers = [p for name, p in self.named_parameters() if "classifier" in name]
        backbone = [p for name, p in self.named_parameters() if "classifier" not in name]
        return [{"params": backbone, "lr": rate}, {"params": classifiers, "lr": 10 * rate}]


class DiscriminatorTwin(torch.nn.Sequential):
    """AdaptSegNet's FCDiscriminator, of width 8."""

    def __init__(self):
        super().__init__()
        channels = (CLASSES, 8, 16, 32, 64, 1)
        for index in range(5):
            name = f"conv{index + 1}" if index < 4 else "classifier"
            self.add_module(name, torch.nn.Conv2d(channels[index], channels[index + 1], 4, 2, 1))
            if index < 4:
                self.add_module(f"{name}_lrelu", torch.nn.LeakyReLU(0.2))


def to_torch(value):
    """A Keras variable's value as PyTorch lays it out."""
    value = np.asarray(value)
    return torch.tensor(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value)


def twin_name(variable):
    layer, kind = variable.path.split("/")[-2:]
    return f"{layer}.{ {'kernel': 'weight', 'gamma': 'weight', 'beta': 'bias', 'bias': 'bias'}[kind] }"


def copy_weights(network, twin):
    state = {twin_name(v): to_torch(v) for v in network.trainable_variables}
    twin.load_state_dict(state)  # strict: every parameter, and none besides
    return twin


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


def sections(brisk, kind):
    """The config's section, its schedule cut to a few steps."""
    uda = base_config().uda.copy_and_resolve_references()
    uda.schedule_steps, uda.adversarial_loss = STEPS + 2, kind
    if brisk:
        uda.learning_rate, uda.discriminator_learning_rate = 2e-3, 3e-4
        uda.weight_adv_primary, uda.weight_adv_auxiliary, uda.lambda_seg = 0.1, 0.05, 0.4
        uda.weight_decay = 5e-2
    return uda


def term_weights(uda):
    return {
        "L_seg_p": 1.0,
        "L_seg_a": uda.lambda_seg,
        "L_adv_p": uda.weight_adv_primary,
        "L_adv_a": uda.weight_adv_auxiliary,
        "L_kl": uda.weight_kl,
    }


def ours(uda):
    keras.utils.set_random_seed(1)
    segmenter = deeplab_v2.build("compact", CLASSES, RATES, width=WIDTH, blocks=BLOCKS, groups=GROUPS)
    for variable in deeplab_v2.classifier_variables(segmenter):
        variable.assign(5 * variable)  # maps with something in them: the initial weights' are all but even
    judges = {level: discriminators.fully_convolutional(CLASSES, width=8) for level in LEVELS}
    schedule = optimizers.poly(uda.discriminator_learning_rate, uda.schedule_steps, uda.poly_power)
    adam = optimizers.built(
        optimizers.TorchAdam(schedule, beta_1=0.9, beta_2=0.99),
        [v for judge in judges.values() for v in judge.trainable_variables],
    )
    sgd = optimizers.segmenter_optimizer(uda, segmenter)
    return OutputAdaptation(segmenter, judges, sgd, adam, term_weights(uda), uda.adversarial_loss, KL_FROM)


def train_theirs(twin, judges, uda, batches):
    """AdaptSegNet's loop, with Seg-Uncertainty's divergence; returns what each step logs."""
    criterion = {"bce": F.binary_cross_entropy_with_logits, "least_squares": F.mse_loss}[uda.adversarial_loss]
    sgd = torch.optim.SGD(
        twin.groups(uda.learning_rate), momentum=uda.momentum, weight_decay=uda.weight_decay
    )
    adams = [
        torch.optim.Adam(judge.parameters(), lr=uda.discriminator_learning_rate, betas=(0.9, 0.99))
        for judge in judges
    ]
    weights, logs = term_weights(uda), []
    for step, batch in enumerate(batches):
        decay = (1 - step / uda.schedule_steps) ** uda.poly_power
        sgd.param_groups[0]["lr"] = uda.learning_rate * decay
        sgd.param_groups[1]["lr"] = uda.learning_rate * decay * 10
        sgd.zero_grad()
        for adam in adams:
            adam.zero_grad()
            adam.param_groups[0]["lr"] = uda.discriminator_learning_rate * decay
        images = [torch.tensor(batch[k]).permute(0, 3, 1, 2) for k in ("source", "target")]
        labels, terms = torch.tensor(batch["label"]).long(), {}

        # The segmenter, first on source, then on target; the discriminators stand still.
        for judge in judges:
            judge.requires_grad_(False)
        source = twin(images[0])
        for level, logits in zip(LEVELS, source, strict=True):
            terms[f"L_seg_{SHORT[level]}"] = F.cross_entropy(logits, labels, ignore_index=255)
        sum(weights[name] * term for name, term in terms.items()).backward()
        target = twin(images[1])
        adversarial = {}
        for level, logits, judge in zip(LEVELS, target, judges, strict=True):
            scores = judge(F.softmax(logits, 1))
            adversarial[f"L_adv_{SHORT[level]}"] = criterion(scores, torch.zeros_like(scores))
        primary, auxiliary = (F.log_softmax(logits, 1) for logits in target)
        adversarial["L_kl"] = -(auxiliary.exp() * primary + primary.exp() * auxiliary).sum(1).mean()
        on = weights | {"L_kl": weights["L_kl"] * (step >= KL_FROM)}
        sum(on[name] * term for name, term in adversarial.items()).backward()

        # The discriminators, on what the same forward passes gave.
        for level, judge, of_source, of_target in zip(LEVELS, judges, source, target, strict=True):
            judge.requires_grad_(True)
            halves = []
            for domain, logits in enumerate((of_source, of_target)):
                scores = judge(F.softmax(logits.detach(), 1))
                halves.append(criterion(scores, torch.full_like(scores, domain)) / 2)
                halves[-1].backward()
            terms[f"L_D_{SHORT[level]}"] = halves[0] + halves[1]
        sgd.step()
        for adam in adams:
            adam.step()
        logs.append({name: float(term.detach()) for name, term in (terms | adversarial).items()})
    return logs


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


def compare(networks, twins, before):
    """The largest deviation of a parameter tensor relative to its largest entry, and the largest of a network's
    whole change relative to that change, as Euclidean norms."""
    of_values, of_changes = [], []
    for network, twin, start in zip(networks, twins, before, strict=True):
        state, far, moved = twin.state_dict(), [], []
        for variable in network.trainable_variables:
            name = twin_name(variable)
            wanted = state[name].double()
            far.append((to_torch(variable).double() - wanted).flatten())
            moved.append((wanted - start[name].double()).flatten())
            assert moved[-1].abs().max() > 0, f"{variable.path} did not move"
            of_values.append(float(far[-1].abs().max() / wanted.abs().max()))
        of_changes.append(float(torch.cat(far).norm() / torch.cat(moved).norm()))
    return max(of_values), max(of_changes)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("brisk", "kind"),
    [(False, "bce"), (True, "bce"), (True, "least_squares")],
    ids=["config", "brisk", "brisk_least_squares"],
)
def test_ten_steps(brisk, kind, within):
    uda, batches = sections(brisk, kind), make_batches()
    method = ours(uda)
    networks = [method.segmenter, *(method.discriminators[level] for level in LEVELS)]
    twins = [CompactTwin(), DiscriminatorTwin(), DiscriminatorTwin()]
    twins = [copy_weights(network, twin) for network, twin in zip(networks, twins, strict=True)]
    before = [{name: value.clone() for name, value in twin.state_dict().items()} for twin in twins]
    expected = train_theirs(twins[0], twins[1:], uda, batches)
    found = train_ours(method, batches)
    of_values, of_changes = compare(networks, twins, before)
    within(of_values, TOLERANCE)
    within(of_changes, TOLERANCE)
    for step, wanted in enumerate(expected):
        for name, value in wanted.items():
            np.testing.assert_allclose(found[step][name], value, rtol=1e-4, err_msg=f"{name}, step {step}")
