import math

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.losses import adversarial
from udas_tf.losses.adversarial import SOURCE, TARGET

# D = sigmoid: 1/2 and 3/4
SCORES = tf.constant([[[[0.0], [math.log(3)]]]])


def test_domains_are_numbered_as_in_adaptsegnet():
    assert (SOURCE, TARGET) == (0, 1)


@pytest.mark.parametrize(
    ("kind", "domain", "expected"),
    [
        # -log(1 - D): (ln 2 + ln 4) / 2 = (0.693147 + 1.386294) / 2
        ("bce", SOURCE, 1.039721),
        # -log D: (ln 2 + ln 4/3) / 2 = (0.693147 + 0.287682) / 2
        ("bce", TARGET, 0.490415),
        # (0^2 + 1.098612^2) / 2
        ("least_squares", SOURCE, 0.603474),
        # (1^2 + 0.098612^2) / 2
        ("least_squares", TARGET, 0.504862),
    ],
)
def test_by_hand(kind, domain, expected):
    loss = adversarial.LOSSES[kind](SCORES, domain)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    np.testing.assert_allclose(adversarial.adversarial([SCORES], domain, kind), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_scales_are_summed_each_with_its_own_mean(kind):
    scales = [SCORES, tf.fill([1, 4, 4, 1], 2.0)]
    apart = sum(adversarial.LOSSES[kind](scores, TARGET).numpy() for scores in scales)
    np.testing.assert_allclose(adversarial.adversarial(scales, TARGET, kind), apart, rtol=1e-6)


def test_discriminator_takes_half_of_each_domain():
    # bce: (1.039721 + 0.490415) / 2; least squares with source scores (0, 0) and target scores (2, 2):
    # ((0 - 0)^2 + (2 - 1)^2) / 2 = 0.5
    np.testing.assert_allclose(adversarial.discriminator([SCORES], [SCORES], "bce"), 0.765068, rtol=1e-5)
    zeros, twos = tf.zeros([1, 1, 2, 1]), tf.fill([1, 1, 2, 1], 2.0)
    assert adversarial.discriminator([zeros], [twos], "least_squares").numpy() == 0.5


@pytest.mark.parametrize("kind", ["bce", "least_squares"])
def test_what_each_side_wants(kind):
    """The segmenter pulls target scores down to the source's; the discriminator pushes the domains apart."""

    other = tf.fill([1, 2, 2, 1], 0.5)

    def gradient(loss):
        scores = tf.fill([1, 2, 2, 1], 0.4)
        with tf.GradientTape() as tape:
            tape.watch(scores)
            value = loss(scores)
        return tape.gradient(value, scores).numpy()

    assert np.all(gradient(lambda s: adversarial.adversarial([s], SOURCE, kind)) > 0)
    assert np.all(gradient(lambda s: adversarial.discriminator([s], [other], kind)) > 0)
    assert np.all(gradient(lambda s: adversarial.discriminator([other], [s], kind)) < 0)


def test_cross_entropy_of_sure_and_wrong_scores_is_finite_with_gradients():
    # softplus(1000) = 1000 with slope 1; softplus(-1000) = 0 with slope 0; means over 2.
    scores = tf.constant([1000.0, -1000.0])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = adversarial.binary_cross_entropy(scores, SOURCE)
    assert loss.numpy() == 500.0
    np.testing.assert_array_equal(tape.gradient(loss, scores), [0.5, 0.0])


@pytest.mark.parametrize(
    ("kind", "source", "target", "expected"),
    [
        # Source scores belong below 0: 2 of 4 do; target scores at or above: 1 of 2. (1/2 + 1/2) / 2
        ("bce", [-1.0, -0.1, 0.1, 3.0], [0.2, -0.2], 0.5),
        # The boundary itself is the target's: 0 of 1 and 1 of 1.
        ("bce", [0.0], [0.0], 0.5),
        # Source scores belong below 1/2: 3 of 4; target scores above: 2 of 2. (3/4 + 1) / 2
        ("least_squares", [-1.0, 0.1, 0.4, 0.6], [0.5, 2.0], 0.875),
        ("least_squares", [0.0, 0.0], [1.0, 1.0], 1.0),
        ("bce", [1.0], [-1.0], 0.0),
    ],
)
def test_accuracy_by_hand(kind, source, target, expected):
    assert adversarial.accuracy([tf.constant(source)], [tf.constant(target)], kind).numpy() == expected


def test_accuracy_weighs_scales_alike():
    # Source: 1/1 and 0/2, target: 1/1 and 1/2: (1 + 0 + 1 + 1/2) / 4
    source = [tf.constant([-1.0]), tf.constant([1.0, 1.0])]
    target = [tf.constant([1.0]), tf.constant([1.0, -1.0])]
    assert adversarial.accuracy(source, target, "bce").numpy() == 0.625
