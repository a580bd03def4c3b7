"""UrbanSyn: photorealistic renderings of cities, with train ids [Gomez 2023, arXiv:2312.12176].

The form: README of huggingface.co/datasets/UrbanSyn/UrbanSyn, 2024. Values are the train ids of Cityscapes; 19 is
unlabelled.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import matched
from udas_tf.data.labels import Legend
from udas_tf.data.sets.cityscapes import TRAIN_IDS
from udas_tf.data.split_files import SplitFiles

LAYOUT = "rgb/rgb_*.png and ss/ss_*.png"
PUBLISHED = {"train": 7_539}
LABELLED = ("train",)
CLASS_SET = "cityscapes"

LEGEND = Legend({**TRAIN_IDS, 19: None})


def find(root: Path, split: str) -> SplitFiles:
    """rgb/rgb_NUMBER.png and ss/ss_NUMBER.png, all of it "train"."""
    if split != "train":
        return SplitFiles([])
    return matched(root / "rgb", root / "ss", "rgb_*.png", "ss_*.png", labels.of_files(CITYSCAPES, LEGEND))


def recognise(root: Path) -> str | None:
    """UrbanSyn has ss/ss_NUMBER.png beside rgb/."""
    if (root / "rgb").is_dir() and next((root / "ss").glob("ss_*.png"), None):
        return "rgb/ and ss/ss_*.png"
    return None
