"""CVAT: exports in the format "Segmentation mask 1.1", with a labelmap.txt.

The form: docs.cvat.ai, "Segmentation Mask", CVAT 2; it follows Pascal VOC. CVAT adds a label "background" to
labelmap.txt for what nobody has labelled, in black unless the task has a label of that name. It is a class, as in
Pascal VOC. Where labelmap.txt has no black label, black is ignored. SegmentationObject/ tells instances apart, which
is not needed here.
"""

from __future__ import annotations

import dataclasses
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from udas_tf.data import annotated
from udas_tf.data import labels as labels_of
from udas_tf.data.class_file import MOST_CLASSES
from udas_tf.data.labels import Colour, Labels, Legend
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, paired
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "labelmap.txt, JPEGImages/, SegmentationClass/*.png and ImageSets/Segmentation/*.txt; lists called Validation.txt "
    "or val.txt and Test.txt are the splits val and test, all others train"
)
LABELLED = ()

LABEL_MAP = "labelmap.txt"
IMAGES, MASKS, LISTS = "JPEGImages", "SegmentationClass", "ImageSets/Segmentation"
LINE = re.compile(r"(?P<name>.+?):(?P<colour>\d+,\d+,\d+):[^:]*:[^:]*")
LIKE = "road:128,64,128::"
BACKGROUND = "background"
BLACK = (0, 0, 0)


def find(root: Path, split: str) -> SplitFiles:
    """JPEGImages/NAME.* and SegmentationClass/NAME.png of the names in the lists of a split.

    Masks hold the colours of labelmap.txt or, in one channel, the numbers of its lines from 0. Without lists, all
    images are "train". Images in no list are skipped.

    Raises:
      UserError: labelmap.txt is missing or not of its form.
    """
    if not (root / MASKS).is_dir():
        return SplitFiles([])
    colours = _label_map(root)
    files = paired(root / IMAGES, root / MASKS, _labels(root, colours))
    listed = _lists(root)
    if not listed:
        kept = files.pairs if split == "train" else []
        return dataclasses.replace(files, pairs=kept, warnings=(*files.warnings, _of_black(colours)))
    names = {name: path for path, names in listed.items() if _split(path) == split for name in names}
    pairs = [pair for pair in files.pairs if _normal(pair.name) in names]
    lost = set(names) - {_normal(pair.name) for pair in pairs}
    skipped = [
        Skipped(path_text(names[name]), f"names {name}, which is no image in {IMAGES}/") for name in sorted(lost)
    ]
    if split == "train":
        everywhere = {name for names in listed.values() for name in names}
        reason = f"is named by no list in {LISTS}/"
        unlisted = [pair for pair in files.pairs if _normal(pair.name) not in everywhere]
        skipped += [*files.skipped, *(Skipped(path_text(pair.image), reason) for pair in unlisted)]
    return dataclasses.replace(
        files, pairs=pairs, skipped=tuple(skipped), warnings=(*files.warnings, _of_black(colours))
    )


def own_classes(root: Path) -> ClassSet:
    """The labels of labelmap.txt, in its order and colours; UserError as for `find`."""
    return _labels(root, _label_map(root)).classes


def recognise(root: Path) -> str | None:
    """CVAT writes labelmap.txt beside SegmentationClass/ and SegmentationObject/."""
    if (root / LABEL_MAP).is_file() and (root / MASKS).is_dir():
        return f"{LABEL_MAP} and {MASKS}/"
    return None


def _label_map(root: Path) -> dict[str, Colour]:
    """Label -> colour, in the order of labelmap.txt."""
    path = root / LABEL_MAP
    if not path.is_file():
        raise UserError(f"{path} is missing; it says which colour is which label, in lines such as {LIKE}")
    colours: dict[str, Colour] = {}
    for line in filter(None, map(str.strip, path.read_text(encoding="utf-8-sig").splitlines())):
        if line.startswith("#"):
            continue
        match = LINE.fullmatch(line)
        red, green, blue = map(int, match["colour"].split(",")) if match else (256, 0, 0)
        if match is None or max(red, green, blue) > 255:
            raise UserError(f"{path}: {line!r} is not like {LIKE!r}")
        name, colour = unicodedata.normalize("NFC", match["name"].strip()), (red, green, blue)
        if name in colours or colour in colours.values():
            raise UserError(f"{path}: {line!r} has the name or the colour of a line before; give it its own")
        colours[name] = colour
    if not 1 <= len(colours) <= MOST_CLASSES:
        raise UserError(f"{path} has {len(colours)} labels; expected 1 to {MOST_CLASSES}")
    return colours


def _labels(root: Path, colours: Mapping[str, Colour]) -> Labels:
    classes = ClassSet(root.resolve().name, tuple(colours), tuple(colours.values()))
    by_colour: dict[Colour, str | None] = {BLACK: None} | {colour: name for name, colour in colours.items()}
    return labels_of.of_files(classes, Legend(dict(enumerate(colours)), by_colour))


def _of_black(colours: Mapping[str, Colour]) -> str:
    named = next((name for name, colour in colours.items() if colour == BLACK or name == BACKGROUND), None)
    return annotated.of_unlabelled(named, LABEL_MAP)


def _lists(root: Path) -> dict[Path, list[str]]:
    """List -> the names in it; names with spaces may be in quotes."""
    paths = sorted((root / LISTS).glob("*.txt"))
    lines = {path: path.read_text(encoding="utf-8-sig").splitlines() for path in paths}
    return {path: [_normal(line.strip().strip('"')) for line in lines[path] if line.strip()] for path in paths}


def _split(path: Path) -> str:
    return annotated.split_of(path.stem) or "train"


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name)
