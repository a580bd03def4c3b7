"""Layers against numpy written out by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import devices
from udas_tf.errors import UserError
from udas_tf.models import layers
from udas_tf.models.kernels import convolutions


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def convolve(x, kernel, strides, pixels, dilation=1):
    """Loop over taps and output positions of an NHWC convolution with `pixels` of zeros on all sides."""
    padded = np.pad(x, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    size = kernel.shape[0]
    height, width = ((n - dilation * (size - 1) - 1) // strides + 1 for n in padded.shape[1:3])
    out = np.zeros((x.shape[0], height, width, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            top, left = i * strides, j * strides
            patch = padded[:, top : top + dilation * size : dilation, left : left + dilation * size : dilation]
            out[:, i, j] = np.tensordot(patch, kernel, axes=3)
    return out


@pytest.mark.parametrize(
    ("size", "kernel", "strides", "dilation"),
    [((9, 7), 3, 1, 2), ((9, 7), 3, 2, 1), ((8, 10), 3, 2, 1), ((8, 11), 4, 2, 1), ((8, 11), 4, 1, 1),
     ((15, 12), 7, 2, 1), ((9, 8), 1, 2, 1), ((9, 8), 1, 1, 1), ((5, 6), 3, 1, 6)],
)  # fmt: skip
def test_symmetric_convolution(rng, size, kernel, strides, dilation):
    layer = layers.SymmetricConv2D(4, kernel, strides=strides, dilation_rate=dilation, bias_initializer="ones")
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    got = layer(x)
    expected = convolve(x, np.asarray(layer.kernel), strides, dilation * (kernel - 1) // 2, dilation) + 1
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == got.shape


@pytest.mark.parametrize(("channels", "filters"), [(3, 8), (8, 1), (3, 5), (16, 8)])
@pytest.mark.parametrize("kind", [layers.SymmetricConv2D, layers.FrozenBatchNormConv2D, layers.Conv2D])
def test_a_gpu_in_half_precision_gets_channels_in_eights(rng, kind, channels, filters, monkeypatch):
    images = tf.constant(rng.normal(size=(2, 9, 12, channels)), tf.bfloat16)
    layer = kind(filters, 3, dtype="mixed_bfloat16")
    expected = layer(images)
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    traced = tf.function(layer, autograph=False).get_concrete_function(images)
    [kernel] = [one.inputs[1].shape for one in traced.graph.get_operations() if one.type == "Conv2D"]
    assert kernel[2:] == [-(-count // 8) * 8 for count in (channels, filters)]
    found = layer(images)  # not what is traced: oneDNN joins padding and convolution, but not over channels
    np.testing.assert_allclose(tf.cast(found, tf.float32), tf.cast(expected, tf.float32), rtol=2e-2, atol=2e-2)


def test_dilation_where_tensorflow_has_no_gradient_for_it(rng, monkeypatch):
    layer = layers.SymmetricConv2D(4, 3, dilation_rate=3)
    x = rng.normal(size=(1, 8, 7, 2)).astype("float32")
    direct = layer(x)
    monkeypatch.setattr(convolutions, "_differentiates_dilation", lambda dtype: False)
    np.testing.assert_allclose(layer(x), direct, atol=1e-5)


@pytest.mark.parametrize(("size", "dilation"), [((7, 9), 2), ((5, 4), 3), ((5, 4), 12)])
@pytest.mark.parametrize("static", [True, False])
def test_many_channels_to_few_dilated(rng, size, dilation, static):
    """Computed as a product and shifted sums; beyond the image's size only the centre is left."""
    layer = layers.SymmetricConv2D(2, 3, dilation_rate=dilation, bias_initializer="ones")
    x = rng.normal(size=(2, *size, 18)).astype("float32")
    layer.build(x.shape)
    expected = convolve(x, np.asarray(layer.kernel), 1, dilation, dilation) + 1

    @tf.function(input_signature=[tf.TensorSpec((2, *size, 18) if static else (None, None, None, 18))])
    def apply(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, [x, layer.kernel.value])

    got, (by_input, by_kernel) = apply(x)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    # The convolution's gradients, of a sum: the adjoint applied to ones.
    ones = np.ones_like(expected)
    adjoint = np.flip(np.asarray(layer.kernel), (0, 1)).transpose(0, 1, 3, 2)
    np.testing.assert_allclose(by_input, convolve(ones, adjoint, 1, dilation, dilation), atol=1e-5)
    top_left = x[:, : max(size[0] - dilation, 0), : max(size[1] - dilation, 0)].sum((0, 1, 2))
    np.testing.assert_allclose(by_kernel[0, 0], np.stack([top_left] * 2, -1), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(by_kernel[1, 1], np.stack([x.sum((0, 1, 2))] * 2, -1), rtol=1e-4, atol=1e-4)


@pytest.fixture
def frozen(rng):
    layer = layers.FrozenBatchNormConv2D(6, 3, strides=2)
    layer.build((None, None, None, 4))
    layer.kernel.assign(rng.normal(size=(3, 3, 4, 6)))
    for weight in (layer.gamma, layer.beta, layer.moving_mean):
        weight.assign(rng.normal(size=6))
    layer.moving_variance.assign(rng.uniform(0.1, 2, size=6))
    return layer


def test_frozen_batch_norm_is_convolution_then_batch_norm(frozen, rng):
    x = rng.normal(size=(2, 9, 12, 4)).astype("float32")
    gamma, beta, mean, variance = (
        np.asarray(w, np.float64) for w in (frozen.gamma, frozen.beta, frozen.moving_mean, frozen.moving_variance)
    )
    normed = (convolve(x, np.asarray(frozen.kernel), 2, 1) - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    np.testing.assert_allclose(frozen(x, training=True), np.maximum(normed, 0), atol=1e-4)


def test_only_the_kernel_of_frozen_batch_norm_moves(frozen, rng):
    images = keras.Input((None, None, 4))
    model = keras.Model(images, frozen(images))
    before = [np.asarray(w) for w in frozen.weights]
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = rng.normal(size=(2, 9, 12, 4)) + 5
    model.train_on_batch(x, np.zeros((2, 5, 6, 6)))
    moved = {w.name for w, old in zip(frozen.weights, before, strict=True) if not np.array_equal(w, old)}
    assert moved == {"kernel"}
    frozen.trainable = True
    assert [w.name for w in frozen.trainable_weights] == ["kernel"]


def test_groups_must_divide_channels():
    with pytest.raises(UserError, match="12 channels and 8 groups"):
        layers.GroupNorm(8).build((None, None, None, 12))


def test_ceil_max_pool_by_hand():
    # Rows 0..3 of a 4x5 image counting up; all negative, so that a padding of zeros would show.
    x = -20.0 + np.arange(20.0).reshape(1, 4, 5, 1)
    expected = [[-14, -12, -11], [-4, -2, -1], [-4, -2, -1]]
    np.testing.assert_array_equal(layers.CeilMaxPool2D()(x)[0, :, :, 0], expected)


@pytest.mark.parametrize(("size", "pooled"), [(1, 1), (2, 2), (3, 2), (160, 81), (161, 81)])
def test_ceil_max_pool_sizes(size, pooled):
    assert layers.CeilMaxPool2D()(np.zeros((1, size, size, 1))).shape == (1, pooled, pooled, 1)


def test_reflection_padding_does_not_repeat_the_border():
    x = np.arange(3.0).reshape(1, 3, 1, 1) + np.arange(3.0).reshape(1, 1, 3, 1) * 10
    got = layers.ReflectionPadding2D(2)(x)[0, :, 2, 0]
    np.testing.assert_array_equal(got, [2, 1, 0, 1, 2, 1, 0])


def test_caffe_normalization():
    got = layers.CaffeNormalization()(np.array([[[[255.0, 128.0, 0.0]]]]))
    np.testing.assert_allclose(got, [[[[-104.00699, 11.33123, 132.32109]]]], rtol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_dilated_convolution_has_gradients_in_every_precision(policy):
    """oneDNN has none in float16, where space is rearranged into batches instead."""
    layer = layers.SymmetricConv2D(2, 3, dilation_rate=2, dtype=policy)
    images = tf.ones((1, 7, 7, 3))
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(tf.cast(layer(images), tf.float32))
    gradient = tape.gradient(total, images)
    # Every input pixel is seen once through each of the kernel's nine taps that lies within the image's reach.
    np.testing.assert_allclose(gradient[0, 3, 3], layer.kernel.numpy().sum(axis=(0, 1, 3)), rtol=2e-2, atol=2e-2)


@pytest.fixture
def dropout():
    keras.utils.set_random_seed(5)
    layer = layers.ChannelDropout(0.25)
    layer.build((None, None, None, 2000))
    return layer


def test_dropout_zeroes_whole_channels_and_keeps_the_mean(dropout, rng):
    x = rng.uniform(1, 2, (2, 3, 4, 2000)).astype("float32")
    out = dropout(x, training=True).numpy()
    kept = out[:, :1, :1] != 0
    np.testing.assert_allclose(out, np.where(kept, x / 0.75, 0), rtol=1e-6)
    # Of 4000 independent draws; six deviations are 0.041.
    assert abs(kept.mean() - 0.75) < 0.041
    assert np.any(kept[0] != kept[1]), "each image draws its own"


def test_dropout_does_nothing_in_inference_and_at_rate_0(dropout, rng):
    x = rng.uniform(1, 2, (2, 3, 4, 2000)).astype("float32")
    np.testing.assert_array_equal(dropout(x), x)
    np.testing.assert_array_equal(layers.ChannelDropout(0.0)(x, training=True), x)
    assert int(dropout.draw_count) == 0


def test_dropout_goes_on_from_a_checkpoint(dropout, tmp_path):
    ones = tf.ones((1, 1, 1, 2000))
    first = dropout(ones, training=True)
    path = tf.train.Checkpoint(layer=dropout).write(str(tmp_path / "checkpoint"))
    second = dropout(ones, training=True)
    assert np.any(second != first)
    resumed = layers.ChannelDropout(0.25)
    resumed.build(ones.shape)
    tf.train.Checkpoint(layer=resumed).read(path).assert_consumed()
    np.testing.assert_array_equal(resumed(ones, training=True), second)


def test_dropout_follows_from_the_global_seed(dropout):
    keras.utils.set_random_seed(5)
    again = layers.ChannelDropout(0.25)
    again.build((None, None, None, 2000))
    other = layers.ChannelDropout(0.25)
    other.build((None, None, None, 2000))
    ones = tf.ones((1, 1, 1, 2000))
    first = dropout(ones, training=True)
    np.testing.assert_array_equal(again(ones, training=True), first)
    assert np.any(other(ones, training=True) != first)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_the_gradient_of_a_bias_is_the_sum_over_all_cells(policy):
    """Of dL/dy = 1 at 4 * 64 * 64 cells; summed up in bfloat16 it stops at 256."""
    layer = layers.Conv2D(2, 1, dtype=policy)
    layer.build((4, 64, 64, 3))

    @tf.function(autograph=False)
    def gradient(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.cast(layer(images), tf.float32))
        return tape.gradient(loss, layer.bias)

    np.testing.assert_allclose(gradient(tf.zeros((4, 64, 64, 3))), [4 * 64 * 64] * 2)


@pytest.mark.parametrize("size", [(2, 10, 14), (None, None, None)])
def test_four_columns_at_a_time_are_those_one_by_one(rng, size, monkeypatch):
    layer = layers.FourColumnsConv2D(3, 7, bias_initializer="ones")
    images = tf.constant(rng.normal(size=(2, 10, 14, 5)), tf.float32)
    upstream = tf.constant(rng.normal(size=(2, 4, 8, 3)), tf.float32)
    layer.build(images.shape)

    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            found = layer(images)
        return found, *tape.gradient(found, (images, layer.kernel.value), upstream)

    traced = tf.function(gradients, input_signature=[tf.TensorSpec((*size, 5))])
    found = traced(images)
    assert [one.get_attr("strides") for one in _convolutions(traced)] == [[1, 1, 4, 1]]
    monkeypatch.setattr(devices, "has_gpu", lambda: True)
    assert found[0].shape == layer.compute_output_shape(images.shape) == upstream.shape
    for one, expected in zip(found, gradients(images), strict=True):
        np.testing.assert_allclose(one, expected, atol=1e-4)


def _convolutions(traced):
    graph = traced.get_concrete_function().graph
    return [one for one in graph.get_operations() if one.type == "Conv2D"]


@pytest.mark.parametrize(("size", "padded"), [((64, 32), (64, 32)), ((33, 31), (64, 32))])
def test_padding_repeats_the_border(size, padded):
    image = np.random.default_rng(0).uniform(size=(1, *size, 2)).astype("float32")
    layer = layers.PadToMultiple(32)
    out = layer(image)
    down, right = padded[0] - size[0], padded[1] - size[1]
    np.testing.assert_array_equal(out, np.pad(image, ((0, 0), (0, down), (0, right), (0, 0)), mode="edge"))
    assert layer.compute_output_shape(image.shape) == out.shape
    assert layer.compute_output_shape((None, None, size[1], 2)) == (None, None, padded[1], 2)


def test_resizing_aligns_edges_or_corners():
    """Two cells 0 and 3: their edges at 0 and 4 pixels, or their centres on the first and the last of four pixels."""
    cells, image = tf.constant([0.0, 3.0])[None, None, :, None], tf.zeros((1, 1, 4, 3))
    edges, corners = (layers.ResizeLike(corners)([cells, image])[0, 0, :, 0] for corners in (False, True))
    np.testing.assert_allclose(edges, [0, 0.75, 2.25, 3], atol=1e-6)
    np.testing.assert_allclose(corners, [0, 1, 2, 3], atol=1e-6)
