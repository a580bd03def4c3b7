"""The class sets that data sets declare, and what the classes of one become in another."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from udas_tf.data import sets
from udas_tf.errors import UserError
from udas_tf.taxonomy import IGNORE, ClassSet

if TYPE_CHECKING:
    import numpy as np

    from udas_tf.data.class_map import ClassMap


@functools.cache
def built_in() -> dict[str, ClassSet]:
    """Class sets by name, from the constants CLASSES of the data sets."""
    return {
        name: ClassSet(name, tuple(colours), tuple(colours.values()))
        for name, colours in sets.constants("CLASSES").items()
    }


@functools.cache
def class_maps() -> dict[tuple[str, str], dict[str, str | None]]:
    """(class set, class set) -> what the classes of the first become in the second, None = ignored."""
    return {pair: into for maps in sets.constants("CLASS_MAPS").values() for pair, into in maps.items()}


CITYSCAPES = built_in()["cityscapes"]  # the labels of Streets, and of most simulators


def train_ids(native: ClassSet, classes: ClassSet, written: ClassMap | None = None) -> np.ndarray:
    """What the classes of a data set become in the class set of a run.

    Where the two differ and the user has written a class map, that counts, then one that a data set declares between
    them; otherwise a class becomes the one of the same name.

    Returns:
      uint8 [256]: train id in `native` -> train id in `classes`; IGNORE for classes that `classes` lacks.

    Raises:
      UserError: the written class map lacks a class, or leads to one that `classes` lacks; a class map leads from
        `classes` to `native` and none back (CamVid's cars are Cityscapes' cars, trucks and buses); or the two have no
        class in common.
    """
    import numpy as np  # here, because commands look up class sets before they compute anything

    names = _declared_name(native), _declared_name(classes)
    into: Mapping[str, str | None] | None = class_maps().get(names)
    if written is not None and native.classes != classes.classes:
        into = _checked(written, native, classes)
    elif into is None and names[::-1] in class_maps():
        raise UserError(
            f"the {len(native)} classes of {names[0]} cannot be told apart into the {len(classes)} of {names[1]}; "
            f"set config.classes to {names[0]!r}, which the other data set's classes are mapped to as well"
        )
    table = np.full(256, IGNORE, np.uint8)
    for number, name in enumerate(native.classes):
        place = name if into is None else into[name]
        if place in classes.classes:
            table[number] = classes.id_of(place)
    if (table == IGNORE).all():
        raise UserError(
            f"class sets {native.name} ({', '.join(native.classes)}) and {classes.name} "
            f"({', '.join(classes.classes)}) have no class in common; choose another config.classes"
        )
    return table


def _checked(written: ClassMap, native: ClassSet, classes: ClassSet) -> Mapping[str, str | None]:
    """What a written class map says; UserError unless it has all classes of `native` and leads to `classes`."""
    missing = [name for name in native.classes if name not in written.into]
    if missing:
        raise UserError(
            f"the class map {written.file} has no line for {', '.join(missing)} of {native.name}; add one for each, "
            "null = ignored"
        )
    foreign = sorted({place for place in written.into.values() if place is not None and place not in classes.classes})
    if foreign:
        raise UserError(
            f"the class map {written.file} leads to {', '.join(foreign)}, and {classes.name} has the classes "
            f"{', '.join(classes.classes)}"
        )
    return written.into


def _declared_name(classes: ClassSet) -> str:
    """Name of the declared class set that has the same classes, whatever its colours; "" where there is none."""
    names = (name for name, declared in built_in().items() if declared.classes == classes.classes)
    return next(names, "")
