"""Group norm and its gradient, against their definition; through the layer."""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.models import layers


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("groups", [1, 4, -1])
def test_group_norm(rng, groups):
    x = rng.normal(3, 2, size=(3, 5, 7, 8)).astype("float32")
    layer = layers.GroupNorm(groups)
    layer.build(x.shape)
    gamma, beta = rng.normal(size=(2, 8))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    grouped = x.astype(np.float64).reshape(3, 35, 8 if groups == -1 else groups, -1)
    mean, variance = (f(grouped, axis=(1, 3), keepdims=True) for f in (np.mean, np.var))
    expected = ((grouped - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape) * gamma + beta
    np.testing.assert_allclose(layer(x), expected, atol=1e-4)


@pytest.mark.parametrize(("groups", "affine"), [(1, True), (4, True), (-1, True), (-1, False)])
def test_gradient_of_group_norm(rng, groups, affine):
    """Against the one that TensorFlow derives from the definition, in float64."""
    x, weights = rng.normal(3, 2, size=(2, 3, 5, 7, 8))
    gamma, beta = rng.normal(size=(2, 8)) if affine else (np.ones(8), np.zeros(8))
    layer = layers.GroupNorm(groups, affine)
    layer.build(x.shape)
    if affine:
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)
    x, gamma, beta = (tf.constant(array) for array in (x, gamma, beta))
    with tf.GradientTape() as tape:
        tape.watch([x, gamma, beta])
        grouped = tf.reshape(x, (3, 35, 8 if groups == -1 else groups, -1))
        mean, variance = tf.nn.moments(grouped, (1, 3), keepdims=True)
        normalized = tf.reshape((grouped - mean) / tf.sqrt(variance + 1e-5), x.shape)
        loss = tf.reduce_sum((normalized * gamma + beta) * weights)
    expected = tape.gradient(loss, [x, gamma, beta])[: 3 if affine else 1]
    inputs = tf.cast(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(layer(inputs) * weights.astype("float32"))
    found = tape.gradient(loss, [inputs, *layer.trainable_variables])
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_instance_norm_of_a_constant_image_is_zero():
    layer = layers.GroupNorm(groups=-1, affine=False)
    np.testing.assert_allclose(layer(tf.fill((1, 64, 64, 2), 3.1)), np.zeros((1, 64, 64, 2)), atol=1e-2)
    assert layer.count_params() == 0


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("size", [(1, 9, 7), (3, 9, 7), (1, 192, 384)])
def test_instance_norm_in_bfloat16_by_batch_norm(rng, affine, size):
    """Image by image, the float32 layer's result and gradients."""
    half, whole = (layers.GroupNorm(-1, affine, dtype=dtype) for dtype in ("mixed_bfloat16", "float32"))
    images = tf.cast(rng.normal(3, 2, size=(*size, 4)), tf.bfloat16)
    upstream = tf.cast(rng.normal(size=images.shape), tf.bfloat16)
    for layer in (half, whole):
        layer.build(images.shape)
    for one, other in zip(half.weights, whole.weights, strict=True):
        one.assign(rng.normal(size=4))
        other.assign(one)

    def gradients(layer, dtype):
        inputs = tf.cast(images, dtype)
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            found = layer(inputs)
        weights = [weight.value for weight in layer.weights]
        return found, *tape.gradient(found, [inputs, *weights], tf.cast(upstream, dtype))

    found, expected = gradients(half, tf.bfloat16), gradients(whole, tf.float32)
    for one, other in zip(found[:2], expected[:2], strict=True):
        np.testing.assert_allclose(tf.cast(one, tf.float32), other, rtol=2e-2, atol=4e-2)
    for one, other in zip(found[2:], expected[2:], strict=True):  # sums over all pixels
        np.testing.assert_allclose(one, other, rtol=2e-2, atol=2e-2 * np.sqrt(np.prod(size)))


@pytest.mark.parametrize(
    ("size", "dtype", "kernels"),
    [
        ((2, 8, 8, 3), tf.bfloat16, 2),
        ((None, 8, 8, 3), tf.bfloat16, 0),
        ((2, None, 8, 3), tf.bfloat16, 0),
        ((2, 8, 8, 3), tf.float32, 0),
    ],
)
def test_batch_norm_does_it_in_bfloat16_where_the_size_is_known(size, dtype, kernels):
    layer = layers.GroupNorm(-1, affine=False, dtype="mixed_bfloat16" if dtype == tf.bfloat16 else "float32")
    traced = tf.function(layer, autograph=False).get_concrete_function(tf.TensorSpec(size, dtype))
    assert sum(one.type == "FusedBatchNormV3" for one in traced.graph.get_operations()) == kernels


@pytest.mark.parametrize("size", [(16, 16), (256, 256), (256, 512)])
def test_instance_norm_of_a_constant_image_is_zero_in_bfloat16(rng, size):
    layer = layers.GroupNorm(-1, affine=False, dtype="mixed_bfloat16")
    colours = tf.cast(rng.uniform(-4, 4, 16), tf.bfloat16)
    np.testing.assert_array_equal(tf.cast(layer(tf.broadcast_to(colours, (1, *size, 16))), tf.float32), 0.0)
