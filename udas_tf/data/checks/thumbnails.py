"""Small grey copies of images and difference hashes, by which images are found that are the same or nearly so.

The difference hash of an image has 64 signs: whether the cells of its copy of 8 by 9 are lighter or darker than those
on their left, or neither. Hardly a sign turns around when an image is encoded again or resized.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import cv2
import numpy as np

CELLS = (8, 9)  # rows, columns
LOOK = (18, 32)  # rows, columns of the copies that are compared cell by cell
CLEAR = 1.0  # grey levels by which a cell is lighter or darker
FLAT = 4.0  # grey levels of deviation below which a copy says nothing


@dataclasses.dataclass(frozen=True)
class Thumbnails:
    """Some images of a set.

    Attributes:
      names: of the images.
      hashes: their difference hashes, int8 [N, 64].
      looks: their grey copies, float32 [N, LOOK], 0..255.
    """

    names: Sequence[str]
    hashes: np.ndarray
    looks: np.ndarray

    @classmethod
    def of(cls, images: Sequence[tuple[str, np.ndarray]]) -> Thumbnails:
        """Those of names and small grey copies, as `look` makes them."""
        looks = np.array([copy for _, copy in images], np.float32).reshape(-1, *LOOK)
        return cls([name for name, _ in images], np.array([difference_hash(copy) for copy in looks], np.int8), looks)

    @property
    def contrasts(self) -> np.ndarray:
        """Deviation of each copy, [N], grey levels. Below FLAT, copies are alike without being the same."""
        return self.looks.std(axis=(1, 2))

    def __len__(self) -> int:
        return len(self.names)


def look(image: np.ndarray) -> np.ndarray:
    """The small grey copy of an image, uint8 RGB [H, W, 3]: float32 [LOOK], each cell the mean of what it covers."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return _reduced(grey, LOOK).astype(np.float32)


def difference_hash(grey: np.ndarray) -> np.ndarray:
    """int8 [64] of a grey image [H, W]: 1 where a cell is lighter than that on its left, -1 darker, 0 neither."""
    rise = np.diff(_reduced(grey.astype(np.float32), CELLS), axis=1).ravel()
    return (rise > CLEAR).astype(np.int8) - (rise < -CLEAR).astype(np.int8)


def differences(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Mean absolute difference of grey copies [..., LOOK], grey levels."""
    return np.abs(one - other).mean(axis=(-2, -1))


def _reduced(grey: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return cv2.resize(grey, size[::-1], interpolation=cv2.INTER_AREA)
