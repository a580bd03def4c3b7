"""EfficientNet-Lite0: shapes, and that leaving strides out changes nothing where the grids meet."""

import keras
import numpy as np
import pytest
from small_networks import maps

from udas_tf.models.backbones import efficientnet_lite0
from udas_tf.models.backbones._efficientnet_lite import FrozenBatchNormDepthwiseConv2D
from udas_tf.models.importers import state_dicts
from udas_tf.models.layers import ExtendToGrid


@pytest.fixture(scope="module")
def networks():
    """By output stride, with the same random weights, in which nothing vanishes or explodes."""
    models = {stride: maps(efficientnet_lite0, stride) for stride in (8, 16, 32)}
    rng = np.random.default_rng(11)
    weights = []
    for variable in models[8].weights:
        if variable.name == "kernel":
            fan_in = np.prod(variable.shape[:3])
            weights.append(rng.normal(0, np.sqrt(2 / fan_in), variable.shape))
        else:
            weights.append(rng.uniform(0.5, 1.5, variable.shape))
    for model in models.values():
        model.set_weights(weights)
    return models


def test_dilation_for_strides_keeps_the_features(networks):
    images = np.random.default_rng(5).uniform(0, 255, (2, 65, 97, 3)).astype("float32")
    original = networks[32](images)
    assert {stage: tuple(one.shape) for stage, one in original.items()} == {
        4: (2, 17, 25, 24),
        8: (2, 9, 13, 40),
        16: (2, 5, 7, 112),
        32: (2, 3, 4, 320),
    }
    for stride in (8, 16):
        features = networks[stride](images)
        for stage, expected in original.items():
            every = max(stage // stride, 1)
            got = features[stage][:, ::every, ::every]
            np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("size", "stride", "cells"),
    [((96, 192), 8, (13, 25)), ((97, 193), 8, (13, 25)), ((90, 100), 8, (13, 14)), ((96, 192), 16, (7, 13))],
)
def test_shapes(networks, size, stride, cells):
    features = networks[stride](np.zeros((1, *size, 3), "float32"))
    assert features[32].shape == (1, *cells, 320)
    assert features[16].shape == (1, *cells, 112)
    assert tuple(efficientnet_lite0.map_size(pixels, stride) for pixels in size) == cells


@pytest.mark.parametrize(("output_stride", "strides"), [(8, [4, 8, 8, 8]), (16, [4, 8, 16, 16]), (32, [4, 8, 16, 32])])
def test_stages_say_what_they_are(output_stride, strides):
    features = efficientnet_lite0.build(keras.Input((None, None, 3)), output_stride)
    assert list(features.stages) == [4, 8, 16, 32] and features.padded is None
    assert [stage.name for stage in features.stages.values()] == ["block2", "block4", "block10", "block15"]
    assert [stage.stride for stage in features.stages.values()] == strides


def test_a_larger_image_is_the_same_where_it_ends_in_the_mean_colour(networks):
    """What the image is extended by is what it is normalised to zero by."""
    images = np.random.default_rng(5).uniform(0, 255, (1, 60, 90, 3)).astype("float32")
    extended = np.full((1, 65, 97, 3), 127, "float32")
    extended[:, :60, :90] = images
    got, expected = (networks[8](batch)[32].numpy() for batch in (images, extended))
    np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_depthwise_by_hand():
    layer = FrozenBatchNormDepthwiseConv2D(3, 3, dilation_rate=2, relu=False)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1, 6, 7, 3)).astype("float32")
    layer(x)
    gamma, beta, mean, variance = rng.uniform(0.5, 2, (4, 3)).astype("float32")
    kernel = rng.normal(size=(3, 3, 1, 3)).astype("float32")
    layer.set_weights([kernel, gamma, beta, mean, variance])
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    expected = np.zeros_like(x)
    for i in range(6):
        for j in range(7):
            expected[0, i, j] = np.einsum("hwc,hwc->c", padded[0, i : i + 5 : 2, j : j + 5 : 2], kernel[:, :, 0])
    expected = (expected - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    got = layer(x)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert layer.compute_output_shape(x.shape) == got.shape


def test_extended_size():
    layer = ExtendToGrid(8)
    for size, expected in [(1, 1), (2, 9), (8, 9), (9, 9), (10, 17), (321, 321)]:
        batch = np.ones((1, size, 9, 1), "float32")
        assert layer(batch).shape == layer.compute_output_shape(batch.shape) == (1, expected, 9, 1)
    assert layer.compute_output_shape((None, None, 10, 3)) == (None, None, 17, 3)


def test_layers_from_their_configs():
    for layer in (FrozenBatchNormDepthwiseConv2D(3, 5, 2, relu=False, epsilon=1e-3), ExtendToGrid(16)):
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()


def test_names_of_the_original(networks):
    entries = {"_conv_stem.weight": np.zeros((32, 3, 3, 3))}
    kind = state_dicts.recognise(entries, "segmenter")
    missing = state_dicts.plan(networks[8], entries, kind).missing
    # Of the 296 entries in the package's file, 49 count batches and 7 are of the image classifier.
    assert len(missing) + 1 == 296 - 49 - 7
    for name in (
        "_bn0.running_var", "_blocks.0._depthwise_conv.weight", "_blocks.0._bn1.bias",
        "_blocks.15._expand_conv.weight", "_blocks.15._bn0.weight", "_blocks.15._bn2.running_mean",
    ):  # fmt: skip
        assert name in missing
