import math

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.losses.segmentation import (
    cross_entropy,
    memory_regularization,
    rectified_cross_entropy,
    symmetric_divergence,
)

LN3, LN4 = math.log(3), math.log(4)
# softmax(ln 3, 0) = (3/4, 1/4); softmax(0, ln 4) = (1/5, 4/5)
LOGITS = [[[[LN3, 0.0], [0.0, LN4], [7.0, -7.0]]]]


def value_and_gradients(loss, *variables):
    variables = [tf.constant(variable, tf.float32) for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = loss(*variables)
    return value.numpy(), [gradient.numpy() for gradient in tape.gradient(value, variables)]


def test_cross_entropy_by_hand():
    # Labels 0, 0 and ignored: (-ln 3/4 - ln 1/5) / 2 = (0.287682 + 1.609438) / 2 = 0.948560.
    # Gradient (F - one_hot) / 2: (3/4 - 1, 1/4) / 2 and (1/5 - 1, 4/5) / 2; none where ignored.
    labels = tf.constant([[[0, 0, 255]]], tf.uint8)
    value, (gradient,) = value_and_gradients(lambda logits: cross_entropy(labels, logits), LOGITS)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, 0.948560, rtol=1e-5)
    expected = [[[[-0.125, 0.125], [-0.4, 0.4], [0.0, 0.0]]]]
    np.testing.assert_allclose(gradient, expected, rtol=1e-5)


@pytest.mark.parametrize("dtype", [tf.uint8, tf.int32, tf.int64])
def test_ignored_pixels_change_nothing(dtype):
    # The third pixel counted as class 1 would cost 14: (0.287682 + 0.223144 + 14.000001) / 3 = 4.836942.
    counted = cross_entropy(tf.constant([[[0, 1, 1]]], dtype), tf.constant(LOGITS))
    ignored = cross_entropy(tf.constant([[[0, 1, 255]]], dtype), tf.constant(LOGITS))
    np.testing.assert_allclose(counted, 4.836942, rtol=1e-5)
    np.testing.assert_allclose(ignored, (0.287682 + 0.223144) / 2, rtol=1e-5)


def test_cross_entropy_of_ignored_pixels_alone_is_zero():
    labels = tf.fill([1, 1, 3], tf.constant(255, tf.uint8))
    value, (gradient,) = value_and_gradients(lambda logits: cross_entropy(labels, logits), LOGITS)
    assert value == 0.0
    np.testing.assert_array_equal(gradient, np.zeros((1, 1, 3, 2)))


def test_cross_entropy_of_sure_and_wrong_stays_finite():
    value, (gradient,) = value_and_gradients(
        lambda logits: cross_entropy(tf.constant([[[1]]], tf.uint8), logits), [[[[500.0, -500.0]]]]
    )
    assert value == 1000.0
    np.testing.assert_allclose(gradient, [[[[1.0, -1.0]]]])


def test_cross_entropy_reads_half_precision_in_float32():
    value = cross_entropy(tf.constant([[[0]]], tf.uint8), tf.zeros([1, 1, 1, 3], tf.float16))
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, math.log(3), rtol=1e-6)


def test_weighted_cross_entropy_by_hand():
    # Uniform logits cost log 2 a pixel: (3 log 2 + 1/2 log 2) / 2 over the two labelled ones.
    labels = tf.constant([[[0, 1, 255]]], tf.uint8)
    value = cross_entropy(labels, tf.zeros([1, 1, 3, 2]), np.array([3.0, 0.5], np.float32))
    np.testing.assert_allclose(value, 1.75 * math.log(2), rtol=1e-6)


def test_symmetric_divergence_by_hand():
    # F_p = (3/4, 1/4), F_a = (1/5, 4/5):
    #   -F_a . log F_p = 1/5 * 0.287682 + 4/5 * 1.386294 = 1.166572
    #   -F_p . log F_a = 3/4 * 1.609438 + 1/4 * 0.223144 = 1.262865
    # Gradient for the primary logits, c = 0:
    #   of the first sum F_p - F_a = 0.55,
    #   of the second -F_p (log F_a + 1.262865) = -3/4 * (-1.609438 + 1.262865) = 0.259930;
    # for the auxiliary ones F_a - F_p = -0.55 and -F_a (log F_p + 1.166572) = -1/5 * 0.878890 = -0.175778.
    primary, auxiliary = [[[LOGITS[0][0][0]]]], [[[LOGITS[0][0][1]]]]
    value, gradients = value_and_gradients(symmetric_divergence, primary, auxiliary)
    np.testing.assert_allclose(value, 1.166572 + 1.262865, rtol=1e-5)
    np.testing.assert_allclose(gradients[0], [[[[0.809930, -0.809930]]]], rtol=1e-5)
    np.testing.assert_allclose(gradients[1], [[[[-0.725778, 0.725778]]]], rtol=1e-5)


def test_symmetric_divergence_is_symmetric_and_a_mean_over_pixels():
    first, second = np.random.default_rng(0).normal(size=(2, 2, 3, 5, 4)).astype(np.float32)
    one_way = symmetric_divergence(tf.constant(first), tf.constant(second)).numpy()
    other_way = symmetric_divergence(tf.constant(second), tf.constant(first)).numpy()
    np.testing.assert_allclose(one_way, other_way, rtol=1e-6)
    f, g = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (first, second))
    np.testing.assert_allclose(one_way, -(g * np.log(f) + f * np.log(g)).sum(-1).mean(), rtol=1e-5)


