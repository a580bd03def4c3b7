"""SELMA: frames of a CARLA with more classes, in 27 weathers and times of day [Testolina 2022, arXiv:2204.09788].

The form: README of github.com/LTTM/SELMA, version 0.1, and the sample in it; a folder for each scene, of a town and a
condition, and in it a folder for each sensor.
"""

from __future__ import annotations

from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.file_trees import joined
from udas_tf.data.labels import Legend
from udas_tf.data.split_files import SplitFiles, paired

LAYOUT = (
    "SCENE/CAM_POSITION/*.jpg and SCENE/SEGCAM_POSITION/*.png, such as Town01_Opt_ClearNoon/CAM_DESK, in the root or "
    "in CV/"
)
LABELLED = ("train",)
CLASS_SET = "cityscapes"

# Tags that the map of the README ignores are those of CARLA without one of the nineteen classes. People, riders and
# vehicles have tags from 40 on.
IGNORED = (0, 3, 4, 10, 14, 15, 16, 17, 19, 20, 21, 255)
TAGS: dict[int, str | None] = {
    **dict.fromkeys(IGNORED),
    1: "building",
    2: "fence",
    5: "pole",
    6: "road",  # road line
    7: "road",
    8: "sidewalk",
    9: "vegetation",
    11: "wall",
    12: "traffic sign",
    13: "sky",
    18: "traffic light",
    22: "terrain",
    40: "person",
    41: "rider",
    100: "car",
    101: "truck",
    102: "bus",
    103: "train",
    104: "motorcycle",
    105: "bicycle",
}


def find(root: Path, split: str) -> SplitFiles:
    """The images of all scenes and cameras, all of it "train". Labels hold tags in one channel, or in the red alone."""
    if split != "train":
        return SplitFiles([])
    parts = [
        (f"{camera.parent.name}/{camera.name}", paired(camera, camera.parent / f"SEG{camera.name}", None))
        for camera in _cameras(root)
    ]
    return joined(parts, labels.of_files(CITYSCAPES, Legend(TAGS)))


def recognise(root: Path) -> str | None:
    """SELMA has cameras CAM_POSITION with SEGCAM_POSITION beside, in scenes called after a town and a condition."""
    for camera in _cameras(root):
        if (camera.parent / f"SEG{camera.name}").is_dir():
            return f"{camera.relative_to(root)} and SEG{camera.name}"
    return None


def _cameras(root: Path) -> list[Path]:
    """The folders of colour cameras; the downloader of the data set writes into CV/."""
    return [path for place in (root, root / "CV") for path in sorted(place.glob("Town*_*/CAM_*/"))]
