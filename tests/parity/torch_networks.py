"""The reference networks in PyTorch: the originals' structure and parameter names, written anew for comparison.

AdaptSegNet (model/deeplab_multi.py, model/discriminator.py), Seg-Uncertainty (model/deeplab_multi.py,
model/ms_discriminator.py) and pytorch-CycleGAN (models/networks.py). Inputs are what the originals feed them.
"""

import numpy as np
import torch
from torch import cat, nn

ASPP_RATES = (6, 12, 18, 24)
BLOCKS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}


def drawn(path, inputs, network, *arguments):
    """Draws the parameters of a network of this module, and saves them.

    Args:
      path: of the .pth file.
      inputs: [B, H, W, channels].
      network: name of its class or function.
      *arguments: of it.

    Returns:
      Its outputs for the inputs, NHWC arrays in the lists and dictionaries in which it returns them.
    """
    reference = globals()[network](*arguments)
    _draw(reference)
    torch.save(reference.state_dict(), path)
    return outputs(reference.eval(), inputs)


@torch.no_grad()
def outputs(module, inputs):
    """A module's outputs for an NHWC batch, NHWC arrays in the lists and dictionaries in which it returns them."""
    return _channels_last(module(torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2), np.float32))))


def _channels_last(maps):
    if isinstance(maps, dict):
        return {name: _channels_last(part) for name, part in maps.items()}
    if isinstance(maps, list):
        return [_channels_last(part) for part in maps]
    return maps.permute(0, 2, 3, 1).numpy()


@torch.no_grad()
def _draw(reference):
    """Weights that keep activations in range, and norms that are far from doing nothing."""
    generator = torch.Generator().manual_seed(0)
    for module in reference.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
        elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            module.weight.uniform_(0.3, 0.9, generator=generator)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.3, 3, generator=generator)
        if getattr(module, "bias", None) is not None:
            module.bias.normal_(0, 0.3, generator=generator)


# --- segmenters ---------------------------------------------------------------------------------------------


class Bottleneck(nn.Module):
    def __init__(self, channels, width, stride, dilation, project):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.relu = nn.ReLU()
        self.downsample = None
        if project:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x):
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)) + (self.downsample(x) if self.downsample else x))


class Summed(nn.Module):
    """AdaptSegNet's classifier. It holds a convolution for each of four rates; `used` of them are summed."""

    def __init__(self, channels, classes, used):
        super().__init__()
        self.used = used
        self.conv2d_list = nn.ModuleList(
            nn.Conv2d(channels, classes, 3, padding=rate, dilation=rate) for rate in ASPP_RATES
        )

    def forward(self, x):
        return sum(convolution(x) for convolution in self.conv2d_list[: self.used])


class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.se = nn.Sequential(
            nn.Linear(channels, channels // 16), nn.ReLU(), nn.Linear(channels // 16, channels), nn.Sigmoid()
        )

    def forward(self, x):
        return x * self.se(x.mean((2, 3)))[:, :, None, None]


class Concatenated(nn.Module):
    """Seg-Uncertainty's classifier, with group norm."""

    def __init__(self, channels, classes, squeeze_excite):
        super().__init__()
        self.conv2d_list = nn.ModuleList([self.branch(channels, 1, 1, 0)])
        self.conv2d_list.extend(self.branch(channels, 3, rate, rate) for rate in ASPP_RATES)
        parts = [nn.Conv2d(5 * 256, 512, 3, padding=1), nn.GroupNorm(32, 512)]
        self.bottleneck = nn.Sequential(*([SqueezeExcite(5 * 256)] if squeeze_excite else []), *parts)
        self.head = nn.Sequential(nn.Dropout2d(0.1), nn.Conv2d(512, classes, 1, bias=False))

    @staticmethod
    def branch(channels, kernel, dilation, padding):
        convolution = nn.Conv2d(channels, 256, kernel, padding=padding, dilation=dilation)
        return nn.Sequential(convolution, nn.GroupNorm(32, 256), nn.ReLU())

    def forward(self, x):
        return self.head(self.bottleneck(cat([branch(x) for branch in self.conv2d_list], 1)))


class Segmenter(nn.Module):
    """Input: BGR less its mean, [batch, 3, height, width]; output: by level."""

    def __init__(self, blocks, auxiliary, primary, both_stages):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, padding=1, ceil_mode=True)
        channels = 64
        for number, (count, stride, dilation) in enumerate(
            zip(blocks, (1, 2, 1, 1), (1, 1, 2, 4), strict=True), start=1
        ):
            width = 32 * 2**number
            stage = [Bottleneck(channels, width, stride, dilation, True)]
            stage += [Bottleneck(4 * width, width, 1, dilation, False) for _ in range(count - 1)]
            setattr(self, f"layer{number}", nn.Sequential(*stage))
            channels = 4 * width
        self.layer5, self.layer6 = auxiliary, primary
        self.both_stages = both_stages

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        third = self.layer3(self.layer2(self.layer1(x)))
        fourth = self.layer4(third)
        read = cat([fourth, third], 1) if self.both_stages else fourth
        return {"auxiliary": self.layer5(third), "primary": self.layer6(read)}


