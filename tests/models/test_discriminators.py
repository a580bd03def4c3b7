"""Discriminators: sizes, parameter counts worked out from the originals, the average pooling."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.models import discriminators


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def conv(size, inputs, outputs):
    return size * size * inputs * outputs + outputs


def test_fully_convolutional():
    model = discriminators.fully_convolutional(19)
    assert model.count_params() == sum(
        conv(4, *ends) for ends in [(19, 64), (64, 128), (128, 256), (256, 512), (512, 1)]
    )
    for size, scores in [((96, 192), (3, 6)), ((97, 190), (3, 5))]:
        maps = model(np.zeros((2, *size, 19), "float32"))
        assert [tuple(m.shape) for m in maps] == [(2, *scores, 1)]
    assert np.abs(model.get_layer("conv1").bias).max() <= 1 / np.sqrt(16 * 19)


def test_pixelwise():
    model = discriminators.pixelwise(320)
    assert model.count_params() == sum(conv(1, *ends) for ends in [(320, 512), (512, 256), (256, 1)])
    features = np.random.default_rng(0).normal(size=(2, 5, 7, 320)).astype(np.float32)
    (scores,) = model(features)
    assert tuple(scores.shape) == (2, 5, 7, 1)
    np.testing.assert_allclose(model(features[:, 2:3, 3:4])[0], scores[:, 2:3, 3:4], atol=1e-5)
    assert np.abs(model.get_layer("conv1").bias).max() <= 1 / np.sqrt(320)


def test_pixelwise_drops_whole_channels_in_training_alone():
    model = discriminators.pixelwise(4, width=8)
    features = np.ones((1, 3, 3, 4), np.float32)
    (trained,) = model(features, training=True)
    np.testing.assert_allclose(trained, np.full((1, 3, 3, 1), trained[0, 0, 0, 0]), rtol=1e-6)
    (once,), (again,) = model(features), model(features)
    np.testing.assert_array_equal(once, again)


def test_multi_scale():
    model = discriminators.multi_scale(19)
    one = conv(3, 19, 32) + 3 * conv(3, 32, 32) + conv(3, 32, 64) + 8 * conv(3, 64, 64) + conv(1, 64, 1)
    assert model.count_params() == 3 * one
    maps = model(np.zeros((1, 97, 192, 19), "float32"))
    assert [tuple(m.shape) for m in maps] == [(1, 13, 24, 1), (1, 7, 12, 1), (1, 4, 6, 1)]


def test_scales_see_the_halved_image(rng):
    """With one set of weights, scale 1 of an image is scale 0 of the halved image."""
    model = discriminators.multi_scale(3, width=4, scales=2)
    first = [layer for layer in model.layers if layer.name.startswith("scale0_") and layer.weights]
    for layer in first:
        model.get_layer(layer.name.replace("scale0", "scale1")).set_weights(layer.get_weights())
    x = rng.uniform(size=(1, 33, 48, 3)).astype("float32")
    halved = discriminators.HalvingAveragePool2D()(x)
    np.testing.assert_allclose(model(x)[1], model(halved)[0], atol=1e-6)


@pytest.mark.parametrize("size", [(4, 5), (5, 6)])
def test_average_counts_pixels_inside_only(rng, size):
    x = rng.normal(size=(2, *size, 3)).astype("float32")
    got = discriminators.HalvingAveragePool2D()(x)
    for i in range((size[0] + 1) // 2):
        for j in range((size[1] + 1) // 2):
            window = x[:, max(2 * i - 1, 0) : 2 * i + 2, max(2 * j - 1, 0) : 2 * j + 2]
            np.testing.assert_allclose(got[:, i, j], window.mean(axis=(1, 2)), atol=1e-6)


def test_patch_gan():
    model = discriminators.patch_gan()
    assert model.count_params() == 2_764_737
    maps = model(np.zeros((1, 256, 256, 3), np.uint8))
    assert [tuple(m.shape) for m in maps] == [(1, 30, 30, 1)]


def test_patch_gan_scores_see_70_pixels():
    """Growing back from one score: (n - 1) stride + 4 over strides 1, 1, 2, 2, 2."""
    seen = 1
    for layer in reversed([layer for layer in discriminators.patch_gan(8).layers if hasattr(layer, "kernel")]):
        seen = (seen - 1) * layer.strides[0] + layer.kernel_size[0]
    assert seen == 70


def test_one_score_map_is_a_list_after_loading_too(tmp_path, rng):
    model = discriminators.fully_convolutional(3, width=4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = rng.uniform(size=(2, 32, 64, 3)).astype("float32")
    assert isinstance(loaded(x), list) and isinstance(tf.function(model)(x), list)
    np.testing.assert_array_equal(loaded(x)[0], model(x)[0])
