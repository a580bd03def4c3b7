"""Polygons and run lengths, as annotation files write them, drawn as masks.

A point (x, y) is measured from the upper left corner of the image, so that the centre of its first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from udas_tf.errors import UserError


def segmentation(value: object, size: tuple[int, int]) -> np.ndarray:
    """The mask of a "segmentation" of a COCO file: the union of polygons, or run lengths.

    Args:
      value: a list of polygons, each as for `polygon`, or a mapping as for `run_lengths`.
      size: (height, width) of the image.

    Returns:
      bool [height, width].

    Raises:
      ValueError: it is neither, or is not well formed.
      UserError: as for `run_lengths`.
    """
    if isinstance(value, Mapping):
        return run_lengths(value, size)
    if not isinstance(value, list) or not value:
        raise ValueError("a segmentation is neither polygons nor run lengths")
    return np.logical_or.reduce([polygon(points, size) for points in value])


def polygon(points: Sequence[float], size: tuple[int, int]) -> np.ndarray:
    """The pixels whose centres lie in a polygon; where it crosses itself, those that an odd number of turns encloses.

    Args:
      points: x, y, x, y, ...; three points at least, which may lie outside the image.
      size: (height, width) of the image.

    Returns:
      bool [height, width].

    Raises:
      ValueError: these are not the coordinates of three points or more.
    """
    corners = np.asarray(points, np.float64)
    if corners.ndim != 1 or corners.size < 6 or corners.size % 2 or not np.isfinite(corners).all():
        raise ValueError(f"a polygon has {corners.size} coordinates; expected x, y of three points or more")
    height, width = size
    x, y = corners.reshape(-1, 2).T
    to_x, to_y = np.roll(x, -1), np.roll(y, -1)
    centres = np.arange(height)[:, None] + 0.5
    # Edges cross a row of pixels at its centres. Each crossing turns inside to outside for all pixels right of it.
    rows, edges = np.nonzero((y <= centres) != (to_y <= centres))
    slopes = (to_x[edges] - x[edges]) / (to_y[edges] - y[edges])
    crossings = x[edges] + slopes * (centres[rows, 0] - y[edges])
    columns = np.clip(np.ceil(crossings - 0.5), 0, width).astype(np.intp)
    turns = np.zeros((height, width + 1), np.int32)
    np.add.at(turns, (rows, columns), 1)
    return np.cumsum(turns, axis=1)[:, :width] % 2 == 1


def run_lengths(value: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The mask that run lengths of COCO describe: columns from top to bottom, alternately outside and inside.

    Args:
      value: "size" [height, width] and "counts", a list of lengths that starts outside, or the text of a compressed
        list.
      size: (height, width) of the image.

    Returns:
      bool [height, width].

    Raises:
      ValueError: the lengths are of an image of another size.
      UserError: the list is compressed, and pycocotools is not installed.
    """
    height, width = size
    if list(value.get("size", ())) != [height, width]:
        raise ValueError(f"run lengths are of size {value.get('size')}; expected {[height, width]}")
    counts = value.get("counts")
    if isinstance(counts, str | bytes):
        return _decompressed(counts, size)
    if not isinstance(counts, list) or sum(counts) != height * width or min(counts) < 0:
        raise ValueError(f"run lengths do not add up to {height} x {width} pixels")
    inside = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return inside.reshape(width, height).T


def _decompressed(counts: str | bytes, size: tuple[int, int]) -> np.ndarray:
    try:
        from pycocotools import mask  # an extra: the compression is of its own
    except ImportError as error:
        raise UserError(
            "compressed run lengths of COCO need pycocotools; install it with `pip install 'udas_tf[coco]'`"
        ) from error
    text = counts.encode() if isinstance(counts, str) else counts
    return np.asarray(mask.decode({"size": list(size), "counts": text})).astype(bool)
