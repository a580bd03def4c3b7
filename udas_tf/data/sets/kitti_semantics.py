"""KITTI semantics: photographs of Karlsruhe, labelled with the label ids of Cityscapes [Abu Alhaija 2018].

The form: data_semantics.zip and its devkit, cvlibs.net/datasets/kitti, "Semantic Segmentation Evaluation", 2018.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.labels import Legend
from udas_tf.data.sets.cityscapes import LABEL_IDS
from udas_tf.data.split_files import SplitFiles, paired

LAYOUT = "training/image_2/*.png and training/semantic/*.png, and testing/image_2/*.png, in the root or data_semantics/"
PUBLISHED = {"train": 200, "test": 200}
LABELLED = ("train",)
CLASS_SET = "cityscapes"

FOLDERS = {"train": "training", "test": "testing"}


def find(root: Path, split: str) -> SplitFiles:
    """The files of training/ or testing/; the latter has no labels."""
    if split not in FOLDERS:
        return SplitFiles([])
    folder = _place(root) / FOLDERS[split]
    return paired(folder / "image_2", folder / "semantic", labels.of_files(CITYSCAPES, Legend(LABEL_IDS)))


def recognise(root: Path) -> str | None:
    """KITTI semantics has training/semantic/ beside training/image_2/."""
    training = _place(root) / "training"
    if (training / "semantic").is_dir() and (training / "image_2").is_dir():
        return "training/image_2/ and training/semantic/"
    return None


def _place(root: Path) -> Path:
    inner = root / "data_semantics"
    return inner if inner.is_dir() else root
