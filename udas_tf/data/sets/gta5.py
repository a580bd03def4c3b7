"""GTA5: frames of a game, labelled with the label ids of Cityscapes [Richter 2016, arXiv:1608.02192]."""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.labels import Legend
from udas_tf.data.sets.cityscapes import LABEL_IDS
from udas_tf.data.split_files import SplitFiles, paired

LAYOUT = "images/*.png and labels/*.png"
PUBLISHED = {"train": 24_966}
LABELLED = ("train",)
CLASS_SET = "cityscapes"

LEGEND = Legend({**LABEL_IDS, 34: None})  # 34: licence plates


def find(root: Path, split: str) -> SplitFiles:
    """images/NAME.png and labels/NAME.png, all of it "train". Labels are palette PNGs whose indices are the ids."""
    if split != "train":
        return SplitFiles([])
    return paired(root / "images", root / "labels", labels.of_files(CITYSCAPES, LEGEND))


def recognise(root: Path) -> str | None:
    """GTA5's files are numbered from 00001.png in images/ and labels/."""
    if (root / "images" / "00001.png").is_file() and (root / "labels").is_dir():
        return "images/00001.png and labels/"
    return None
