"""Every loss term and its gradient against PyTorch in float64: within 1e-5, relative to the largest entry."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from loss_deviation import CLASSES, SIZES, TOLERANCE, deviation, labels, logits, scores

from udas_tf.losses import adversarial, cycle
from udas_tf.losses.adversarial import SOURCE, TARGET
from udas_tf.losses.segmentation import cross_entropy, symmetric_divergence
from udas_tf.losses.self_training import consistency
from udas_tf.methods.translate import ImagePool, ImageTranslation
from udas_tf.models.discriminators import Discriminator


@pytest.mark.parametrize("size", SIZES)
def test_cross_entropy_with_ignored_pixels(pytorch, size, within):
    given = labels(size)
    found = deviation(
        pytorch, "cross_entropy", lambda x: cross_entropy(tf.constant(given), x), logits(size, 1), labels=given
    )
    within(found, TOLERANCE)


def test_cross_entropy_with_class_weights(pytorch, within):
    given, weights = labels((2, 13, 25)), np.linspace(0.2, 4, CLASSES).astype(np.float32)
    found = deviation(
        pytorch,
        "weighted_cross_entropy",
        lambda x: cross_entropy(tf.constant(given), x, tf.constant(weights)),
        logits((2, 13, 25), 1),
        labels=given,
        weights=weights,
    )
    within(found, TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_symmetric_divergence(pytorch, size, within):
    """Both directions; the gradients reach both classifiers."""
    found = deviation(pytorch, "symmetric_divergence", symmetric_divergence, logits(size, 1), logits(size, 2))
    within(found, TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_symmetric_divergence_is_two_divergences_and_two_entropies(pytorch, size):
    maps = logits(size, 3), logits(size, 4)
    assert deviation(pytorch, "divergences_and_entropies", symmetric_divergence, *maps) < TOLERANCE


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
@pytest.mark.parametrize("domain", [SOURCE, TARGET])
@pytest.mark.parametrize("scales", [1, 3])
def test_adversarial(pytorch, kind, domain, scales, within):
    """Of the segmenter where the domain is SOURCE; each scale has its own mean, and the scales are summed."""
    maps = [scores(scale, (2, 32 >> scale, 56 >> scale, 1)) for scale in range(scales)]
    found = deviation(
        pytorch, "adversarial", lambda *x: adversarial.adversarial(x, domain, kind), *maps, domain=domain, kind=kind
    )
    within(found, TOLERANCE)


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_discriminator(pytorch, kind, within):
    """AdaptSegNet's: each domain's loss halved, and both gradients added up."""
    found = deviation(
        pytorch,
        "discriminator",
        lambda source, target: adversarial.discriminator([source], [target], kind),
        scores(1),
        scores(2),
        kind=kind,
    )
    within(found, TOLERANCE)


def test_adversarial_through_the_softmax(pytorch, within):
    """Gradient to the segmenter's logits, through softmax and a (linear) discriminator."""
    weights = np.random.default_rng(0).normal(0, 3, CLASSES).astype(np.float32)

    def ours(x):
        return adversarial.adversarial([tf.linalg.matvec(tf.nn.softmax(x), tf.constant(weights))], SOURCE, "bce")

    within(deviation(pytorch, "through_the_softmax", ours, logits((2, 13, 25), 5), weights=weights), TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_consistency(pytorch, size, within):
    """KLDivLoss over the labelled pixels where the teacher is right; pixels it did not see are all zero."""
    given = labels(size)
    teacher = tf.nn.softmax(logits(size, 6)).numpy()
    given = np.where(np.random.default_rng(7).uniform(size=size) < 0.5, teacher.argmax(-1), given)
    given[:, :2] = 255
    teacher[:, 5:7] = 0.0
    # float32's softmax sums to 1 within 1e-7; the reference's teacher has the same numbers.
    right = (teacher.argmax(-1) == given) & (teacher.max(-1) > 0)
    found = deviation(
        pytorch,
        "consistency",
        lambda x: consistency(tf.constant(given.astype(np.uint8)), tf.constant(teacher), x),
        logits(size, 8),
        teacher=teacher,
        counted=right,
    )
    assert 0.3 < right.mean() < 0.8
    within(found, TOLERANCE)


# --- CycleGAN -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("real", [cycle.REAL, cycle.FAKE])
def test_cyclegan_gan(pytorch, real, within):
    within(deviation(pytorch, "gan", lambda x: cycle.gan(x, real), scores(3), real=real), TOLERANCE)


def test_cyclegan_reconstruction(pytorch, within):
    """The cycle and the identity loss, between images in [0, 255] here and in [-1, 1] there."""
    rng = np.random.default_rng(0)
    image, made = (rng.uniform(0, 255, (1, 64, 96, 3)).astype(np.float32) for _ in range(2))
    within(deviation(pytorch, "reconstruction", cycle.reconstruction, image, made), TOLERANCE)


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


def test_cyclegan_objective_and_its_gradients(pytorch, within):
    """L_GAN of both, 10 L_cyc and 5 L_identity as one sum, with the gradient to every generator's numbers."""
    generators = {"G": pointwise("G", 0.9, 0.1), "F": pointwise("F", 1.2, -0.2)}
    judges = {"source": judge(0.7), "target": judge(-0.4)}
    optimizers = [keras.optimizers.SGD(0.0) for _ in range(2)]
    for optimizer, networks in zip(optimizers, (generators, judges), strict=True):
        optimizer.build([v for network in networks.values() for v in network.trainable_variables])
    pools = {domain: ImagePool(0, (8, 8, 3), seed=0) for domain in judges}
    method = ImageTranslation(generators, judges, *optimizers, pools, weight_cycle=10.0, weight_identity=5.0)
    rng = np.random.default_rng(1)
    batch = {name: rng.uniform(0, 255, (2, 8, 8, 3)).astype(np.float32) for name in ("source", "target")}
    variables = [v for name in ("G", "F") for v in generators[name].trainable_variables]
    tensors = {name: tf.constant(values) for name, values in batch.items()}
    with tf.GradientTape() as tape:
        terms = method.loss_terms(tensors, *method.generate(tensors))
        loss = tf.add_n([method.term_weights[name] * term for name, term in terms.items()])
    gradients = tape.gradient(loss, variables)

    expected, expected_gradients = pytorch("torch_losses.cyclegan", [v.numpy() for v in variables], **batch)
    assert set(terms) == set(expected)
    for name, wanted in expected.items():
        np.testing.assert_allclose(float(terms[name]), wanted, rtol=TOLERANCE, err_msg=name)
    worst = max(
        np.abs(found.numpy() - wanted).max() / np.abs(wanted).max()
        for found, wanted in zip(gradients, expected_gradients, strict=True)
    )
    within(worst, TOLERANCE)
