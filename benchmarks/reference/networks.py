"""The networks in PyTorch: DeepLab v2 with two classifiers, its discriminators, CycleGAN's two."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import interpolate

CLASSES = 19
MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, stride: int, dilation: int, project: bool):
        super().__init__()
        self.body = nn.Sequential(
            *_conv_norm(channels, width, 1, stride=stride),
            nn.ReLU(inplace=True),
            *_conv_norm(width, width, 3, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
            *_conv_norm(width, 4 * width, 1),
        )
        self.shortcut = nn.Sequential(*_conv_norm(channels, 4 * width, 1, stride=stride)) if project else nn.Identity()

    def forward(self, x):
        return torch.relu_(self.body(x) + self.shortcut(x))


class BasicBlock(nn.Module):
    """Of the compact backbone, which only the tests of the benchmarks take."""

    def __init__(self, channels: int, width: int, stride: int, dilation: int, project: bool):
        super().__init__()
        self.body = nn.Sequential(
            *_conv_norm(channels, width, 3, stride=stride, padding=dilation, dilation=dilation),
            nn.ReLU(inplace=True),
            *_conv_norm(width, width, 3, padding=dilation, dilation=dilation),
        )
        self.shortcut = nn.Sequential(*_conv_norm(channels, width, 1, stride=stride)) if project else nn.Identity()

    def forward(self, x):
        return torch.relu_(self.body(x) + self.shortcut(x))


class DeepLab(nn.Module):
    """AdaptSegNet's network with all four dilations in both classifiers; images RGB in 0..255, [B, 3, H, W]."""

    def __init__(self, backbone: str, width: int):
        super().__init__()
        stem, block, grow, widths, counts = {
            "resnet101": (64, Bottleneck, 4, (64, 128, 256, 512), (3, 4, 23, 3)),
            "compact": (width, BasicBlock, 1, (width, 2 * width, 4 * width, 4 * width), (2, 2, 2, 2)),
        }[backbone]
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1))
        self.stem = nn.Sequential(
            *_conv_norm(3, stem, 7, stride=2, padding=3),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
        )
        channels, self.stages = stem, nn.ModuleList()
        for filters, count, stride, dilation in zip(widths, counts, (1, 2, 1, 1), (1, 1, 2, 4), strict=True):
            blocks = []
            for index in range(count):
                blocks.append(block(channels, filters, stride if index == 0 else 1, dilation, index == 0))
                channels = grow * filters
            self.stages.append(nn.Sequential(*blocks))
        self.classifiers = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(inputs, CLASSES, 3, padding=rate, dilation=rate) for rate in (6, 12, 18, 24))
            for inputs in (grow * widths[3], grow * widths[2])
        )

    def features(self, images):
        x = self.stem(images.flip(1) - self.mean)
        x = self.stages[2](self.stages[1](self.stages[0](x)))
        return self.stages[3](x), x

    def forward(self, images):
        """Logits of the primary and of the auxiliary classifier, at an eighth of the size."""
        read = zip(self.classifiers, self.features(images), strict=True)
        return tuple(sum(branch(features) for branch in branches) for branches, features in read)

    def predict(self, images):
        """Classes uint8 and confidences, at the images' size, of the primary classifier alone."""
        features, _ = self.features(images)
        logits = sum(branch(features) for branch in self.classifiers[0])
        confidence, classes = upsample(logits, images.shape[2:]).softmax(1).max(1)
        return classes.to(torch.uint8), confidence

    def freeze_norms(self):
        """Batch norms that normalise with fixed numbers and learn nothing, as AdaptSegNet's."""
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval().requires_grad_(False)
        return self


def upsample(logits, size):
    return interpolate(logits.float(), size, mode="bilinear", align_corners=True)


def segmentation_discriminator(width: int) -> nn.Sequential:
    """AdaptSegNet's FCDiscriminator."""
    channels, layers = CLASSES, []
    for factor in (1, 2, 4, 8):
        layers += [nn.Conv2d(channels, factor * width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        channels = factor * width
    return nn.Sequential(*layers, nn.Conv2d(channels, 1, 4, 2, 1))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        conv = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        again = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        self.body = nn.Sequential(*conv, nn.ReLU(inplace=True), *again)

    def forward(self, x):
        return x + self.body(x)


def generator(width: int, blocks: int) -> nn.Sequential:
    """CycleGAN's ResNet generator, on images in [-1, 1]."""
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(3, width, 7), nn.InstanceNorm2d(width), nn.ReLU(inplace=True)]
    for factor in (1, 2):
        layers += [
            nn.Conv2d(factor * width, 2 * factor * width, 3, 2, 1),
            nn.InstanceNorm2d(2 * factor * width),
        ]
        layers.append(nn.ReLU(inplace=True))
    layers += [ResidualBlock(4 * width) for _ in range(blocks)]
    for factor in (4, 2):
        layers.append(nn.ConvTranspose2d(factor * width, factor * width // 2, 3, 2, 1, output_padding=1))
        layers += [nn.InstanceNorm2d(factor * width // 2), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


def patch_gan(width: int) -> nn.Sequential:
    """CycleGAN's 70x70 discriminator, on images in [-1, 1]."""
    layers = [nn.Conv2d(3, width, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
    for channels, filters, stride in (
        (width, 2 * width, 2),
        (2 * width, 4 * width, 2),
        (4 * width, 8 * width, 1),
    ):
        layers += [nn.Conv2d(channels, filters, 4, stride, 1), nn.InstanceNorm2d(filters)]
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return nn.Sequential(*layers, nn.Conv2d(8 * width, 1, 4, 1, 1))


def _conv_norm(channels: int, filters: int, kernel: int, **options) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(channels, filters, kernel, bias=False, **options), nn.BatchNorm2d(filters)
