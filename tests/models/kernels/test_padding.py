"""Reflection padding, against numpy."""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf import devices
from udas_tf.models.kernels.padding import reflect


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("gpu", [False, True])
@pytest.mark.parametrize("static", [True, False])
def test_reflection_padding_and_its_gradient(rng, static, gpu, monkeypatch):
    if gpu:
        monkeypatch.setattr(devices, "has_gpu", lambda: True)
    x, upstream = (tf.constant(rng.normal(size=size), tf.float32) for size in ((2, 5, 6, 3), (2, 9, 10, 3)))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(x.shape if static else (None, None, None, 3))])
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            padded = reflect(x, 2)
        return padded, tape.gradient(padded, x, upstream)

    padded, gradient = gradients(x)
    around = ((0, 0), (2, 2), (2, 2), (0, 0))
    np.testing.assert_array_equal(padded, np.pad(x, around, mode="reflect"))
    pixels = np.pad(np.arange(60).reshape(2, 5, 6, 1), around, mode="reflect")[..., 0]
    expected = np.zeros((60, 3))
    np.add.at(expected, pixels.reshape(-1), upstream.numpy().reshape(-1, 3))
    np.testing.assert_allclose(gradient, expected.reshape(x.shape), atol=1e-5)
