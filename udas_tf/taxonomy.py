"""Class sets: names, palettes and the ignore id; what data sets call their classes; subsets that scores name.

Labels are train ids 0..C-1 of one class set, and `IGNORE` where a pixel has no class. A data set has a class set of
its own and a map from what its files hold to the names of that set, None for what its owners do not score; `train_ids`
leads from there to the class set of a run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from udas_tf.errors import UserError

IGNORE = 255


@dataclasses.dataclass(frozen=True)
class ClassSet:
    """An ordered set of classes; a train id is a position in it.

    Attributes:
      name: what configs call the set.
      classes: class names by train id.
      colours: (red, green, blue) by train id, each 0..255.
    """

    name: str
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]

    def __len__(self) -> int:
        return len(self.classes)

    def id_of(self, class_name: str) -> int:
        """Train id of a class; ValueError when the set has no such class."""
        return self.classes.index(class_name)

    def palette(self) -> np.ndarray:
        """uint8 [256, 3] lookup table from label to colour; ids without a class, IGNORE among them, are black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colours)] = self.colours
        return table


# Names, order and colours of cityscapesScripts, helpers/labels.py.
_CITYSCAPES = (
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("building", (70, 70, 70)),
    ("wall", (102, 102, 156)),
    ("fence", (190, 153, 153)),
    ("pole", (153, 153, 153)),
    ("traffic light", (250, 170, 30)),
    ("traffic sign", (220, 220, 0)),
    ("vegetation", (107, 142, 35)),
    ("terrain", (152, 251, 152)),
    ("sky", (70, 130, 180)),
    ("person", (220, 20, 60)),
    ("rider", (255, 0, 0)),
    ("car", (0, 0, 142)),
    ("truck", (0, 0, 70)),
    ("bus", (0, 60, 100)),
    ("train", (0, 80, 100)),
    ("motorcycle", (0, 0, 230)),
    ("bicycle", (119, 11, 32)),
)

CITYSCAPES = ClassSet("cityscapes", *zip(*_CITYSCAPES, strict=True))

# The eleven classes of the SegNet tutorial, in its order, in CamVid's own colours.
_CAMVID = (
    ("sky", (128, 128, 128)),
    ("building", (128, 0, 0)),
    ("pole", (192, 192, 128)),
    ("road", (128, 64, 128)),
    ("pavement", (0, 0, 192)),
    ("tree", (128, 128, 0)),
    ("sign symbol", (192, 128, 128)),
    ("fence", (64, 64, 128)),
    ("car", (64, 0, 128)),
    ("pedestrian", (64, 64, 0)),
    ("bicyclist", (0, 128, 192)),
)

CAMVID = ClassSet("camvid", *zip(*_CAMVID, strict=True))

CLASS_SETS = {classes.name: classes for classes in (CITYSCAPES, CAMVID)}

# The subsets of the nineteen that scores from SYNTHIA are published on: it draws no terrain, truck or train, and few
# walls, fences and poles.
SYNTHIA_SUBSETS = {
    subset: tuple(name for name in CITYSCAPES.classes if name not in without)
    for subset, without in (
        (16, ("terrain", "truck", "train")),
        (13, ("terrain", "truck", "train", "wall", "fence", "pole")),
    )
}

# Cityscapes "labelIds" -> class; cityscapesScripts, helpers/labels.py. What it does not evaluate is None.
_EVALUATED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CITYSCAPES_LABEL_IDS: Mapping[int, str | None] = {
    **dict.fromkeys(range(34)),
    **dict(zip(_EVALUATED, CITYSCAPES.classes, strict=True)),
}

# GTA5's palette PNGs hold the same ids, and 34 for licence plates.
GTA5_IDS: Mapping[int, str | None] = {**CITYSCAPES_LABEL_IDS, 34: None}

# SYNTHIA-RAND-CITYSCAPES, README.txt of the data set. Parking slots, road works and lane markings belong to none of
# the nineteen; the literature ignores them too.
_SYNTHIA = (
    *(
        None,
        "sky",
        "building",
        "road",
        "sidewalk",
        "fence",
        "vegetation",
        "pole",
        "car",
        "traffic sign",
        "person",
    ),
    *(
        "bicycle",
        "motorcycle",
        None,
        None,
        "traffic light",
        "terrain",
        "rider",
        "truck",
        "bus",
        "train",
        "wall",
        None,
    ),
)
SYNTHIA_IDS: Mapping[int, str | None] = dict(enumerate(_SYNTHIA))

# CamVid's 32 colours (its label_colors.txt) -> SegNet's eleven classes.
CAMVID_COLOURS: Mapping[tuple[int, int, int], str | None] = {
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

_IN_CAMVID = (
    *(
        "road",
        "pavement",
        "building",
        "building",
        "fence",
        "pole",
        "sign symbol",
        "sign symbol",
        "tree",
        "tree",
    ),
    *("sky", "pedestrian", "bicyclist", "car", "car", "car", "car", "bicyclist", "bicyclist"),
)
CITYSCAPES_IN_CAMVID: Mapping[str, str] = dict(zip(CITYSCAPES.classes, _IN_CAMVID, strict=True))


def train_ids(native: ClassSet, classes: ClassSet) -> np.ndarray:
    """Where the classes of a data set go in the class set of a run.

    Cityscapes' nineteen go to CamVid's eleven as `CITYSCAPES_IN_CAMVID` says; classes of one's own go to the classes
    of the same name.

    Returns:
      uint8 [256]: train id in `native` -> train id in `classes`; IGNORE for what `classes` has no place for.

    Raises:
      UserError: `classes` divides what `native` does not (CamVid's cars into Cityscapes' cars, trucks and buses), or
        the two have no class in common.
    """
    renamed = {name: name for name in native.classes}
    if native.classes == CITYSCAPES.classes and classes.classes == CAMVID.classes:
        renamed = CITYSCAPES_IN_CAMVID
    elif native.classes == CAMVID.classes and classes.classes == CITYSCAPES.classes:
        raise UserError(
            "camvid's eleven classes cannot be told apart into cityscapes' nineteen; set config.classes to 'camvid', "
            "which the other data set's classes are mapped to as well"
        )
    table = np.full(256, IGNORE, np.uint8)
    for number, name in enumerate(native.classes):
        if renamed[name] in classes.classes:
            table[number] = classes.id_of(renamed[name])
    if (table == IGNORE).all():
        raise UserError(
            f"class sets {native.name} ({', '.join(native.classes)}) and {classes.name} "
            f"({', '.join(classes.classes)}) have no class in common; choose another config.classes"
        )
    return table
