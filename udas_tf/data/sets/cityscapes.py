"""Cityscapes: photographs of 50 cities, finely labelled [Cordts 2016, arXiv:1604.01685]."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from udas_tf.data import image_files, labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Legend
from udas_tf.data.split_files import SplitFiles, without_image
from udas_tf.taxonomy import IGNORE

LAYOUT = "leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and gtFine/SPLIT/CITY/*_gtFine_labelIds.png"
PUBLISHED = {"train": 2_975, "val": 500, "test": 1_525, "train_extra": 19_998}
LABELLED = ("train", "val")

# Names, order and colours of cityscapesScripts, helpers/labels.py.
CLASSES = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}

# "labelIds" -> class; cityscapesScripts, helpers/labels.py. Classes that it does not evaluate are None.
_EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
LABEL_IDS: dict[int, str | None] = {
    **dict.fromkeys(range(34)),
    **dict(zip(_EVALUATED, CLASSES, strict=True)),
}
TRAIN_IDS: dict[int, str | None] = {**dict(enumerate(CLASSES)), IGNORE: None}

# Kind of label file -> its ending, and what it should hold.
ENDINGS = {"labelIds": "_gtFine_labelIds.png", "trainIds": "_gtFine_labelTrainIds.png"}
LEGENDS = {"labelIds": Legend(LABEL_IDS), "trainIds": Legend(TRAIN_IDS)}
PROBED_LABELS = 8  # label files whose content is looked at to tell the two kinds apart


def find(root: Path, split: str) -> SplitFiles:
    """leftImg8bit/SPLIT/CITY/NAME_leftImg8bit.png and gtFine/SPLIT/CITY/NAME_gtFine_label{,Train}Ids.png.

    The labels of "test" are published as dummies, in which every pixel is ignored, and "train_extra" has none: the
    images of both have no labels here.
    """
    images = sorted((root / "leftImg8bit" / split).glob("*/*_leftImg8bit.png"))
    folder = root / "gtFine" / split
    present = {kind: set(folder.glob(f"*/*{ending}")) for kind, ending in ENDINGS.items()}
    kind = "trainIds" if len(present["trainIds"]) > len(present["labelIds"]) else "labelIds"
    usable = set() if split in ("test", "train_extra") else present[kind]
    pairs = []
    for image in images:
        name = image.name.removesuffix("_leftImg8bit.png")
        label = folder / image.parent.name / f"{name}{ENDINGS[kind]}"
        pairs.append(Pair(name, image, label, label in usable))
    held = _kind_by_content([pair.label for pair in pairs if pair.label in usable]) or kind
    warnings = [] if held == kind else [f"labels called *{ENDINGS[kind]} hold {held} and are read as such"]
    if not usable and (root / "gtCoarse" / split).is_dir():
        warnings.append(f"the coarse labels in gtCoarse/{split} are not read")
    return SplitFiles(pairs, labels.of_files(CITYSCAPES, LEGENDS[held]), without_image(usable, pairs), tuple(warnings))


def _kind_by_content(files: Sequence[Path]) -> str | None:
    """Which ids most of some label files hold; None where their content does not tell.

    Ids 19 to 33 and no 255 are labelIds, 255 and none of those trainIds.
    """
    votes: Counter[str] = Counter()
    for path in files[:: max(1, len(files) // PROBED_LABELS)]:
        try:
            ids = np.unique(image_files.read_label(path))
        except Unusable:
            continue  # it is listed when its turn comes
        high, ignored = bool(np.any((ids > 18) & (ids < 34))), IGNORE in ids
        if high != ignored:
            votes["trainIds" if ignored else "labelIds"] += 1
    return votes.most_common(1)[0][0] if votes else None


def recognise(root: Path) -> str | None:
    """Cityscapes has frames that end in _leftImg8bit.png in leftImg8bit/SPLIT/CITY; IDD has numbers for cities."""
    frames = (root / "leftImg8bit").glob("*/*/*_leftImg8bit.png")
    if any(not frame.parent.name.isdecimal() for frame in frames):
        return "leftImg8bit/SPLIT/CITY/*_leftImg8bit.png"
    return None
