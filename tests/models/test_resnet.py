"""Structure of the backbones: names, strides and dilations of the reference."""

import keras
import numpy as np
import pytest

from udas_tf.models import resnet


@pytest.fixture(scope="module")
def resnet50():
    images = keras.Input((None, None, 3))
    return keras.Model(images, resnet.resnet(images, resnet.RESNET_50))


def test_resnet50_parameters(resnet50):
    # torchvision's ResNet-50 has 25,557,032 parameters, 2,049,000 of them in its classifier. 26,560 channels
    # are normalised, each with a mean and a variance that torchvision does not count, and gamma and beta
    # frozen here.
    affine = 2 * 26_560
    assert resnet50.count_params() == 25_557_032 - 2_049_000 + affine
    assert sum(int(np.prod(v.shape)) for v in resnet50.trainable_variables) == 25_557_032 - 2_049_000 - affine


def test_resnet50_strides_and_dilations(resnet50):
    def of(name):
        layer = resnet50.get_layer(name)
        return layer.kernel_size, layer.strides, layer.dilation_rate

    assert of("conv1") == (7, 2, 1)
    assert of("layer2_0_conv1") == (1, 2, 1)  # caffe-style: the stride is in the first 1x1
    assert of("layer2_0_conv2") == (3, 1, 1)
    assert of("layer3_0_conv1") == (1, 1, 1)
    assert of("layer3_5_conv2") == (3, 1, 2)
    assert of("layer4_0_conv2") == (3, 1, 4)
    assert of("layer4_0_downsample") == (1, 1, 1)


@pytest.mark.parametrize(("size", "features"), [((33, 65), (5, 9)), ((48, 62), (7, 8))])
def test_resnet50_output_stride_is_eight(resnet50, size, features):
    out = resnet50(np.zeros((1, *size, 3), np.uint8))
    assert out["auxiliary"].shape == (1, *features, 1024)
    assert out["primary"].shape == (1, *features, 2048)


@pytest.mark.parametrize(("size", "features"), [((33, 65), (3, 5)), ((48, 62), (4, 4))])
def test_output_stride_sixteen(size, features):
    """The third stage has a stride instead of its dilation, the fourth half of its dilation."""
    images = keras.Input((None, None, 3))
    model = keras.Model(images, resnet.resnet(images, (1, 1, 2, 2), output_stride=16))
    out = model(np.zeros((1, *size, 3), np.uint8))
    assert out["auxiliary"].shape == (1, *features, 1024)
    assert out["primary"].shape == (1, *features, 2048)
    assert model.get_layer("layer3_0_conv1").strides == model.get_layer("layer3_0_downsample").strides == 2
    dilations = [model.get_layer(name).dilation_rate for name in ("layer3_1_conv2", "layer4_0_conv2")]
    assert dilations == [1, 2]


def test_compact_widths_and_depth():
    images = keras.Input((None, None, 3))
    model = keras.Model(images, resnet.compact_resnet(images, width=8, blocks=(1, 1, 2, 1)))
    out = model(np.zeros((1, 97, 64, 3), np.uint8))
    assert out["auxiliary"].shape == out["primary"].shape == (1, 13, 9, 32)
    assert model.get_layer("layer3_1_conv2").dilation_rate == (2, 2)
    assert model.get_layer("layer4_0_conv1").dilation_rate == (4, 4)


def test_compact_treats_images_separately():
    images = keras.Input((None, None, 3))
    model = keras.Model(images, resnet.compact_resnet(images, width=8))
    batch = np.random.default_rng(0).uniform(0, 255, (3, 32, 40, 3)).astype("float32")
    whole, alone = model(batch, training=True), model(batch[1:2], training=True)
    np.testing.assert_allclose(whole["primary"][1:2], alone["primary"], atol=1e-4)
