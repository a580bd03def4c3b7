"""Upsampling, against a loop over pixels."""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.models.kernels.upsampling import upsample


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def bilinear(x, height, width):
    """Corner-aligned bilinear interpolation, one output pixel after the other."""
    _, h, w, _ = x.shape
    out = np.zeros((x.shape[0], height, width, x.shape[3]))
    for i in range(height):
        for j in range(width):
            y, z = i * (h - 1) / max(height - 1, 1), j * (w - 1) / max(width - 1, 1)
            top, left = min(int(y), max(h - 2, 0)), min(int(z), max(w - 2, 0))
            bottom, right = min(top + 1, h - 1), min(left + 1, w - 1)
            a, b = y - top, z - left
            upper = (1 - b) * x[:, top, left] + b * x[:, top, right]
            lower = (1 - b) * x[:, bottom, left] + b * x[:, bottom, right]
            out[:, i, j] = (1 - a) * upper + a * lower
    return out


@pytest.mark.parametrize(
    ("small", "size"), [((4, 6), (25, 41)), ((13, 5), (96, 33)), ((1, 3), (4, 9)), ((3, 3), (1, 2))]
)
def test_upsample(rng, small, size):
    x = rng.normal(size=(2, *small, 3)).astype("float32")
    got = upsample(tf.constant(x), size)
    assert got.shape == (2, *size, 3)
    np.testing.assert_allclose(got, bilinear(x, *size), atol=1e-5)


def test_upsample_of_unknown_sizes(rng):
    x = rng.normal(size=(1, 3, 4, 2)).astype("float32")
    spec = tf.TensorSpec((None, None, None, 2))
    traced = tf.function(upsample, input_signature=[spec, tf.TensorSpec((2,), tf.int32)])
    np.testing.assert_allclose(traced(x, tf.constant([7, 10])), bilinear(x, 7, 10), atol=1e-5)


def test_logits_of_the_images_size_are_left_alone(rng):
    x = tf.constant(rng.normal(size=(1, 5, 7, 2)).astype("float32"))
    assert upsample(x, (5, 7)) is x
    np.testing.assert_array_equal(upsample(x, tf.constant([5, 7])), x)
