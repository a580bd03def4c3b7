import math

import numpy as np
import tensorflow as tf

from udas_tf.losses.entropy import entropy, self_information

# softmax(ln 3, 0) = (3/4, 1/4); softmax(0, ln 4) = (1/5, 4/5)
LOGITS = tf.constant([[[[math.log(3), 0.0], [0.0, math.log(4)]]]])


def test_self_information_by_hand():
    # -3/4 log2 3/4 = 3/4 * 0.415037, -1/4 log2 1/4 = 1/2.
    # -1/5 log2 1/5 = 1/5 * 2.321928, -4/5 log2 4/5 = 4/5 * 0.321928.
    maps = self_information(LOGITS)
    assert maps.dtype == tf.float32
    np.testing.assert_allclose(maps, [[[[0.311278, 0.5], [0.464386, 0.257542]]]], rtol=1e-5)


def test_entropy_by_hand():
    # (0.811278 + 0.721928) / 2. Gradient -p (log2 p + H) / 2 at c = 0:
    #   -3/4 (-0.415037 + 0.811278) / 2 = -0.148590 and -1/5 (-2.321928 + 0.721928) / 2 = 0.16.
    with tf.GradientTape() as tape:
        tape.watch(LOGITS)
        value = entropy(LOGITS)
    np.testing.assert_allclose(value, 0.766603, rtol=1e-5)
    expected = [[[[-0.148590, 0.148590], [0.16, -0.16]]]]
    np.testing.assert_allclose(tape.gradient(value, LOGITS), expected, rtol=1e-4)


def test_uniform_is_one_whatever_the_number_of_classes():
    for classes in (2, 11, 19):
        uniform = tf.zeros([1, 2, 2, classes])
        np.testing.assert_allclose(entropy(uniform), 1.0, rtol=1e-6)
        np.testing.assert_allclose(self_information(uniform), np.full(uniform.shape, 1 / classes), rtol=1e-6)


def test_sure_is_zero_and_finite_with_its_gradient():
    sure = tf.constant([[[[500.0, -500.0, 0.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(sure)
        value = entropy(sure)
    assert value.numpy() == 0.0
    np.testing.assert_array_equal(tape.gradient(value, sure), np.zeros(sure.shape))


def test_half_precision_is_read_in_float32():
    assert entropy(tf.cast(LOGITS, tf.float16)).dtype == tf.float32
