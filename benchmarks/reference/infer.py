"""Classes and confidences of one image in PyTorch: eager, with the batch norms folded away, and compiled."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.reference import networks, settings
from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, timed
from udas_tf.bench.workloads import Scale


def measure(scale: Scale, directory: Path, precision: str, mode: str) -> Measured:
    settings.prepare()
    network = networks.DeepLab(scale.backbone, scale.width).eval()
    if mode != "eager":
        fold(network)
    network = settings.channels_last(network)
    predict = settings.compiled(network.predict, mode)
    pictures = fixtures.pictures(1, scale.size)

    def call():
        images = torch.from_numpy(pictures).to(settings.DEVICE).permute(0, 3, 1, 2).float()
        classes, confidence = predict(images)
        return classes.cpu().numpy(), confidence.cpu().numpy()

    with torch.inference_mode(), settings.autocast(precision):
        seconds = timed(call, 1, scale.seconds)
    return Measured(seconds, {}, settings.peak_memory())


def fold(network: nn.Module) -> None:
    """Folds each batch norm into the convolution before it."""
    for parent in network.modules():
        if isinstance(parent, nn.Sequential):
            for index, (one, following) in enumerate(itertools.pairwise(parent)):
                if isinstance(one, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                    parent[index], parent[index + 1] = fuse_conv_bn_eval(one, following), nn.Identity()
