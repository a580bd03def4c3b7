"""What a record is made of: a sample in memory, or the reason why there is none."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

NEAREST_COLOURS = "nearest_colours"  # in a provenance: pixels of the label whose colour no class has


@dataclasses.dataclass(frozen=True)
class Sample:
    """One record in memory.

    Attributes:
      id: name of the image within its data set.
      image: uint8 RGB [H, W, 3].
      label: uint8 train ids [H, W], 255 = ignored; None without a label.
      confidence: uint8 [H, W], round(255 * probability of the label); None except in pseudo-labels.
      provenance: JSON-serialisable description of where image and label come from.
    """

    id: str
    image: np.ndarray
    label: np.ndarray | None = None
    confidence: np.ndarray | None = None
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Skipped:
    """What stands in the place of a sample that could not be made.

    Attributes:
      path: of the file that is to blame.
      reason: in words, without the path.
    """

    path: str
    reason: str


def path_text(path: Path) -> str:
    """A path as text that JSON can hold; bytes that are no UTF-8 become escapes such as \\xe9."""
    return os.fsencode(path).decode(errors="backslashreplace")
