"""Whether labels lie on their images: boundaries between classes on edges of the image, and sky above the road.

A boundary pixel differs from its right or lower neighbour in class. The agreement of a label with its image is the mean
strength of the image's edges on the boundaries, in deviations of edge strength; 0 is what chance gives. It is measured
for the label as it is, for its mirror images, and for each of them shifted by up to RADIUS pixels.

Where one place agrees FACTOR times better than the label as it is, or nothing agrees, over a whole set and by ERRORS
standard errors of the images' scatter, the set is at fault and not one image.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import cv2
import numpy as np

from udas_tf.data.gap.findings import Finding
from udas_tf.taxonomy import IGNORE

RADIUS = 16  # pixels
LEAST_SIDE = 4 * RADIUS  # of images that are looked at
TOLERANCE = 2  # pixels that boundaries drawn by hand, and reduced sizes, are off by
SURROUNDINGS = 15  # side of the square, pixels, whose mean edge strength is subtracted: busy places are no edges
FACTOR = 1.25
ERRORS = 4.0
FEW_IMAGES = 5
AGREES = 0.25  # wrong pairs of CamVid, KITTI and CARLA agree by up to 0.15, right ones by 0.6 to 1.6
FLIPS = {  # what a flip back is called -> the axes that it turns around
    "mirrored left to right": (1,),
    "upside down": (0,),
    "turned by half a circle": (0, 1),
}
ABOVE, BELOW = ("sky", "ceiling"), ("road", "floor", "ground", "street", "lane")
WRONG_WAY = 0.5  # share of the images that show both where what is above lies lower


class Alignment:
    """Sees some images of a set with their labels."""

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = [name.lower() for name in classes]
        self._agreements: list[np.ndarray] = []
        self._upright: list[bool] = []

    def see(self, image: np.ndarray, label: np.ndarray) -> None:
        """An image, uint8 RGB [H, W, 3], and its label, uint8 train ids [H, W]."""
        upright = self._is_upright(label)
        if upright is not None:
            self._upright.append(upright)
        boundary = boundaries(label)
        if min(label.shape) >= LEAST_SIDE and boundary.any() and (strength := edges(image)) is not None:
            self._agreements.append(agreements(strength, boundary))

    def findings(self, where: str) -> list[Finding]:
        """What is wrong with the set called `where`; nothing where too few images say something."""
        found = []
        if len(self._agreements) >= FEW_IMAGES:
            found += _misplaced(np.array(self._agreements), where)
        if len(self._upright) >= FEW_IMAGES and np.mean(self._upright) <= WRONG_WAY:
            lower = len(self._upright) - sum(self._upright)
            found.append(
                Finding(
                    "sky_below",
                    f"in {lower} of {len(self._upright)} labels of {where} the sky or ceiling lies lower than the road "
                    "or floor",
                    "look at the mosaic: turn images and labels upright, or mend the ids in classes.yaml",
                )
            )
        return found

    def _is_upright(self, label: np.ndarray) -> bool | None:
        """Whether what belongs above lies above; None where the label does not show both."""
        above, below = (_mean_row(label, self._ids(names)) for names in (ABOVE, BELOW))
        return None if above is None or below is None else above < below

    def _ids(self, names: Sequence[str]) -> list[int]:
        return [number for number, name in enumerate(self.classes) if name in names]


def edges(image: np.ndarray) -> np.ndarray | None:
    """Edge strength of an image, float32 [H - 1, W - 1], mean 0 in all places and deviation 1; None without any."""
    pixels = image.astype(np.float32)
    corner = pixels[:-1, :-1]
    strength = np.abs(pixels[:-1, 1:] - corner).sum(axis=-1) + np.abs(pixels[1:, :-1] - corner).sum(axis=-1)
    strength = np.log1p(strength)
    strength -= cv2.blur(strength, (SURROUNDINGS, SURROUNDINGS))
    deviation = float(strength.std())
    return strength / deviation if deviation > 0 else None


def boundaries(label: np.ndarray) -> np.ndarray:
    """Pixels between two classes, bool [H - 1, W - 1]; those beside ignored ones do not count."""
    corner = label[:-1, :-1]
    across, down = label[:-1, 1:], label[1:, :-1]
    differs = ((across != corner) & (across != IGNORE)) | ((down != corner) & (down != IGNORE))
    return differs & (corner != IGNORE)


def agreements(strength: np.ndarray, boundary: np.ndarray) -> np.ndarray:
    """Mean edge strength on the boundaries, if the label were flipped and shifted.

    Args:
      strength: of `edges`, [h, w].
      boundary: of `boundaries`, [h, w], some of it True.

    Returns:
      float32 [1 + FLIPS, 2 RADIUS + 1, 2 RADIUS + 1]: by flip, none first, and by how far down and right the label
      would have to go, from -RADIUS.
    """
    spectrum = np.fft.rfft2(strength)
    around = np.arange(-RADIUS, RADIUS + 1)
    window = np.ix_(around, around)
    found = []
    for axes in ((), *FLIPS.values()):
        flipped = np.fft.rfft2(np.flip(boundary, axes).astype(np.float32))
        found.append(np.fft.irfft2(np.conj(flipped) * spectrum, strength.shape)[window] / boundary.sum())
    return np.array(found, np.float32)


@dataclasses.dataclass(frozen=True)
class _Place:
    """A flip and a shift, and the agreement of each image there.

    Attributes:
      down, right: how far the label would have to go, pixels.
      values: float [N].
    """

    down: int
    right: int
    values: np.ndarray

    @classmethod
    def best(cls, values: np.ndarray) -> _Place:
        """The shift of the highest mean of [N, side, side]; no shift is in the middle."""
        mean = values.mean(axis=0)
        row, column = np.unravel_index(int(mean.argmax()), mean.shape)
        middle = len(mean) // 2
        return cls(int(row) - middle, int(column) - middle, values[:, row, column])

    @property
    def mean(self) -> float:
        return float(self.values.mean())

    def beats(self, other: _Place) -> bool:
        """Whether it agrees better, by much and surely."""
        return self.mean >= max(AGREES, FACTOR * other.mean) and _surely_above_0(self.values - other.values)


def _misplaced(values: np.ndarray, where: str) -> list[Finding]:
    """What agreements, [N, 1 + FLIPS, side, side], say of a set."""
    centre = slice(RADIUS - TOLERANCE, RADIUS + TOLERANCE + 1)
    as_it_is = _Place.best(values[:, 0, centre, centre])
    shifted = _Place.best(values[:, 0])
    flips = {name: _Place.best(values[:, number]) for number, name in enumerate(FLIPS, start=1)}
    name = max(flips, key=lambda flip: flips[flip].mean)
    mosaic = "look at the mosaic, and"
    if flips[name].beats(shifted):
        text = f"the labels of {where} fit their images better {name}"
        return [Finding("label_flipped", text, f"{mosaic} turn either the labels or the images")]
    if shifted.beats(as_it_is):
        text = f"the labels of {where} lie {_direction(-shifted.down, -shifted.right)} of where they fit their images"
        remedy = "make labels and images of one frame with one crop, and one distortion of the lens"
        return [Finding("label_shifted", text, f"{mosaic} {remedy}")]
    if as_it_is.mean < AGREES or not _surely_above_0(as_it_is.values):
        text = f"boundaries in the labels of {where} do not lie on edges of their images more often than by chance"
        remedy = "see whether each label has the name of its own image, and whether both show one moment"
        return [Finding("label_elsewhere", text, f"{mosaic} {remedy}")]
    return []


def _surely_above_0(values: np.ndarray) -> bool:
    return bool(values.mean() > ERRORS * values.std(ddof=1) / math.sqrt(len(values)))


def _direction(down: int, right: int) -> str:
    """A shift in words: "6 pixels to the right and 3 above"."""
    across = f"{abs(right)} {_pixels(right)} to the {'right' if right > 0 else 'left'}"
    along = f"{abs(down)} {_pixels(down)} {'below' if down > 0 else 'above'}"
    return " and ".join(words for words, by in ((across, right), (along, down)) if by)


def _pixels(count: int) -> str:
    return "pixel" if abs(count) == 1 else "pixels"


def _mean_row(label: np.ndarray, ids: Sequence[int]) -> float | None:
    rows = np.isin(label, ids).nonzero()[0]
    return float(rows.mean()) if len(rows) else None
