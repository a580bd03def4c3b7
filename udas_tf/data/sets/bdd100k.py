"""BDD100K: 10,000 photographs of drives in the USA, with train ids [Yu 2020, arXiv:1805.04687].

The form: doc.bdd100k.com, "Data Download" and "Semantic Segmentation Format" of 2021, and that of the first
publication, of 2018. Values are the train ids of Cityscapes, and 255 where they are ignored.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.labels import Legend
from udas_tf.data.sets.cityscapes import TRAIN_IDS
from udas_tf.data.split_files import SplitFiles, paired

LAYOUT = (
    "images/10k/SPLIT/*.jpg and labels/sem_seg/masks/SPLIT/*.png, or as of 2018 seg/images/SPLIT/*.jpg and "
    "seg/labels/SPLIT/*_train_id.png, in the root or in bdd100k/"
)
PUBLISHED = {"train": 7_000, "val": 1_000, "test": 2_000}
LABELLED = ("train", "val")
CLASS_SET = "cityscapes"


def find(root: Path, split: str) -> SplitFiles:
    """The files of a split in either layout; "test" has no labels."""
    place = _place(root)
    how = labels.of_files(CITYSCAPES, Legend(TRAIN_IDS))
    old = place / "seg" / "images"
    if old.is_dir():
        return paired(old / split, place / "seg" / "labels" / split, how, label_ending="_train_id.png")
    return paired(place / "images" / "10k" / split, place / "labels" / "sem_seg" / "masks" / split, how)


def recognise(root: Path) -> str | None:
    """BDD100K has images/10k/, or images and labels in seg/, whose names end in _train_id.png."""
    place = _place(root)
    if (place / "images" / "10k").is_dir():
        return "images/10k/"
    if (place / "seg" / "images").is_dir() and next((place / "seg" / "labels").glob("*/*_train_id.png"), None):
        return "seg/labels/SPLIT/*_train_id.png"
    return None


def _place(root: Path) -> Path:
    """The archives unpack into bdd100k/."""
    inner = root / "bdd100k"
    return inner if inner.is_dir() else root
