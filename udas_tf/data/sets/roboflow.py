"""Roboflow: exports of semantic segmentation masks, with a _classes.csv in each split.

The form: Roboflow's export "Semantic Segmentation Masks" of 2023 to 2025: NAME.jpg, NAME_mask.png of one channel, and
_classes.csv with the columns "Pixel Value, Class". Roboflow fills what nobody has labelled with 0, the value of the
class that _classes.csv calls "background". It is a class here. If the file calls it "unlabeled", it is ignored.
"""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

from udas_tf.data import annotated, labels
from udas_tf.data import own_classes as own
from udas_tf.data.image_files import Pair
from udas_tf.data.labels import Legend
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = "NAME.jpg, NAME_mask.png and _classes.csv in train/, valid/ and test/, or in the root for train alone"
LABELLED = ()

CLASSES_FILE = "_classes.csv"
HEADER = ["pixel value", "class"]
MASK = "_mask"  # how the names of masks end
UNLABELLED = ("unlabeled", "unlabelled")


def find(root: Path, split: str) -> SplitFiles:
    """NAME.* and NAME_mask.png in the folder of a split; valid/ is "val".

    Raises:
      UserError: a _classes.csv is missing or not of its form, two disagree, or two images have one name.
    """
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    for folder in annotated.split_folders(root).get(split, []):
        files = listing(folder, nested=False)
        masks = {path.stem: path for path in files.images if path.stem.endswith(MASK)}
        for image in [path for path in files.images if path.stem not in masks]:
            label = masks.pop(image.stem + MASK, None)
            expected = folder / f"{image.stem}{MASK}.png"
            pairs.append(Pair(path_text(Path(image.stem)), image, label or expected, label is not None))
        skipped += files.skipped
        skipped += [Skipped(path_text(path), "is a label without an image") for path in sorted(masks.values())]
    if not any(pair.labelled for pair in pairs):
        return SplitFiles([], skipped=tuple(skipped))
    values = _values(root)
    how = labels.of_files(_classes(root, values), Legend({value: _class(name) for value, name in values.items()}))
    warning = annotated.of_unlabelled(_class(values.get(0, "")) or None, CLASSES_FILE)
    return SplitFiles(annotated.in_order(pairs), how, tuple(skipped), (warning,))


def own_classes(root: Path) -> ClassSet:
    """The classes of _classes.csv in the order of their values; UserError as for `find`."""
    return _classes(root, _values(root))


def recognise(root: Path) -> str | None:
    """Roboflow writes a _classes.csv beside the masks; its exports for classification have one without masks."""
    for path in _class_files(root):
        mask = next(path.parent.glob(f"*{MASK}.png"), None)
        if mask:
            return f"{path.relative_to(root)} and *{MASK}.png"
    return None


def _class_files(root: Path) -> list[Path]:
    folders = [folder for of_split in annotated.split_folders(root).values() for folder in of_split]
    return [folder / CLASSES_FILE for folder in folders if (folder / CLASSES_FILE).is_file()]


def _values(root: Path) -> dict[int, str]:
    """Value -> name, of the files of all splits, in the order of the values."""
    values: dict[int, str] = {}
    files = _class_files(root)
    if not files:
        raise UserError(f"no {CLASSES_FILE} lies beside the masks in {root}; it says which value is which class")
    for path in files:
        for value, name in _read(path).items():
            if values.setdefault(value, name) != name:
                raise UserError(
                    f"{path}: {value} is {name}, and {values[value]} in the {CLASSES_FILE} of another split"
                )
    return dict(sorted(values.items()))


def _read(path: Path) -> dict[int, str]:
    lines = csv.reader(path.read_text(encoding="utf-8-sig").splitlines(), skipinitialspace=True)
    rows = [[cell.strip() for cell in row] for row in lines if row]
    if not rows or [cell.lower() for cell in rows[0]] != HEADER:
        raise UserError(f"{path} does not begin with 'Pixel Value, Class'; expected an export of semantic masks")
    values: dict[int, str] = {}
    for row in rows[1:]:
        if len(row) != 2 or not row[0].isdecimal() or int(row[0]) > 255 or int(row[0]) in values or not row[1]:
            raise UserError(f"{path}: {', '.join(row)!r} is not like '1, floor', with a value of its own up to 255")
        values[int(row[0])] = unicodedata.normalize("NFC", row[1])
    return values


def _class(name: str) -> str | None:
    return None if name.lower() in UNLABELLED else name


def _classes(root: Path, values: dict[int, str]) -> ClassSet:
    return own.class_set(root, list(dict.fromkeys(filter(None, map(_class, values.values())))))
