"""ResNet-50/101 and the compact ResNet: names, strides and dilations of the reference."""

import keras
import numpy as np
import pytest
from small_networks import BACKBONE, maps

from udas_tf.errors import UserError
from udas_tf.models.backbones import _resnet, compact, resnet50, resnet101


@pytest.fixture(scope="module")
def network():
    return maps(resnet50)


def test_resnet50_parameters(network):
    # torchvision's ResNet-50 has 25,557,032 parameters, 2,049,000 of them in its classifier. 26,560 channels
    # are normalised, each with a mean and a variance that torchvision does not count, and gamma and beta
    # frozen here.
    affine = 2 * 26_560
    assert network.count_params() == 25_557_032 - 2_049_000 + affine
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == 25_557_032 - 2_049_000 - affine


def test_resnet50_strides_and_dilations(network):
    def of(name):
        layer = network.get_layer(name)
        return layer.kernel_size, layer.strides, layer.dilation_rate

    assert of("conv1") == (7, 2, 1)
    assert of("layer2_0_conv1") == (1, 2, 1)  # caffe-style: the stride is in the first 1x1
    assert of("layer2_0_conv2") == (3, 1, 1)
    assert of("layer3_0_conv1") == (1, 1, 1)
    assert of("layer3_5_conv2") == (3, 1, 2)
    assert of("layer4_0_conv2") == (3, 1, 4)
    assert of("layer4_0_downsample") == (1, 1, 1)


@pytest.mark.parametrize(("size", "fine", "coarse"), [((33, 65), (9, 17), (5, 9)), ((48, 62), (13, 16), (7, 8))])
def test_resnet50_maps_at_output_stride_eight(network, size, fine, coarse):
    out = network(np.zeros((1, *size, 3), np.uint8))
    assert {stride: tuple(one.shape) for stride, one in out.items()} == {
        4: (1, *fine, 256),
        8: (1, *coarse, 512),
        16: (1, *coarse, 1024),
        32: (1, *coarse, 2048),
    }


@pytest.mark.parametrize(("size", "second", "last"), [((33, 65), (5, 9), (3, 5)), ((48, 62), (7, 8), (4, 4))])
def test_output_stride_sixteen(size, second, last, monkeypatch):
    """The third stage has a stride instead of its dilation, the fourth half of its dilation."""
    monkeypatch.setattr(resnet50, "BLOCKS", (1, 1, 2, 2))
    model = maps(resnet50, 16)
    out = model(np.zeros((1, *size, 3), np.uint8))
    assert out[8].shape == (1, *second, 512)
    assert out[16].shape == (1, *last, 1024)
    assert out[32].shape == (1, *last, 2048)
    assert model.get_layer("layer3_0_conv1").strides == model.get_layer("layer3_0_downsample").strides == 2
    dilations = [model.get_layer(name).dilation_rate for name in ("layer3_1_conv2", "layer4_0_conv2")]
    assert dilations == [1, 2]


def test_resnet101_has_23_blocks_in_its_third_stage():
    assert resnet101.BLOCKS == (3, 4, 23, 3) and resnet50.BLOCKS == (3, 4, 6, 3)


@pytest.mark.parametrize(("output_stride", "strides"), [(8, [4, 8, 8, 8]), (16, [4, 8, 16, 16])])
def test_stages_say_what_they_are(output_stride, strides):
    features = compact.build(keras.Input((None, None, 3)), output_stride, BACKBONE)
    assert list(features.stages) == [4, 8, 16, 32] and features.padded is None
    assert [stage.name for stage in features.stages.values()] == ["layer1", "layer2", "layer3", "layer4"]
    assert [stage.stride for stage in features.stages.values()] == strides


@pytest.mark.parametrize("output_stride", [8, 16])
@pytest.mark.parametrize("pixels", [31, 32, 33, 96, 97, 321])
def test_map_size_is_that_of_the_maps(pixels, output_stride):
    out = maps(compact, output_stride, BACKBONE)(np.zeros((1, pixels, 32, 3), np.uint8))
    assert out[32].shape[1] == _resnet.map_size(pixels, output_stride)


def test_compact_widths_and_depth():
    model = maps(compact, 8, compact.Config(8, (1, 1, 2, 1)))
    out = model(np.zeros((1, 97, 64, 3), np.uint8))
    assert {stride: tuple(one.shape) for stride, one in out.items()} == {
        4: (1, 25, 17, 8),
        8: (1, 13, 9, 16),
        16: (1, 13, 9, 32),
        32: (1, 13, 9, 32),
    }
    assert model.get_layer("layer3_1_conv2").dilation_rate == (2, 2)
    assert model.get_layer("layer4_0_conv1").dilation_rate == (4, 4)


def test_compact_treats_images_separately():
    model = maps(compact, 8, compact.Config(8))
    batch = np.random.default_rng(0).uniform(0, 255, (3, 32, 40, 3)).astype("float32")
    whole, alone = model(batch, training=True), model(batch[1:2], training=True)
    np.testing.assert_allclose(whole[32][1:2], alone[32], atol=1e-4)


def test_compact_has_four_stages():
    with pytest.raises(UserError, match=r"blocks=\(1, 1, 1\); expected the blocks of four stages"):
        maps(compact, 8, compact.Config(8, (1, 1, 1)))
