"""How an image of one size goes into a picture of another: squeezed, cropped or letterboxed, and back."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from PIL import Image

from udas_tf.taxonomy import IGNORE

# squeeze: both sides are resized on their own, so that proportions change.
# crop: proportions are kept; what is too long on one side is cut off, the same amount at both ends.
# letterbox: proportions are kept; the whole image lies in the middle, between two bars.
Fit = Literal["squeeze", "crop", "letterbox"]
FITS: tuple[Fit, ...] = ("squeeze", "crop", "letterbox")
BAR = (124, 117, 104)  # colour of the bars: ImageNet's mean, near 0 for a network that subtracts it

Box = tuple[int, int, int, int]  # top, left, bottom, right; the last two are outside, as in slices


@dataclasses.dataclass(frozen=True)
class Placement:
    """Which part of an image lies where in a picture of another size.

    Attributes:
      original: (height, width) of the image, upright.
      size: (height, width) of the picture.
      kept: the part of the image that the picture shows.
      filled: the part of the picture that it covers; bars are around it.
    """

    original: tuple[int, int]
    size: tuple[int, int]
    kept: Box
    filled: Box

    def resized(self, image: Image.Image, resample: Image.Resampling) -> Image.Image:
        """The kept part at the size of the filled one.

        Args:
          image: the image, of its original size or, decoded smaller, of the same proportions.
          resample: Pillow's filter.
        """
        top, left, bottom, right = self.kept
        down, across = image.height / self.original[0], image.width / self.original[1]
        box = (left * across, top * down, right * across, bottom * down)
        return image.resize(lengths(self.filled)[::-1], resample, None if self._keeps_all else box)

    def framed(self, part: np.ndarray, bar: int | tuple[int, ...]) -> np.ndarray:
        """A whole picture, [*size, ...], of what `resized` made and of bars."""
        if part.shape[:2] == self.size:
            return part
        picture = np.empty((*self.size, *part.shape[2:]), part.dtype)
        picture[:] = bar
        top, left, bottom, right = self.filled
        picture[top:bottom, left:right] = part
        return picture

    def label(self, ids: np.ndarray) -> np.ndarray:
        """A label of the image as one of the picture, by nearest neighbours; bars are ignored.

        uint8 [*original] -> uint8 [*size].
        """
        part = np.asarray(self.resized(Image.fromarray(ids), Image.Resampling.NEAREST))
        return self.framed(part, IGNORE)

    def undo(self, ids: np.ndarray) -> np.ndarray:
        """A label of the picture as one of the image, by nearest neighbours; what was cropped off is ignored.

        uint8 [*size] -> uint8 [*original].
        """
        top, left, bottom, right = self.filled
        part = Image.fromarray(np.ascontiguousarray(ids[top:bottom, left:right]))
        whole = np.full(self.original, IGNORE, np.uint8)
        top, left, bottom, right = self.kept
        whole[top:bottom, left:right] = np.asarray(part.resize(lengths(self.kept)[::-1], Image.Resampling.NEAREST))
        return whole

    @property
    def _keeps_all(self) -> bool:
        return lengths(self.kept) == self.original


def place(original: tuple[int, int], size: tuple[int, int], fit: Fit = "squeeze") -> Placement:
    """Where an image of (height, width) `original` lies in a picture of (height, width) `size`."""
    kept, filled = (0, 0, *original), (0, 0, *size)
    if fit == "crop":
        kept = _within(original, size)
    elif fit == "letterbox":
        filled = _within(size, original)
    return Placement(original, size, kept, filled)


def lengths(box: Box) -> tuple[int, int]:
    """(height, width) of a box."""
    top, left, bottom, right = box
    return bottom - top, right - left


def _within(outer: tuple[int, int], proportions: tuple[int, int]) -> Box:
    """The largest box of these proportions in the middle of `outer`, in whole pixels."""
    scale = min(outer[0] / proportions[0], outer[1] / proportions[1])
    # The same whole margin at both ends: an image that is turned upright has the box of the upright one.
    margins = [
        min(round((whole - part * scale) / 2), (whole - 1) // 2) for whole, part in zip(outer, proportions, strict=True)
    ]
    top, left = margins
    return top, left, outer[0] - top, outer[1] - left
