"""ACDC: photographs of streets in fog, at night, in rain and in snow [Sakaridis 2021, arXiv:2104.13395].

The form: README of the archives rgb_anon_trainvaltest.zip and gt_trainval.zip, acdc.vision.ee.ethz.ch. Values are the
train ids of Cityscapes, and 255 where they are ignored.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import joined, matched
from udas_tf.data.labels import Legend
from udas_tf.data.sample import path_text
from udas_tf.data.sets.cityscapes import TRAIN_IDS
from udas_tf.data.split_files import SplitFiles

LAYOUT = (
    "rgb_anon/CONDITION/SPLIT/SEQUENCE/*_rgb_anon.png and gt/CONDITION/SPLIT/SEQUENCE/*_gt_labelTrainIds.png, where "
    "CONDITION is fog, night, rain or snow"
)
PUBLISHED = {"train": 1_600, "val": 406, "test": 2_000}
LABELLED = ("train", "val")
CLASS_SET = "cityscapes"

CONDITIONS = ("fog", "night", "rain", "snow")
IMAGE, LABEL = "*_rgb_anon.png", "*_gt_labelTrainIds.png"
BESIDE = ("*_gt_labelIds", "*_gt_labelColor", "*_gt_invIds", "*_gt_invGray")  # other annotations of the same images


def find(root: Path, split: str) -> SplitFiles:
    """The images of a split in all conditions; those of the same places in good weather, SPLIT_ref/, are not read."""
    how = labels.of_files(CITYSCAPES, Legend(TRAIN_IDS))
    parts = [
        (
            condition,
            matched(root / "rgb_anon" / condition / split, root / "gt" / condition / split, IMAGE, LABEL, None, BESIDE),
        )
        for condition in CONDITIONS
    ]
    files = joined(parts, how)
    return dataclasses.replace(files, warnings=(*files.warnings, *_references(root, split)))


def _references(root: Path, split: str) -> tuple[str, ...]:
    folders = [root / "rgb_anon" / condition / f"{split}_ref" for condition in CONDITIONS]
    there = [path_text(folder.relative_to(root)) for folder in folders if folder.is_dir()]
    return (f"images in good weather are not read: {', '.join(there)}",) if there else ()


def recognise(root: Path) -> str | None:
    """ACDC has rgb_anon/CONDITION/SPLIT/SEQUENCE/*_rgb_anon.png."""
    for condition in CONDITIONS:
        first = next((root / "rgb_anon" / condition).glob(f"*/*/{IMAGE}"), None)
        if first:
            return str(first.relative_to(root))
    return None
