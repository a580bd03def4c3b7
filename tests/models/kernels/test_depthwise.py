"""Depthwise convolutions and their gradients, against TensorFlow's own, which on CPUs are slow and exact."""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.models.kernels import depthwise
from udas_tf.models.kernels.depthwise import depthwise_conv2d

SHAPES = [  # height, width, channels, size, strides, dilation; wider than one piece, and than two
    *((5, 7, 3, 3, 1, 1), (6, 9, 4, 5, 1, 1), (7, 6, 2, 5, 1, 2), (4, 4, 3, 3, 1, 4)),
    *(
        (8, 9, 3, 3, 2, 1),
        (7, 12, 2, 5, 2, 1),
        (3, 40, 2, 5, 1, 1),
        (3, 70, 2, 3, 1, 2),
        (4, 131, 2, 5, 2, 1),
        (2, 140, 1, 3, 2, 1),
    ),
]


def gradients(function, inputs, kernel, strides, dilation, upstream=None):
    with tf.GradientTape() as tape:
        tape.watch((inputs, kernel))
        outputs = function(inputs, kernel, strides, dilation)
    if upstream is None:
        upstream = tf.random.stateless_normal(outputs.shape, (1, 2))
    return outputs, tape.gradient(outputs, (inputs, kernel), upstream), upstream


@pytest.mark.parametrize(("height", "width", "channels", "size", "strides", "dilation"), SHAPES)
def test_outputs_and_gradients_are_tensorflows(height, width, channels, size, strides, dilation):
    inputs = tf.random.stateless_normal((2, height, width, channels), (3, 4))
    kernel = tf.random.stateless_normal((size, size, channels, 1), (5, 6))
    outputs, ours, upstream = gradients(depthwise_conv2d, inputs, kernel, strides, dilation)
    expected, theirs, _ = gradients(depthwise._convolve, inputs, kernel, strides, dilation, upstream)
    assert outputs.shape[1:3] == (-(-height // strides), -(-width // strides))
    np.testing.assert_array_equal(outputs, expected)
    for mine, its in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-4)


def test_kernel_gradient_by_hand():
    """One channel, one output row, 3x3: the tap in the middle meets each input with its own upstream value."""
    inputs = tf.constant([[1.0, 2.0, 3.0]])[tf.newaxis, ..., tf.newaxis]
    upstream = tf.constant([[10.0, 100.0, 1000.0]])[tf.newaxis, ..., tf.newaxis]
    kernel = tf.zeros((3, 3, 1, 1))
    _, (_, found), _ = gradients(depthwise_conv2d, inputs, kernel, 1, 1, upstream)
    left, middle, right = 100 * 1 + 1000 * 2, 10 * 1 + 100 * 2 + 1000 * 3, 10 * 2 + 100 * 3
    np.testing.assert_array_equal(found[..., 0, 0], [[0, 0, 0], [left, middle, right], [0, 0, 0]])


def test_bfloat16_adds_up_in_float32():
    """4,096 ones: a sum in bfloat16 would stop at 256."""
    inputs, kernel = tf.ones((1, 64, 64, 1), tf.bfloat16), tf.zeros((5, 5, 1, 1), tf.bfloat16)
    _, (_, found), _ = gradients(depthwise_conv2d, inputs, kernel, 1, 1, tf.ones((1, 64, 64, 1), tf.bfloat16))
    assert found.dtype == tf.bfloat16
    assert found[2, 2, 0, 0] == 4096


def test_sizes_known_only_when_it_runs():
    """Serving takes images of any size; TensorFlow's own gradient then is the one."""
    traced = tf.function(
        lambda x, k: gradients(depthwise_conv2d, x, k, 1, 1, tf.ones_like(x))[1][1],
        input_signature=[tf.TensorSpec((None, None, None, 2)), tf.TensorSpec((3, 3, 2, 1))],
    )
    inputs = tf.random.stateless_normal((1, 5, 6, 2), (7, 8))
    kernel = tf.zeros((3, 3, 2, 1))
    _, (_, expected), _ = gradients(depthwise_conv2d, inputs, kernel, 1, 1, tf.ones((1, 5, 6, 2)))
    np.testing.assert_allclose(traced(inputs, kernel), expected, rtol=1e-5)
