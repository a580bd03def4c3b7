"""Dark Zurich: photographs of Zurich at night, and by day and at twilight [Sakaridis 2020, arXiv:2005.14553].

The form: README of the archives Dark_Zurich_{train,val,test}_anon.zip, trace.ethz.ch, 2019. Values are the train ids
of Cityscapes, and 255 where they are ignored.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import joined, matched
from udas_tf.data.labels import Legend
from udas_tf.data.sample import path_text
from udas_tf.data.sets.acdc import BESIDE, IMAGE, LABEL
from udas_tf.data.sets.cityscapes import TRAIN_IDS
from udas_tf.data.split_files import SplitFiles

LAYOUT = (
    "rgb_anon/SPLIT/night/SEQUENCE/*_rgb_anon.png and gt/val/night/SEQUENCE/*_gt_labelTrainIds.png, in the root or in "
    "Dark_Zurich_SPLIT_anon/"
)
PUBLISHED = {"train": 2_416, "val": 50, "test": 151}
LABELLED = ("val",)
CLASS_SET = "cityscapes"

TIMES = ("night", "twilight", "day")


def find(root: Path, split: str) -> SplitFiles:
    """The images of a split at night; those at twilight and by day, of the same places, are not read."""
    place = _place(root, split)
    how = labels.of_files(CITYSCAPES, Legend(TRAIN_IDS))
    night = matched(place / "rgb_anon" / split / "night", place / "gt" / split / "night", IMAGE, LABEL, None, BESIDE)
    files = joined([("night", night)], how)
    others = [Path(folder, time) for folder in (split, f"{split}_ref") for time in TIMES]
    there = [path for path in others if path != Path(split, "night") and (place / "rgb_anon" / path).is_dir()]
    left = ", ".join(f"rgb_anon/{path_text(path)}" for path in there)
    warnings = (f"images that are not of the night are not read: {left}",) if left else ()
    return dataclasses.replace(files, warnings=(*files.warnings, *warnings))


def recognise(root: Path) -> str | None:
    """Dark Zurich has rgb_anon/SPLIT/TIME/SEQUENCE/*_rgb_anon.png, TIME being night, twilight or day."""
    for split in PUBLISHED:
        for time in TIMES:
            folder = _place(root, split) / "rgb_anon" / split / time
            first = next(folder.glob(f"*/{IMAGE}"), None)
            if first:
                return str(first.relative_to(root))
    return None


def _place(root: Path, split: str) -> Path:
    """Each split has an archive of its own."""
    inner = root / f"Dark_Zurich_{split}_anon"
    return inner if inner.is_dir() else root
