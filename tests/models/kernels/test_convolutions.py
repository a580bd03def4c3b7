"""Convolutions and their gradients, against numpy."""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf import devices
from udas_tf.models.kernels import convolutions


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize(
    "images",
    [(2, 5, 7, 6), pytest.param((None, None, None, 6), id="any size")],
)
def test_gradients_of_a_pointwise_convolution(rng, images):
    x = tf.constant(rng.normal(size=(2, 5, 7, 6)), tf.float32)
    kernel, upstream = (tf.constant(rng.normal(size=size), tf.float32) for size in ((1, 1, 6, 4), (2, 5, 7, 4)))

    @tf.function(autograph=False, input_signature=[tf.TensorSpec(images)])
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            found = tf.reduce_sum(convolutions.symmetric_convolution(x, kernel, 1, 1) * upstream)
        return tape.gradient(found, (x, kernel))

    of_images, of_kernel = gradients(x)
    np.testing.assert_allclose(of_images, np.einsum("bhwf,ijcf->bhwc", upstream, kernel), atol=1e-5)
    np.testing.assert_allclose(of_kernel[0, 0], np.einsum("bhwc,bhwf->cf", x, upstream), atol=1e-4)


@pytest.mark.parametrize(("size", "dilation"), [((7, 9), 2), ((8, 5), 4), ((3, 4), 6)])
@pytest.mark.parametrize("static", [True, False])
def test_a_gpu_gets_the_kernel_gradient_without_dilation(rng, size, dilation, static, monkeypatch):
    if not convolutions._differentiates_dilation("float32"):
        pytest.skip("on this CPU TensorFlow has no input gradients of dilated convolutions")
    x, upstream = (tf.constant(rng.normal(size=(2, *size, count)), tf.float32) for count in (5, 4))
    kernel = tf.constant(rng.normal(size=(3, 3, 5, 4)), tf.float32)

    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            found = convolutions.symmetric_convolution(x, kernel, 1, dilation)
        return found, *tape.gradient(found, (x, kernel), upstream)

    expected = gradients(x)
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    spec = tf.TensorSpec((2, *size, 5) if static else (None, None, None, 5))
    traced = tf.function(gradients, autograph=False, input_signature=[spec]).get_concrete_function()
    kinds = [one for one in traced.graph.get_operations() if one.type == "Conv2DBackpropFilter"]
    assert [one.get_attr("dilations") for one in kinds] == [[1, 1, 1, 1]]
    for one, other in zip(traced(x), expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
