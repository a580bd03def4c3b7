"""Every loss term and its gradient against PyTorch in float64: within 1e-5, relative to the largest entry."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.losses import adversarial, cycle
from udas_tf.losses.adversarial import SOURCE, TARGET
from udas_tf.losses.segmentation import cross_entropy, symmetric_divergence
from udas_tf.losses.self_training import consistency
from udas_tf.methods.image_translation import ImagePool, ImageTranslation
from udas_tf.models.discriminators import Discriminator

torch = pytest.importorskip("torch")
F = torch.nn.functional

TOLERANCE = 1e-5
CLASSES = 19
SIZES = [(2, 13, 25), pytest.param((2, 360, 640), marks=pytest.mark.slow)]


def logits(size, seed, scale=4.0):
    """float32 [B, H, W, C], from unsure to nearly sure."""
    return np.random.default_rng(seed).normal(0, scale, (*size, CLASSES)).astype(np.float32)


def labels(size, seed=0):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, CLASSES, size).astype(np.uint8)
    drawn[rng.uniform(size=size) < 0.2] = 255
    return drawn


def scores(seed, size=(2, 11, 20, 1)):
    """Logits of a discriminator, some of them sure."""
    return np.random.default_rng(seed).normal(0, 6, size).astype(np.float32)


def channels_first(tensor):
    return tensor.permute(0, 3, 1, 2)


def deviation(ours, theirs, *inputs):
    """The largest relative deviation of the value and of the gradients to the inputs.

    `ours` takes float32 tensors of TensorFlow, `theirs` float64 tensors of PyTorch.
    """
    constants = [tf.constant(values) for values in inputs]
    with tf.GradientTape() as tape:
        tape.watch(constants)
        value = ours(*constants)
    gradients = tape.gradient(value, constants)
    twins = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in inputs]
    expected = theirs(*twins)
    expected.backward()
    pairs = [(value.numpy(), expected.detach().numpy())]
    pairs += [(g.numpy(), twin.grad.numpy()) for g, twin in zip(gradients, twins, strict=True)]
    assert all(np.abs(wanted).max() > 0 for _, wanted in pairs), "a term without effect proves nothing"
    return max(np.abs(found - wanted).max() / np.abs(wanted).max() for found, wanted in pairs)


@pytest.mark.parametrize("size", SIZES)
def test_cross_entropy_with_ignored_pixels(size, within):
    given = labels(size)
    found = deviation(
        lambda x: cross_entropy(tf.constant(given), x),
        lambda x: F.cross_entropy(channels_first(x), torch.tensor(given).long(), ignore_index=255),
        logits(size, 1),
    )
    within(found, TOLERANCE)


def test_cross_entropy_with_class_weights(within):
    """Divided by the number of pixels, where PyTorch's mean divides by the sum of their weights."""
    given, weights = labels((2, 13, 25)), np.linspace(0.2, 4, CLASSES).astype(np.float32)
    counted = np.sum(given != 255)

    def theirs(x):
        total = F.cross_entropy(
            channels_first(x), torch.tensor(given).long(), torch.tensor(weights).double(), ignore_index=255,
            reduction="sum",
        )  # fmt: skip
        return total / counted

    found = deviation(
        lambda x: cross_entropy(tf.constant(given), x, tf.constant(weights)), theirs, logits((2, 13, 25), 1)
    )
    within(found, TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_symmetric_divergence(size, within):
    """Both directions; the gradients reach both classifiers."""

    def theirs(primary, auxiliary):
        primary, auxiliary = F.log_softmax(primary, -1), F.log_softmax(auxiliary, -1)
        return -(auxiliary.exp() * primary + primary.exp() * auxiliary).sum(-1).mean()

    found = deviation(symmetric_divergence, theirs, logits(size, 1), logits(size, 2))
    within(found, TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_symmetric_divergence_is_two_divergences_and_two_entropies(size):
    """As PyTorch has it: KLDivLoss in both directions, and the entropies that the text's form adds to it."""

    def theirs(primary, auxiliary):
        primary, auxiliary = F.log_softmax(primary, -1), F.log_softmax(auxiliary, -1)
        pixels = primary[..., 0].numel()
        total = 0.0
        for one, other in ((primary, auxiliary), (auxiliary, primary)):
            total = total + F.kl_div(one, other, reduction="sum", log_target=True)
            total = total - (other.exp() * other).sum()
        return total / pixels

    assert deviation(symmetric_divergence, theirs, logits(size, 3), logits(size, 4)) < TOLERANCE


PYTORCHS = {
    "bce": F.binary_cross_entropy_with_logits,
    "least_squares": F.mse_loss,
}


def sum_of_scales(maps, domain, kind):
    return sum(PYTORCHS[kind](scores, torch.full_like(scores, domain)) for scores in maps)


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
@pytest.mark.parametrize("domain", [SOURCE, TARGET])
@pytest.mark.parametrize("scales", [1, 3])
def test_adversarial(kind, domain, scales, within):
    """Of the segmenter where the domain is SOURCE; each scale has its own mean, and the scales are summed."""
    maps = [scores(scale, (2, 32 >> scale, 56 >> scale, 1)) for scale in range(scales)]
    found = deviation(
        lambda *x: adversarial.adversarial(x, domain, kind), lambda *x: sum_of_scales(x, domain, kind), *maps
    )
    within(found, TOLERANCE)


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_discriminator(kind, within):
    """AdaptSegNet's: each domain's loss halved, and both gradients added up."""
    found = deviation(
        lambda source, target: adversarial.discriminator([source], [target], kind),
        lambda source, target: sum_of_scales([source], 0, kind) / 2 + sum_of_scales([target], 1, kind) / 2,
        scores(1),
        scores(2),
    )
    within(found, TOLERANCE)


def test_adversarial_through_the_softmax(within):
    """Gradient to the segmenter's logits, through softmax and a (linear) discriminator."""
    weights = np.random.default_rng(0).normal(0, 3, CLASSES).astype(np.float32)
    found = deviation(
        lambda x: adversarial.adversarial(
            [tf.linalg.matvec(tf.nn.softmax(x), tf.constant(weights))], SOURCE, "bce"
        ),
        lambda x: sum_of_scales([F.softmax(x, -1) @ torch.tensor(weights).double()], 0, "bce"),
        logits((2, 13, 25), 5),
    )
    within(found, TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_consistency(size, within):
    """KLDivLoss over the labelled pixels where the teacher is right; pixels it did not see are all zero."""
    given = labels(size)
    teacher = tf.nn.softmax(logits(size, 6)).numpy()
    given = np.where(np.random.default_rng(7).uniform(size=size) < 0.5, teacher.argmax(-1), given)
    given[:, :2] = 255
    teacher[:, 5:7] = 0.0
    # float32's softmax sums to 1 within 1e-7; the twin's teacher has the same numbers.
    right = torch.tensor((teacher.argmax(-1) == given) & (teacher.max(-1) > 0))

    def theirs(student):
        student = F.log_softmax(student, -1)[right]
        return F.kl_div(student, torch.tensor(teacher).double()[right], reduction="batchmean")

    found = deviation(
        lambda x: consistency(tf.constant(given.astype(np.uint8)), tf.constant(teacher), x),
        theirs,
        logits(size, 8),
    )
    assert 0.3 < right.float().mean() < 0.8
    within(found, TOLERANCE)


# CycleGAN: its code's criteria are MSELoss and L1Loss, on images in [-1, 1].


@pytest.mark.parametrize("real", [cycle.REAL, cycle.FAKE])
def test_cyclegan_gan(real, within):
    found = deviation(
        lambda x: cycle.gan(x, real), lambda x: F.mse_loss(x, torch.full_like(x, real)), scores(3)
    )
    within(found, TOLERANCE)


def test_cyclegan_reconstruction(within):
    """The cycle and the identity loss, between images in [0, 255] here and in [-1, 1] there."""
    rng = np.random.default_rng(0)
    image, made = (rng.uniform(0, 255, (1, 64, 96, 3)).astype(np.float32) for _ in range(2))
    found = deviation(cycle.reconstruction, lambda a, b: F.l1_loss(b / 127.5 - 1, a / 127.5 - 1), image, made)
    within(found, TOLERANCE)


def pointwise(name, scale, shift):
    """A generator of two numbers, so that its twin is one line: bounded as a tanh, in [0, 255]."""
    images = keras.Input((8, 8, 3), dtype="float32")
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(images)
    dense = keras.layers.Dense(3, activation="tanh", name=name)
    outputs = keras.layers.Rescaling(127.5, 127.5)(dense(x))
    dense.set_weights([scale * np.eye(3, dtype=np.float32), np.full(3, shift, np.float32)])
    return keras.Model(images, outputs)


def judge(weight):
    images = keras.Input((8, 8, 3), dtype="float32")
    dense = keras.layers.Dense(1)
    scores = dense(keras.layers.Rescaling(1 / 127.5, -1.0)(images))
    dense.set_weights([np.full((3, 1), weight, np.float32), np.zeros(1, np.float32)])
    return Discriminator(images, [scores])


def test_cyclegan_objective_and_its_gradients(within):
    """L_GAN of both, 10 L_cyc and 5 L_identity as one sum, with the gradient to every generator's numbers."""
    generators = {"G": pointwise("G", 0.9, 0.1), "F": pointwise("F", 1.2, -0.2)}
    judges = {"source": judge(0.7), "target": judge(-0.4)}
    optimizers = [keras.optimizers.SGD(0.0) for _ in range(2)]
    for optimizer, networks in zip(optimizers, (generators, judges), strict=True):
        optimizer.build([v for network in networks.values() for v in network.trainable_variables])
    pools = {domain: ImagePool(0, (8, 8, 3), seed=0) for domain in judges}
    method = ImageTranslation(generators, judges, *optimizers, pools, lambda_cyc=10.0, lambda_identity=5.0)
    rng = np.random.default_rng(1)
    batch = {name: rng.uniform(0, 255, (2, 8, 8, 3)).astype(np.float32) for name in ("source", "target")}
    variables = [v for name in ("G", "F") for v in generators[name].trainable_variables]
    given = {name: tf.constant(values) for name, values in batch.items()}
    with tf.GradientTape() as tape:
        terms = method.loss_terms(given, *method.generate(given))
        loss = tf.add_n([method.term_weights[name] * term for name, term in terms.items()])
    gradients = tape.gradient(loss, variables)

    twins = [torch.tensor(v.numpy(), dtype=torch.float64, requires_grad=True) for v in variables]
    real = {name: torch.tensor(values).double() / 127.5 - 1 for name, values in batch.items()}

    def g(x):
        return torch.tanh(x @ twins[0] + twins[1])

    def f(x):
        return torch.tanh(x @ twins[2] + twins[3])

    fake_target, fake_source = g(real["source"]), f(real["target"])
    expected = {
        "L_GAN_G": ((-0.4 * fake_target.sum(-1) - 1) ** 2).mean(),
        "L_GAN_F": ((0.7 * fake_source.sum(-1) - 1) ** 2).mean(),
        "L_cyc": F.l1_loss(f(fake_target), real["source"]) + F.l1_loss(g(fake_source), real["target"]),
        "L_identity": F.l1_loss(g(real["target"]), real["target"])
        + F.l1_loss(f(real["source"]), real["source"]),
    }
    total = expected["L_GAN_G"] + expected["L_GAN_F"] + 10 * expected["L_cyc"] + 5 * expected["L_identity"]
    total.backward()
    for name, wanted in expected.items():
        np.testing.assert_allclose(float(terms[name]), wanted.item(), rtol=TOLERANCE, err_msg=name)
    worst = 0.0
    for found, twin in zip(gradients, twins, strict=True):
        wanted = twin.grad.numpy()
        worst = max(worst, np.abs(found.numpy() - wanted).max() / np.abs(wanted).max())
    within(worst, TOLERANCE)
