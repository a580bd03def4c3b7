"""What one domain's images and labels show: class shares, the places of classes, appearance, sizes.

A `Collector` sees images and labels one at a time and keeps some hundred numbers of each. Which labels it may
be shown is its caller's to guard (`records.read`).

Rows and columns are fractions of the image's height from its top and of its width from its left. Colours are
CIE L*a*b* (D65): L* 0..100, a* from green to red, b* from blue to yellow; a distance of 2.3 is just seen.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Sequence

import cv2
import numpy as np

from udas_tf.taxonomy import IGNORE

GRID = (8, 16)  # rows, columns of the map of a class
APPEARANCE = {
    "lightness": "lightness, mean L*",
    "green_red": "green to red, mean a*",
    "blue_yellow": "blue to yellow, mean b*",
    "contrast": "contrast, deviation of L*",
    "green_red_deviation": "deviation of a*",
    "blue_yellow_deviation": "deviation of b*",
    "saturation": "saturation, both together",
    "sharpness": "sharpness",
    "noise": "noise, L*",
}
NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean over images, and deviation between them."""

    mean: float
    deviation: float


@dataclasses.dataclass(frozen=True)
class ClassPlace:
    """What a domain's labels say of one class.

    Attributes:
      share: of the labelled pixels, 0..1.
      share_error: standard error of the share, from the scatter between images; 1 with a single image.
      images: how many of the labelled images looked at show the class.
      row, column: mean position in an image, over images that show the class; None without any.
      grid: [GRID] share of the class's pixels in each cell, adding up to 1; None without any.
    """

    share: float
    share_error: float
    images: int
    row: Spread | None
    column: Spread | None
    grid: list[list[float]] | None


@dataclasses.dataclass(frozen=True)
class Domain:
    """One domain.

    Attributes:
      images: looked at.
      labelled: images whose labels were looked at.
      size: (height, width) of the records.
      original_sizes: (height, width, images) before records were made, the most frequent first; empty where
        the records do not say.
      appearance: by the names of APPEARANCE.
      ignored: share of the pixels without a class in images with a label; None without labels.
      classes: by class name; None without labels, for then nothing is known of them.
    """

    images: int
    labelled: int
    size: tuple[int, int]
    original_sizes: tuple[tuple[int, int, int], ...]
    appearance: dict[str, Spread]
    ignored: float | None
    classes: dict[str, ClassPlace] | None


class Collector:
    """Gathers the statistics of one domain.

    Args:
      classes: names by train id.
    """

    def __init__(self, classes: Sequence[str]):
        self.classes = tuple(classes)
        self._appearance: list[dict[str, float]] = []
        self._pixels: list[np.ndarray] = []  # of each label: int64 [256]
        self._centres: list[np.ndarray] = []  # of each label: [2, C], row and column, NaN without pixels
        self._grid = np.zeros((len(self.classes), *GRID), np.int64)

    def see_image(self, image: np.ndarray) -> None:
        """uint8 RGB [H, W, 3]."""
        self._appearance.append(appearance(image))

    def see_label(self, label: np.ndarray) -> None:
        """uint8 train ids [H, W], 255 = ignored."""
        (height, width), count = label.shape, len(self.classes)
        rows, columns = np.arange(height)[:, np.newaxis], np.arange(width)
        by_row, by_column = _count(label, rows, height), _count(label, columns, width)
        cells = rows * GRID[0] // height * GRID[1] + columns * GRID[1] // width
        self._grid += _count(label, cells, GRID[0] * GRID[1])[:count].reshape(self._grid.shape)
        self._pixels.append(by_row.sum(axis=1))
        sums = [counts[:count] @ (np.arange(n) + 0.5) / n for counts, n in ((by_row, height), (by_column, width))]
        pixels = self._pixels[-1][:count]
        self._centres.append(np.where(pixels > 0, sums, np.nan) / np.maximum(pixels, 1))

    def domain(
        self,
        size: Sequence[int],
        class_pixels: np.ndarray | None = None,
        original_sizes: Iterable[tuple[int, int]] = (),
    ) -> Domain:
        """The statistics of what was seen, at least one image.

        Args:
          size: (height, width) of the records.
          class_pixels: int [256], pixels by label, where more is known than the labels seen.
          original_sizes: (height, width) of each image before records were made, where that is known.
        """
        values = {name: np.array([seen[name] for seen in self._appearance]) for name in APPEARANCE}
        ignored = classes = None
        if self._pixels:
            pixels = np.sum(self._pixels, axis=0) if class_pixels is None else np.asarray(class_pixels)
            ignored, classes = float(pixels[IGNORE] / pixels.sum()), self._places(pixels)
        return Domain(
            images=len(self._appearance),
            labelled=len(self._pixels),
            size=(int(size[0]), int(size[1])),
            original_sizes=tuple((*size, images) for size, images in Counter(original_sizes).most_common()),
            appearance={name: _spread(value) for name, value in values.items()},
            ignored=ignored,
            classes=classes,
        )

    def _places(self, class_pixels: np.ndarray) -> dict[str, ClassPlace]:
        count = len(self.classes)
        shares = class_pixels[:count] / max(class_pixels[:count].sum(), 1)
        seen, centres = np.array(self._pixels)[:, :count], np.array(self._centres)
        errors = _share_errors(seen)
        places = {}
        for number, name in enumerate(self.classes):
            shown = seen[:, number] > 0
            row = column = grid = None
            if shown.any():
                row, column = (_spread(centres[shown, axis, number]) for axis in (0, 1))
                grid = (self._grid[number] / self._grid[number].sum()).tolist()
            places[name] = ClassPlace(float(shares[number]), float(errors[number]), int(shown.sum()), row, column, grid)
        return places


