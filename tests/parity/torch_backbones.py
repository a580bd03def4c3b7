"""EfficientNet-Lite0 and torchvision's ResNet-50 in PyTorch, written anew, and tensors of every kind in a file."""

import torch
import torch_networks
from torch import nn
from torch.nn import functional

# --- every format PyTorch writes ----------------------------------------------------------------------------


def save_every_kind(path, zipped):
    """Saves tensors of every kind as {"epoch", "state_dict": {"module.NAME": tensor}}; returns their values by name,
    bfloat16 as float32."""
    base = torch.arange(24.0).reshape(4, 6)
    state = {
        "transposed": base.t(), "part": base[1:, 2:], "scalar": base[1, 3], "expanded": base[0].expand(3, 6),
        "parameter": nn.Parameter(base[2]), "half": base.half(), "bfloat16": base.bfloat16() * 1.5,
        "double": base.double(), "long": base.long(), "bool": base > 3, "empty": torch.zeros(0, 3),
    }  # fmt: skip
    saved = {"epoch": 3, "state_dict": {f"module.{name}": value for name, value in state.items()}}
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    values = {name: value.detach() for name, value in state.items()}
    return {name: (value.float() if value.dtype == torch.bfloat16 else value).numpy() for name, value in values.items()}


# --- EfficientNet-Lite0 -------------------------------------------------------------------------------------


def efficientnet(weights, output_stride, images):
    """Features of the network with the weights of a file, for an NHWC batch that is extended already."""
    module = EfficientNetLite0(output_stride)
    module.load_state_dict(torch.load(weights, weights_only=True))
    return torch_networks.outputs(module.eval(), (images - 127) / 128)


def random_efficientnet(path, zipped, output_stride, images):
    """The same with random weights, which are saved."""
    module = _randomised(EfficientNetLite0(output_stride))
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    return torch_networks.outputs(module, (images - 127) / 128)


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
        self._depthwise_conv = SameConv(width, width, kernel, stride, groups=width, dilation=dilation, bias=False)
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

    def __init__(self, output_stride):
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2, bias=False)
        self._bn0 = lite_norm(32)
        self._blocks = nn.ModuleList()
        dilation = 1
        for index, (inputs, outputs, kernel, stride, expansion) in enumerate(BLOCKS):
            unstrided = index in UNSTRIDED[output_stride]
            self._blocks.append(MBConv(inputs, outputs, kernel, 1 if unstrided else stride, expansion, dilation))
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


# --- torchvision's ResNet-50 --------------------------------------------------------------------------------


def random_resnet_50(path, zipped, images):
    """Features of the network with the strides where ours has them and random weights, which are saved.

    Args:
      images: torchvision's inputs, NHWC, with three pixels around them in place of the first convolution's padding.
    """
    module = torch_networks.Segmenter(torch_networks.BLOCKS["resnet50"], nn.Identity(), nn.Identity(), False)
    module.fc = nn.Linear(2048, 1000)
    torch.save(_randomised(module).state_dict(), path, _use_new_zipfile_serialization=zipped)
    module.conv1.padding = (0, 0)
    return torch_networks.outputs(module, images)


def _randomised(module, seed=0):
    """The module with weights that keep the features' size and statistics that matter, in evaluation mode."""
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
