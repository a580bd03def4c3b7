"""CamVid: frames of drives through Cambridge, in the eleven classes and the split of SegNet's tutorial."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

from udas_tf.data import labels
from udas_tf.data.class_sets import built_in
from udas_tf.data.labels import Legend
from udas_tf.data.split_files import SplitFiles, paired
from udas_tf.taxonomy import IGNORE

LAYOUT = (
    "701_StillsRaw_full/*.png and LabeledApproved_full/*_L.png, or of eleven ids SPLIT/*.png and SPLITannot/*.png, "
    "or SPLIT/images and SPLIT/labels"
)
PUBLISHED = {"train": 367, "val": 101, "test": 233}
LABELLED = ("train", "val", "test")
DRIVES = ("0001TP_", "0006R0_", "0016E5_", "Seq05VD_")  # beginnings of its frames' names

# In SegNet's order, in CamVid's own colours.
CLASSES = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (0, 0, 192),
    "tree": (128, 128, 0),
    "sign symbol": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}

CLASS_MAPS = {
    ("cityscapes", "camvid"): {
        "road": "road",
        "sidewalk": "pavement",
        "building": "building",
        "wall": "building",
        "fence": "fence",
        "pole": "pole",
        "traffic light": "sign symbol",
        "traffic sign": "sign symbol",
        "vegetation": "tree",
        "terrain": "tree",
        "sky": "sky",
        "person": "pedestrian",
        "rider": "bicyclist",
        "car": "car",
        "truck": "car",
        "bus": "car",
        "train": "car",
        "motorcycle": "bicyclist",
        "bicycle": "bicyclist",
    }
}

# The 32 colours of label_colors.txt -> SegNet's classes.
COLOURS: dict[labels.Colour, str | None] = {
    (64, 128, 64): "pedestrian",  # Animal
    (192, 0, 128): "building",  # Archway
    (0, 128, 192): "bicyclist",  # Bicyclist
    (0, 128, 64): "building",  # Bridge
    (128, 0, 0): "building",  # Building
    (64, 0, 128): "car",  # Car
    (64, 0, 192): "pedestrian",  # CartLuggagePram
    (192, 128, 64): "pedestrian",  # Child
    (192, 192, 128): "pole",  # Column_Pole
    (64, 64, 128): "fence",  # Fence
    (128, 0, 192): "road",  # LaneMkgsDriv
    (192, 0, 64): "road",  # LaneMkgsNonDriv
    (128, 128, 64): "sign symbol",  # Misc_Text
    (192, 0, 192): "bicyclist",  # MotorcycleScooter
    (128, 64, 64): "car",  # OtherMoving
    (64, 192, 128): "pavement",  # ParkingBlock
    (64, 64, 0): "pedestrian",  # Pedestrian
    (128, 64, 128): "road",  # Road
    (128, 128, 192): "pavement",  # RoadShoulder
    (0, 0, 192): "pavement",  # Sidewalk
    (192, 128, 128): "sign symbol",  # SignSymbol
    (128, 128, 128): "sky",  # Sky
    (64, 128, 192): "car",  # SUVPickupTruck
    (0, 0, 64): "pole",  # TrafficCone
    (0, 64, 64): "sign symbol",  # TrafficLight
    (192, 64, 128): "car",  # Train
    (128, 128, 0): "tree",  # Tree
    (192, 128, 192): "car",  # Truck_Bus
    (64, 0, 64): "building",  # Tunnel
    (192, 192, 0): "tree",  # VegetationMisc
    (0, 0, 0): None,  # Void
    (64, 192, 0): "building",  # Wall
}
# The PNGs of ids hold 11 where SegNet's tutorial ignores.
LEGEND = Legend({**dict(enumerate(CLASSES)), 11: None, IGNORE: None}, COLOURS)


def find(root: Path, split: str) -> SplitFiles:
    """The files of one of three layouts.

    701_StillsRaw_full/NAME.png and LabeledApproved_full/NAME_L.png in 32 colours, which `tutorial_split` splits. Or,
    in eleven ids, SPLIT/NAME.png and SPLITannot/NAME.png as in SegNet's tutorial, or SPLIT/images/NAME.* and
    SPLIT/labels/NAME.png.
    """
    how = labels.of_files(built_in()["camvid"], LEGEND)
    images = root / "701_StillsRaw_full"
    if (root / f"{split}annot").is_dir():
        return paired(root / split, root / f"{split}annot", how)
    if not images.is_dir():
        return paired(root / split / "images", root / split / "labels", how)
    files = paired(images, root / "LabeledApproved_full", how, label_ending="_L.png")
    pairs = [pair for pair in files.pairs if tutorial_split(pair.name) == split]
    return dataclasses.replace(files, pairs=pairs, skipped=files.skipped if split == "train" else ())


def tutorial_split(name: str) -> str:
    """The split of a frame in SegNet's tutorial: 367 train, 101 val and 233 test frames of the 701."""
    sequence, _, frame = name.rpartition("_")
    number = int("".join(filter(str.isdigit, frame)) or 0)
    if sequence == "0016E5" and 7959 <= number <= 8159:
        return "val"
    if sequence == "Seq05VD" or (sequence == "0001TP" and number >= 8550):
        return "test"
    return "train"


def recognise(root: Path) -> str | None:
    """CamVid has 701_StillsRaw_full/, or train/ beside trainannot/, or frames named after its drives."""
    if (root / "701_StillsRaw_full").is_dir():
        return "701_StillsRaw_full/"
    if (root / "trainannot").is_dir():
        return "train/ and trainannot/"
    frames = (root / "train" / "images").glob("*")
    if any(frame.name.startswith(DRIVES) for frame in itertools.islice(frames, 100)):
        return f"frames in train/images/ named after its drives, {', '.join(DRIVES)}"
    return None
