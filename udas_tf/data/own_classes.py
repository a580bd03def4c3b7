"""Classes that the files of a data set name themselves, and labels whose values mean what a file beside them says."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from udas_tf.data.class_file import MOST_CLASSES
from udas_tf.data.image_files import Unusable
from udas_tf.data.labels import LISTED_VALUES, Legend, RawLabel
from udas_tf.errors import UserError
from udas_tf.taxonomy import IGNORE, ClassSet

IGNORED_NAMES = ("unlabeled", "unlabelled", "void", "ignore", "ignored")  # in any case
TURN = 0.618034  # of the colour circle from a class to the next: neighbours differ, and no colour comes twice

Value = int | tuple[int, ...]


def class_set(root: Path, names: Sequence[str]) -> ClassSet:
    """The classes `names` in colours spread over the colour circle; the set is called as the folder `root`.

    Raises:
      UserError: there are more classes than train ids.
    """
    if len(names) > MOST_CLASSES:
        raise UserError(
            f"{root} names {len(names)} classes; at most {MOST_CLASSES} have train ids: give several one name"
        )
    return ClassSet(root.resolve().name, tuple(names), tuple(_colour(number) for number in range(len(names))))


def of_ids(root: Path, names: Mapping[int, str], file: str) -> tuple[ClassSet, Legend, tuple[str, ...]]:
    """The classes that a file names by their ids, and what ids mean; several ids of one name are one class.

    Pixels of a name in `IGNORED_NAMES` are ignored, as are those of the id 255 where it has no name.

    Args:
      root: gives the class set its name.
      names: id -> name.
      file: that says so, for the warning.

    Returns:
      The class set in the order of `names`, the legend, and a warning of the names that are ignored, if there are any.
    """
    ignored = [number for number, name in names.items() if name.strip().lower() in IGNORED_NAMES]
    kept = {number: None if number in ignored else name.strip() for number, name in names.items()}
    classes = class_set(root, [name for name in dict.fromkeys(kept.values()) if name is not None])
    listed = ", ".join(f"{number} ({names[number]})" for number in ignored)
    warnings = (f"pixels of {listed} in {file} are ignored",) if ignored else ()
    return classes, Legend({IGNORE: None, **kept}), warnings


def _colour(number: int) -> tuple[int, int, int]:
    value = 1.0 - 0.35 * (number % 3) / 2
    red, green, blue = colorsys.hsv_to_rgb(number * TURN % 1.0, 0.75, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def raw_label(path: Path, pixels: np.ndarray, names: Mapping[Value, str | None]) -> RawLabel:
    """A label whose values mean what `names` says, which may be another thing in each image.

    Args:
      path: of the label, for messages.
      pixels: ids [h, w], or colours uint8 [h, w, c] of three or four channels.
      names: value of a pixel, an id or a colour of c numbers -> class name; None = ignored.

    Raises:
      Unusable: it holds a value that `names` lacks.
    """
    packed = _packed(pixels) if pixels.ndim == 3 else pixels.astype(np.int64)
    numbers = {_number(value): name for value, name in names.items()}
    known = np.array(sorted(numbers) or [-1], np.int64)
    places = np.searchsorted(known, packed).clip(max=len(known) - 1)
    unknown = known[places] != packed
    if unknown.any():
        raise Unusable(path, _without_class(np.unique(packed[unknown]), pixels))
    return RawLabel(places.astype(np.uint16), Legend({place: numbers[int(n)] for place, n in enumerate(known)}))


def _packed(colours: np.ndarray) -> np.ndarray:
    """One integer for each colour: uint8 [h, w, c] -> int64 [h, w]."""
    packed = np.zeros(colours.shape[:2], np.int64)
    for channel in np.moveaxis(colours, -1, 0):
        packed = packed << 8 | channel
    return packed


def _number(value: Value) -> int:
    return value if isinstance(value, int) else int.from_bytes(bytes(value), "big")


def _without_class(values: np.ndarray, pixels: np.ndarray) -> str:
    what = "colours" if pixels.ndim == 3 else "ids"
    listed = []
    for value in values[:LISTED_VALUES].tolist():
        listed.append(str(tuple(value.to_bytes(pixels.shape[2], "big"))) if pixels.ndim == 3 else str(value))
    more = "" if len(values) <= LISTED_VALUES else f" and {len(values) - LISTED_VALUES} more"
    return f"holds {what} that no file gives a class: {', '.join(listed)}{more}"
