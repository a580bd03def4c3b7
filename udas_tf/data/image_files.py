"""Image and label files: decoded whole or refused with a reason, and reduced to the size of the records."""

from __future__ import annotations

import contextlib
import dataclasses
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from udas_tf.taxonomy import ClassSet, train_ids

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
IMAGE_MODES = ("RGB", "RGBA", "L", "LA", "P", "CMYK")
ID_MODES = ("L", "P", "I;16", "I;16B", "I")
COLOUR_MODES = ("RGB", "RGBA")
FOREIGN = 254  # in tables from what files hold to train ids: not in the data set's map
SHOWN_IDS = 8
# What Pillow raises for files that are not, or no longer, what they seem.
DAMAGE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)


class Unusable(Exception):
    """A file that no record can be made of.

    Attributes:
      path: of the file.
      reason: in words, without the path.
    """

    def __init__(self, path: Path, reason: str):
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


def read_image(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """Decodes an image and reduces it with a triangle filter as wide as the reduction, so that nothing aliases.

    JPEGs are decoded at the smallest of their own scales that is no smaller than `size`.

    Args:
      path: 8-bit colour, grey or palette image in a format of `SUFFIXES`.
      size: (height, width), pixels.

    Returns:
      uint8 RGB [*size, 3], and the (height, width) of the file.

    Raises:
      Unusable: the file is missing, truncated, damaged or of another kind.
    """
    with _opened(path) as image:
        if image.mode not in IMAGE_MODES:
            raise Unusable(path, f"is an image of mode {image.mode}; expected 8-bit colour or grey")
        original = image.size[::-1]
        image.draft("RGB", size[::-1])
        return np.asarray(image.convert("RGB").resize(size[::-1], Image.Resampling.BILINEAR)), original


def read_label(path: Path) -> np.ndarray:
    """Decodes a label: ids [h, w], uint8 or wider, or colours uint8 [h, w, 3]. Unusable as for `read_image`."""
    with _opened(path) as image:
        if image.mode in ID_MODES:
            return np.asarray(image)
        if image.mode in COLOUR_MODES:
            return np.asarray(image)[..., :3]
        raise Unusable(path, f"is a label of mode {image.mode}; expected one channel of ids, or RGB")


def read_first_channel(path: Path) -> np.ndarray:
    """Decodes the ids of SYNTHIA, [h, w]: the first, red channel of a 16-bit PNG.

    Pillow keeps only the upper byte of such files, in which every id is 0.
    """
    # OpenCV warns on standard error about damage, and answers None; its channels are blue, green, red.
    try:
        label = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except (OSError, cv2.error) as error:  # OpenCV raises for an empty file
        raise Unusable(path, "cannot be read") from error
    if label is None:
        raise Unusable(path, "cannot be read as PNG; it is truncated or damaged")
    return label if label.ndim == 2 else label[..., 2]


def resize_label(label: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest neighbours; uint8 [h, w] -> uint8 [*size]."""
    return np.asarray(Image.fromarray(label).resize(size[::-1], Image.Resampling.NEAREST))


@dataclasses.dataclass(frozen=True)
class LabelCode:
    """How the label files of a data set say which class a pixel has.

    Attributes:
      classes: the data set's class set.
      ids: value in a one-channel file, 0..65535 -> class name, None = ignored.
      colours: (red, green, blue) in an RGB file -> class name, None = ignored; empty where there are no such files.
      read: path -> ids [h, w] or colours [h, w, 3].
    """

    classes: ClassSet
    ids: Mapping[int, str | None] = dataclasses.field(default_factory=dict)
    colours: Mapping[tuple[int, int, int], str | None] = dataclasses.field(default_factory=dict)
    read: Callable[[Path], np.ndarray] = read_label

    def reader(self, classes: ClassSet) -> Callable[[Path], np.ndarray]:
        """What reads a label as train ids of `classes`: path -> uint8 [h, w].

        It raises Unusable also for a file that holds a value outside the map; UserError here when the data set's
        classes do not go into `classes`.
        """
        into = train_ids(self.classes, classes)

        def table(values: Mapping[int, str | None], length: int) -> np.ndarray:
            train_id = np.full(length, FOREIGN, np.uint8)
            for value, name in values.items():
                train_id[value] = into[255 if name is None else self.classes.id_of(name)]
            return train_id

        of_ids = table(self.ids, 1 << 16)
        of_colours = (
            table({_packed(c): name for c, name in self.colours.items()}, 1 << 24) if self.colours else None
        )

        def read(path: Path) -> np.ndarray:
            values = self.read(path)
            in_colour = values.ndim == 3
            if in_colour and of_colours is None:
                raise Unusable(path, "is an RGB label; expected one channel of ids")
            if in_colour:
                values = _packed(np.moveaxis(values.astype(np.int32), -1, 0))
            label = np.take(of_colours if in_colour else of_ids, values, mode="clip")
            if np.any(label == FOREIGN):
                raise Unusable(path, _foreign(np.unique(values[label == FOREIGN]), in_colour))
            return label

        return read


def _packed(colour):
    """One integer for each (red, green, blue)."""
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def _foreign(values: np.ndarray, in_colour: bool) -> str:
    what = "colours" if in_colour else "label ids"
    shown = [f"#{value:06x}" if in_colour else str(value) for value in values[:SHOWN_IDS].tolist()]
    more = "" if len(values) <= SHOWN_IDS else f" and {len(values) - SHOWN_IDS} more"
    return f"holds {what} outside the map of its data set: {', '.join(shown)}{more}"


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A Pillow image; damage found while opening or decoding it becomes Unusable."""
    try:
        with Image.open(path) as image:
            yield image
    except DAMAGE as error:
        raise Unusable(path, _in_words(error)) from error


def _in_words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, Image.UnidentifiedImageError):
        return "cannot be read: no image format that Pillow knows"
    return f"cannot be read: {error}"
