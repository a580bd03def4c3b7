"""What the PyTorch references share: precision, memory format, compilation."""

from __future__ import annotations

import os

import torch
from torch import nn


def prepare() -> None:
    """All cores that this process may use."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)


def autocast(precision: str):
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")


def channels_last(network: nn.Module) -> nn.Module:
    return network.to(memory_format=torch.channels_last)


def images(batch: int, size: tuple[int, int], classes: int = 3) -> torch.Tensor:
    """float32 [batch, 3, height, width] in 0..255, channels last."""
    drawn = torch.rand(batch, classes, *size).mul_(256).floor_()
    return drawn.contiguous(memory_format=torch.channels_last)


def compiled(function, mode: str):
    """`function`, or with mode "compiled" what torch.compile makes of it."""
    return torch.compile(function) if mode == "compiled" else function
