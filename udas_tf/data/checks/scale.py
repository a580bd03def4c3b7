"""Whether objects of one class have one size, in pixels of the records, in source and target.

The extent of a class in an image is the mean length of its runs of pixels, in rows and in columns (geometric mean).
Cameras of another field of view, crops and other proportions change all classes by one factor; chance and other scenes
change single classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from udas_tf.data.gap.findings import Finding

FACTOR = 1.6  # of the median class: what random scales of 1.0 to 1.5 do not bridge
LEAST_CLASSES = 4  # that both domains show
FEW_IMAGES = 5  # of each domain that show a class
SAME_WAY = 0.75  # of the classes that differ in the direction of the median


class Extents:
    """Sees some labels of a domain."""

    def __init__(self, classes: Sequence[str]) -> None:
        self._seen: dict[str, list[float]] = {name: [] for name in classes}

    def see(self, label: np.ndarray) -> None:
        """A label, uint8 train ids [H, W]."""
        for seen, extent in zip(self._seen.values(), extents(label, len(self._seen)), strict=True):
            if extent > 0:
                seen.append(float(extent))

    @property
    def medians(self) -> dict[str, float]:
        """Median extent, pixels, of the classes that enough images show."""
        return {name: float(np.median(seen)) for name, seen in self._seen.items() if len(seen) >= FEW_IMAGES}


def extents(label: np.ndarray, classes: int) -> np.ndarray:
    """Mean length of the runs of each class, float [classes], pixels; 0 for those that the label does not show."""
    pixels = np.bincount(label.ravel(), minlength=256)
    in_rows, in_columns = _runs(label), _runs(label.T)
    return (pixels / np.sqrt(np.maximum(in_rows * in_columns, 1)))[:classes]


def findings(source: Extents, target: Extents) -> list[Finding]:
    """A warning where nearly all classes are larger, by a factor, in one of the domains."""
    here, there = source.medians, target.medians
    factors = {name: math.log(there[name] / here[name]) for name in here.keys() & there.keys()}
    if len(factors) < LEAST_CLASSES:
        return []
    median = float(np.median(list(factors.values())))
    same_way = sum(value * median > 0 for value in factors.values()) / len(factors)
    if abs(median) < math.log(FACTOR) or same_way < SAME_WAY:
        return []
    name = min(factors, key=lambda name: (abs(factors[name] - median), name))
    larger = "larger" if median > 0 else "smaller"
    return [
        Finding(
            "scale",
            f"objects are {math.exp(abs(median)):.1f} times {larger} in the target's records than in the source's, "
            f"such as {name}: {here[name]:.0f} pixels in the source, {there[name]:.0f} in the target",
            "let the simulator's camera have the target's field of view, or cut the originals so; less is bridged by "
            "source.scale_range and uda.scale_range",
        )
    ]


def _runs(label: np.ndarray) -> np.ndarray:
    """float [256]: how many runs of each value the rows of a label have."""
    starts = np.ones(label.shape, bool)
    starts[:, 1:] = label[:, 1:] != label[:, :-1]
    return np.bincount(label[starts], minlength=256).astype(float)
