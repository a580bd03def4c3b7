"""Class sets: names, colours and the ignore id.

Labels are train ids 0..C-1 of one class set, and `IGNORE` where a pixel has no class. The class sets themselves are
declared by data sets (`udas_tf.data.sets`) or by a classes.yaml of one's own (`udas_tf.data.class_file`).
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        import numpy as np  # here, because commands read class sets before they compute anything

        table = np.zeros((256, 3), np.uint8)
        table[: len(self.colours)] = self.colours
        return table
