"""Products of matrices by PyTorch."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.reference import settings
from udas_tf.bench.measuring import timed
from udas_tf.bench.workloads import Scale

SIDE = 8_192 if settings.DEVICE == "cuda" else 2_048
SECONDS = 2.0


def measure(scale: Scale, directory: Path) -> dict[str, float]:
    """Operations a second by dtype: the best of several times."""
    settings.prepare()
    found = {}
    for name in ("float32", "bfloat16"):
        matrix = torch.randn(SIDE, SIDE, device=settings.DEVICE).to(getattr(torch, name))
        found[name] = 2 * SIDE**3 / min(timed(lambda matrix=matrix: (matrix @ matrix)[0, 0].item(), 1, SECONDS))
    return found
