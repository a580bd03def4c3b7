"""Virtual KITTI 2: renderings of five drives of KITTI in ten variations [Cabon 2020, arXiv:2001.10773].

The form: europe.naverlabs.com, "Virtual KITTI 2", archives of version 2.0.3; the colours are those of colors.txt in
vkitti_2.0.3_textgt. Vans are cars, as in Cityscapes.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import joined, matched
from udas_tf.data.labels import Colour, Legend
from udas_tf.data.split_files import SplitFiles

LAYOUT = (
    "SCENE/VARIATION/frames/rgb/CAMERA/rgb_*.jpg and SCENE/VARIATION/frames/classSegmentation/CAMERA/classgt_*.png, "
    "such as Scene01/15-deg-left/frames/rgb/Camera_0"
)
PUBLISHED = {"train": 42_520}
LABELLED = ("train",)
CLASS_SET = "cityscapes"

COLOURS: dict[Colour, str | None] = {
    (210, 0, 200): "terrain",
    (90, 200, 255): "sky",
    (0, 199, 0): "vegetation",  # Tree
    (90, 240, 0): "vegetation",
    (140, 140, 140): "building",
    (100, 60, 100): "road",
    (250, 100, 255): None,  # GuardRail
    (255, 255, 0): "traffic sign",
    (200, 200, 0): "traffic light",
    (255, 130, 0): "pole",
    (80, 80, 80): None,  # Misc
    (160, 60, 60): "truck",
    (255, 127, 80): "car",
    (0, 139, 139): "car",  # Van
    (0, 0, 0): None,  # Undefined
}


def find(root: Path, split: str) -> SplitFiles:
    """The images of all scenes, variations and cameras, all of it "train"."""
    if split != "train":
        return SplitFiles([])
    parts = [
        (
            frames.parent.relative_to(root).as_posix(),
            matched(frames / "rgb", frames / "classSegmentation", "rgb_*.jpg", "classgt_*.png", None),
        )
        for frames in sorted(root.glob("Scene*/*/frames"))
    ]
    return joined(parts, labels.of_files(CITYSCAPES, Legend(colours=COLOURS)))


def recognise(root: Path) -> str | None:
    """Virtual KITTI 2 has SCENE/VARIATION/frames/rgb/CAMERA/rgb_*.jpg."""
    first = next(root.glob("Scene*/*/frames/rgb/Camera_*/rgb_*.jpg"), None)
    return str(first.relative_to(root)) if first else None
