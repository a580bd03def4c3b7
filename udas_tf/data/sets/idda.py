"""IDDA: frames of a modified CARLA, in 105 scenarios of towns, weathers and cars [Alberti 2020, arXiv:2004.08298].

The form: the archives of idda-dataset.github.io, a folder for each scenario. Tags are those of the paper's 24 classes.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import joined
from udas_tf.data.labels import Legend
from udas_tf.data.split_files import SplitFiles, paired

LAYOUT = "SCENARIO/RGB/*.jpg and SCENARIO/Semantic/*.png"
LABELLED = ("train",)
CLASS_SET = "cityscapes"

TAGS: dict[int, str | None] = {
    0: None,  # unlabelled
    1: "building",
    2: "fence",
    3: None,  # other
    4: "person",
    5: "pole",
    6: "road",  # road line
    7: "road",
    8: "sidewalk",
    9: "vegetation",
    10: "car",
    11: "wall",
    12: "traffic sign",
    13: "traffic light",
    14: None,  # guard rail
    15: None,  # dynamic
    16: "bicycle",
    17: "motorcycle",
    18: "rider",
    19: "terrain",
    20: "sky",
    21: None,  # railway
    22: None,  # ground
    23: None,  # static
}


def find(root: Path, split: str) -> SplitFiles:
    """The images of all scenarios, all of it "train". Labels hold tags in one channel, or in the red one alone."""
    if split != "train":
        return SplitFiles([])
    parts = [(path.parent.name, paired(path, path.parent / "Semantic", None)) for path in _images(root)]
    return joined(parts, labels.of_files(CITYSCAPES, Legend(TAGS)))


def recognise(root: Path) -> str | None:
    """IDDA's scenarios hold RGB/ and Semantic/."""
    folders = _images(root)
    return f"{folders[0].relative_to(root)}/ and Semantic/ beside it" if folders else None


def _images(root: Path) -> list[Path]:
    return [path for path in sorted(root.glob("*/RGB")) if (path.parent / "Semantic").is_dir()]
