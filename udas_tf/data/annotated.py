"""Labels that annotation tools describe by regions, such as polygons: painted one over another."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.sample import path_text
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}  # in any case
# What goes wrong while a file of another form is taken apart.
WRONG_FORM = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)

Regions = Iterable[tuple[str | None, np.ndarray]]


def labels(
    classes: ClassSet, regions: Callable[[Pair], tuple[tuple[int, int], Regions]], unlabelled: str | None = None
) -> Labels:
    """How labels that consist of regions are read.

    Args:
      classes: the class set of the regions.
      regions: a pair that has a label -> (height, width), and (class, mask bool [h, w]) in the order in which they are
        painted: later ones over earlier ones. The class None is ignored. Errors of `WRONG_FORM` make the label
        Unusable.
      unlabelled: the class of pixels in no region; None = they are ignored.
    """
    nothing, ignored = len(classes), len(classes) + 1
    numbers: dict[str | None, int] = {name: number for number, name in enumerate(classes.classes)}
    numbers[None] = ignored
    legend = Legend({**dict(enumerate(classes.classes)), nothing: unlabelled, ignored: None})

    def read(pair: Pair) -> RawLabel:
        try:
            size, painted = regions(pair)
            values = np.full(size, nothing, np.uint16)
            for name, mask in painted:
                if name not in numbers:
                    raise ValueError(f"the class {name} is none of {', '.join(classes.classes)}")
                values[mask] = numbers[name]
        except WRONG_FORM as error:
            raise Unusable(pair.label or pair.image, f"of {pair.name}: {in_words(error)}") from error
        return RawLabel(values, legend)

    return Labels(classes, read)


def in_words(error: Exception) -> str:
    """What went wrong while a file was taken apart."""
    return f"it has no {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def of_unlabelled(background: str | None = None, file: str = "") -> str:
    """A warning that says what pixels in no region become: the class `background` that `file` names, or ignored."""
    if background is None:
        return "pixels that nobody has labelled are ignored: they train and count nothing"
    return (
        f"pixels that nobody has labelled are of the class {background}, as {file} names it; they are ignored in runs "
        "whose config.classes lacks it"
    )


def read_json(path: Path) -> Any:
    """What a JSON file holds; Unusable where it cannot be read."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Unusable(path, f"cannot be read: {error}") from error


def split_of(name: str) -> str | None:
    """The split that a folder's or a file's name means, such as "val" for "Validation"; None for other names."""
    return next((split for split, names in SPLIT_FOLDERS.items() if name.lower() in names), None)


def split_folders(root: Path) -> dict[str, list[Path]]:
    """Split -> its folders in the root; the root alone, as train, where there are none."""
    folders: dict[str, list[Path]] = {}
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        split = split_of(folder.name)
        if split and folder.is_dir():
            folders.setdefault(split, []).append(folder)
    return folders or {"train": [root]}


def in_order(pairs: Iterable[Pair]) -> list[Pair]:
    """Pairs in the order of their names; UserError where two have one name."""
    ordered = sorted(pairs, key=lambda pair: pair.name)
    for one, other in itertools.pairwise(ordered):
        if one.name == other.name:
            both = f"{path_text(one.image)} and {path_text(other.image)}"
            raise UserError(f"{both} have one name, {one.name}; rename one")
    return ordered


def without_annotation(images: Iterable[Path], pairs: Sequence[Pair], folder: Path) -> Iterator[Pair]:
    """The images that none of `pairs` has, as pairs without a label; called by their place in `folder`."""
    known = {pair.image for pair in pairs}
    for image in images:
        if image not in known:
            yield Pair(path_text(image.relative_to(folder).with_suffix("")), image)