def appearance(image: np.ndarray) -> dict[str, float]:
    """The statistics of APPEARANCE of one image.

    Saturation is how far colours lie from the image's mean colour rather than from grey: a cast is none.
    Sharpness is the root of the usual variance of the Laplacian, divided by the contrast: a flatter image is
    not a blurred one. Noise is estimated as in Immerkaer, "Fast noise variance estimation" (1996), in the
    third of the image where a blurred copy is smoothest, so that texture is not taken for noise.

    Args:
      image: uint8 RGB [H, W, 3], at least 3 pixels high and wide.
    """
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness = lab[..., 0]
    means, deviations = (statistic.ravel() for statistic in cv2.meanStdDev(lab))
    blurred = cv2.GaussianBlur(lightness, (0, 0), 2.0)
    slope = cv2.magnitude(cv2.Sobel(blurred, cv2.CV_32F, 1, 0), cv2.Sobel(blurred, cv2.CV_32F, 0, 1))
    smooth = slope <= np.quantile(slope, 1 / 3)
    noise = np.abs(cv2.filter2D(lightness, cv2.CV_32F, NOISE_MASK))[smooth].mean() * math.sqrt(math.pi / 2) / 6
    values = (
        *means,
        *deviations,
        math.hypot(deviations[1], deviations[2]),
        cv2.Laplacian(lightness, cv2.CV_32F).std() / max(deviations[0], 1e-3),
        noise,
    )
    return dict(zip(APPEARANCE, map(float, values), strict=True))


def _count(label: np.ndarray, bins: np.ndarray, count: int) -> np.ndarray:
    """int64 [256, count]: pixels by label and bin; `bins` broadcasts to the label."""
    pairs = label.astype(np.int64) * count + bins
    return np.bincount(pairs.ravel(), minlength=256 * count).reshape(256, count)


def _spread(values: np.ndarray) -> Spread:
    return Spread(float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else 0.0)


def _share_errors(pixels: np.ndarray) -> np.ndarray:
    """Standard errors of the shares of all pixels, [C], from the pixels of each image, [N, C].

    Those of a ratio of means: images with more labelled pixels weigh more.
    """
    count, sums = len(pixels), pixels.sum(axis=1)
    if count < 2 or not sums.any():
        return np.ones(pixels.shape[1])
    residuals = pixels - pixels.sum(axis=0) / sums.sum() * sums[:, np.newaxis]
    return residuals.std(axis=0, ddof=1) / math.sqrt(count) / sums.mean()
