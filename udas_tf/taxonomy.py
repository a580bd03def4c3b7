"""Class sets: names, palettes and the ignore id.

Labels are train ids 0..C-1 of one class set, and `IGNORE` where a pixel has no class.
Names, order and colours of the nineteen Cityscapes classes are those of cityscapesScripts (helpers/labels.py).
"""

from __future__ import annotations

import dataclasses

import numpy as np

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
