"""What the PyTorch references share: device, precision, memory format, compilation."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from torch import nn

from udas_tf.bench import measuring

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def prepare() -> None:
    """All cores that this process may use; on a GPU the quickest of cuDNN's kernels, and TF32 as in TensorFlow."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.manual_seed(0)
    if DEVICE == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.set_float32_matmul_precision("high")


def autocast(precision: str):
    return torch.autocast(DEVICE, torch.bfloat16, enabled=precision == "bfloat16")


def channels_last(network: nn.Module) -> nn.Module:
    """`network` on the device."""
    return network.to(DEVICE, memory_format=torch.channels_last)


def peak_memory() -> int:
    """Bytes this process ever held: of the GPU's memory where there is one."""
    return torch.cuda.max_memory_allocated() if DEVICE == "cuda" else measuring.peak_memory()


def timed_steps(step: Callable[[], tuple[torch.Tensor, ...]], least_seconds: float) -> list[float]:
    """Seconds of a training step, which returns its losses."""
    return measuring.timed_steps(step, lambda losses: [one.item() for one in losses], DEVICE == "cuda", least_seconds)


def images(batch: int, size: tuple[int, int], classes: int = 3) -> torch.Tensor:
    """float32 [batch, 3, height, width] in 0..255, channels last, on the device."""
    drawn = torch.rand(batch, classes, *size, device=DEVICE).mul_(256).floor_()
    return drawn.contiguous(memory_format=torch.channels_last)


def compiled(function, mode: str):
    """`function`, or with mode "compiled" what torch.compile makes of it."""
    return torch.compile(function) if mode == "compiled" else function