@pytest.mark.parametrize("dtype", [tf.float16, tf.float32])
def test_gradients_of_the_symmetric_divergence_are_those_of_its_definition(dtype):
    logits = np.random.default_rng(1).normal(size=(2, 2, 3, 5, 7))

    def rounded(first, second):
        return symmetric_divergence(tf.cast(first, dtype), tf.cast(second, dtype))

    def defined(first, second):
        log_p, log_a = (tf.nn.log_softmax(tf.cast(x, tf.float32)) for x in (first, second))
        return -tf.reduce_mean(tf.reduce_sum(tf.exp(log_a) * log_p + tf.exp(log_p) * log_a, -1))

    value, gradients = value_and_gradients(rounded, *logits)
    expected, expected_gradients = value_and_gradients(defined, *tf.cast(logits, dtype).numpy())
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    rounding = 2**-11 if dtype == tf.float16 else 1e-6
    np.testing.assert_allclose(gradients, expected_gradients, rtol=rounding, atol=1e-7)


def test_symmetric_divergence_is_small_where_both_agree_and_are_sure():
    # Cross entropies, not divergences: two equal uniform outputs still cost 2 ln 2 = 1.386294.
    sure, unsure = tf.constant([[[[50.0, -50.0]]]]), tf.zeros([1, 1, 1, 2])
    assert abs(symmetric_divergence(sure, sure).numpy()) < 1e-6
    np.testing.assert_allclose(symmetric_divergence(unsure, unsure), 1.386294, rtol=1e-6)


PRIMARY, AUXILIARY = [[[LOGITS[0][0][0]]]], [[[LOGITS[0][0][1]]]]


def test_memory_regularization_by_hand():
    # M = softmax(ln 3 + 0, 0 + ln 4 / 2) = (3/5, 2/5).
    #   KL(M || (3/4, 1/4)) = 3/5 ln 4/5 + 2/5 ln 8/5 = -0.133886 + 0.188001 = 0.054115
    #   KL(M || (1/5, 4/5)) = 3/5 ln 3 + 2/5 ln 1/2 = 0.659167 - 0.277259 = 0.381909
    # M is fixed: gradients F - M, (3/4 - 3/5) and (1/5 - 3/5).
    value, gradients = value_and_gradients(memory_regularization, PRIMARY, AUXILIARY)
    np.testing.assert_allclose(value, 0.436024, rtol=1e-5)
    np.testing.assert_allclose(gradients[0], [[[[0.15, -0.15]]]], rtol=1e-5)
    np.testing.assert_allclose(gradients[1], [[[[-0.4, 0.4]]]], rtol=1e-5)


def test_memory_regularization_of_equal_classifiers_is_not_zero_but_pulls_them_to_be_surer():
    # M = softmax(1.5 z) is surer than F = softmax(z).
    value, (gradient, _) = value_and_gradients(memory_regularization, PRIMARY, PRIMARY)
    assert value > 0.0 and gradient[0, 0, 0, 0] < 0.0


def test_rectified_cross_entropy_by_hand():
    # Label 0, F = (3/4, 1/4), F_other = (1/5, 4/5); the second pixel is ignored.
    #   D = KL(F_other || F) = 1/5 ln 4/15 + 4/5 ln 16/5 = -0.264351 + 0.930521 = 0.666170, exp(-D) = 0.513673
    #   exp(-D) * 0.287682 + D = 0.147775 + 0.666170
    # Gradients at c = 0: exp(-D) (F - 1) + (1 - 0.147775) (F - F_other) = -0.128418 + 0.468724;
    #   of the other's logits (1 - 0.147775) * 1/5 (ln 4/15 - D) = 0.852225 * -0.397585.
    labels = tf.constant([[[0, 255]]], tf.uint8)
    value, gradients = value_and_gradients(
        lambda logits, other: rectified_cross_entropy(labels, logits, other),
        [[[LOGITS[0][0][0], [5.0, -5.0]]]],
        [[[LOGITS[0][0][1], [-9.0, 9.0]]]],
    )
    np.testing.assert_allclose(value, 0.813944, rtol=1e-5)
    np.testing.assert_allclose(gradients[0], [[[[0.340306, -0.340306], [0, 0]]]], rtol=1e-4)
    np.testing.assert_allclose(gradients[1], [[[[-0.338832, 0.338832], [0, 0]]]], rtol=1e-4)


def test_agreeing_classifiers_are_rectified_to_the_cross_entropy():
    labels = tf.constant([[[1, 0, 255]]], tf.uint8)
    rectified = rectified_cross_entropy(labels, tf.constant(LOGITS), tf.constant(LOGITS))
    np.testing.assert_allclose(rectified, cross_entropy(labels, tf.constant(LOGITS)), rtol=1e-6)


def test_class_weights_are_of_the_cross_entropy_alone():
    # 4 * 0.147775 + 0.666170, as above.
    labels, weights = tf.constant([[[0]]], tf.uint8), np.array([4.0, 1.0], np.float32)
    value = rectified_cross_entropy(labels, tf.constant(PRIMARY), tf.constant(AUXILIARY), weights)
    np.testing.assert_allclose(value, 1.257268, rtol=1e-5)