def deeplab_v2(backbone, classes, used):
    return Segmenter(BLOCKS[backbone], Summed(1024, classes, used), Summed(2048, classes, used), False)


def seg_uncertainty(backbone, classes, squeeze_excite):
    heads = (Concatenated(channels, classes, squeeze_excite) for channels in (1024, 3072))
    return Segmenter(BLOCKS[backbone], *heads, True)


# --- discriminators of segmentations ------------------------------------------------------------------------


class FCDiscriminator(nn.Module):
    def __init__(self, classes, width=64):
        super().__init__()
        channels = (classes, width, 2 * width, 4 * width, 8 * width)
        for number in range(4):
            setattr(self, f"conv{number + 1}", nn.Conv2d(*channels[number : number + 2], 4, 2, padding=1))
        self.classifier = nn.Conv2d(8 * width, 1, 4, 2, padding=1)
        self.leaky_relu = nn.LeakyReLU(0.2)

    def forward(self, x):
        for number in range(1, 5):
            x = self.leaky_relu(getattr(self, f"conv{number}")(x))
        return [self.classifier(x)]


class ConvBlock(nn.Module):
    def __init__(self, channels, filters, stride, activation=True):
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, stride, padding=1)
        self.activation = nn.LeakyReLU(0.2) if activation else nn.Identity()

    def forward(self, x):
        return self.activation(self.conv(x))


class ResBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.model = nn.Sequential(ConvBlock(channels, channels, 1), ConvBlock(channels, channels, 1, False))

    def forward(self, x):
        return x + self.model(x)


class MsImageDis(nn.Module):
    def __init__(self, classes, width=32, scales=3):
        super().__init__()
        self.downsample = nn.AvgPool2d(3, 2, padding=1, count_include_pad=False)
        self.cnns = nn.ModuleList(self.one_scale(classes, width) for _ in range(scales))

    @staticmethod
    def one_scale(classes, width):
        channels = (classes, width, width, width, width, 2 * width)
        blocks = [ConvBlock(*channels[i : i + 2], 2 if i % 2 == 0 else 1) for i in range(5)]
        blocks += [ResBlock(2 * width) for _ in range(4)]
        return nn.Sequential(*blocks, nn.Conv2d(2 * width, 1, 1))

    def forward(self, x):
        scores = []
        for network in self.cnns:
            scores.append(network(x))
            x = self.downsample(x)
        return scores


# --- CycleGAN -----------------------------------------------------------------------------------------------


class ResnetBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        parts = []
        for activation in ([nn.ReLU()], []):
            parts += [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3)]
            parts += [nn.InstanceNorm2d(channels), *activation]
        self.conv_block = nn.Sequential(*parts)

    def forward(self, x):
        return x + self.conv_block(x)


class ResnetGenerator(nn.Module):
    """Input and output in [-1, 1]."""

    def __init__(self, width=64, blocks=9):
        super().__init__()
        parts = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU()]
        for channels in (width, 2 * width):
            parts += [nn.Conv2d(channels, 2 * channels, 3, 2, padding=1)]
            parts += [nn.InstanceNorm2d(2 * channels), nn.ReLU()]
        parts += [ResnetBlock(4 * width) for _ in range(blocks)]
        for channels in (4 * width, 2 * width):
            parts += [nn.ConvTranspose2d(channels, channels // 2, 3, 2, padding=1, output_padding=1)]
            parts += [nn.InstanceNorm2d(channels // 2), nn.ReLU()]
        self.model = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())

    def forward(self, x):
        return self.model(x)


class NLayerDiscriminator(nn.Module):
    """Input in [-1, 1]."""

    def __init__(self, width=64, layers=3):
        super().__init__()
        parts = [nn.Conv2d(3, width, 4, 2, padding=1), nn.LeakyReLU(0.2)]
        for number in range(1, layers + 1):
            channels, filters = (width * min(2**n, 8) for n in (number - 1, number))
            parts += [nn.Conv2d(channels, filters, 4, 1 if number == layers else 2, padding=1)]
            parts += [nn.InstanceNorm2d(filters), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*parts, nn.Conv2d(width * min(2**layers, 8), 1, 4, padding=1))

    def forward(self, x):
        return [self.model(x)]
