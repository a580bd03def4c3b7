"""`classes.yaml`: the classes of one's own data, and what the pixels of its labels mean.

name: warehouse                       # of the class set; without it that of the file's folder
classes:                              # in the order of their train ids; or the name of a built-in set
  - {name: floor, colour: [128, 64, 128]}
  - {name: shelf, colour: [70, 70, 70]}
ids: {0: null, 7: floor, 8: shelf}    # what label pixels hold -> class, null = ignored;
                                      # without it they hold train ids, and 255 where they are ignored
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import yaml

from udas_tf.errors import UserError
from udas_tf.taxonomy import CLASS_SETS, IGNORE, ClassSet

FILE_NAME = "classes.yaml"
MOST_CLASSES = 254  # 254 and 255 are no train ids


@dataclasses.dataclass(frozen=True)
class ClassFile:
    """What a classes.yaml says.

    Attributes:
      classes: the class set.
      ids: value of a label pixel, 0..65535 -> class name, or None where it is ignored.
    """

    classes: ClassSet
    ids: Mapping[int, str | None]


def class_set(name: str) -> ClassSet:
    """The class set a config means: a built-in one by its name, or the one of a .yaml file."""
    if name in CLASS_SETS:
        return CLASS_SETS[name]
    if name.endswith((".yaml", ".yml")):
        return read(Path(name)).classes
    raise UserError(f"classes={name!r} is unknown; expected {', '.join(CLASS_SETS)} or a {FILE_NAME}")


def train_ids_of(classes: ClassSet) -> ClassFile:
    """Labels that hold the train ids of `classes`."""
    return ClassFile(classes, {**dict(enumerate(classes.classes)), IGNORE: None})


def read(path: Path) -> ClassFile:
    """Reads a classes.yaml; UserError naming it and what is wrong in it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict) or not {"classes"} <= set(content) <= {"name", "classes", "ids"}:
            raise ValueError("expected the keys 'classes' and, if wanted, 'name' and 'ids'")
        described = train_ids_of(
            _classes(content["classes"], content.get("name", path.resolve().parent.name))
        )
        if "ids" in content:
            described = ClassFile(described.classes, _ids(content["ids"], described.classes))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {error}") from error
    return described


def _classes(given: object, name: object) -> ClassSet:
    if isinstance(given, str):
        if given not in CLASS_SETS:
            raise ValueError(
                f"classes: {given!r} is no class set; expected a list or one of {', '.join(CLASS_SETS)}"
            )
        return CLASS_SETS[given]
    if not isinstance(given, list) or not 2 <= len(given) <= MOST_CLASSES:
        raise ValueError(f"classes: expected a list of 2 to {MOST_CLASSES} classes")
    for entry in given:
        if not isinstance(entry, dict) or set(entry) != {"name", "colour"} or not _is_colour(entry["colour"]):
            raise ValueError(f"classes: {entry} is not like {{name: floor, colour: [128, 64, 128]}}")
    names = tuple(str(entry["name"]) for entry in given)
    if len(set(names)) < len(names):
        raise ValueError("classes: two have the same name")
    return ClassSet(str(name), names, tuple(tuple(entry["colour"]) for entry in given))


def _is_colour(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and all(_is_integer(part, 255) for part in value)


def _is_integer(value: object, most: int) -> bool:
    return type(value) is int and 0 <= value <= most


def _ids(given: object, classes: ClassSet) -> dict[int, str | None]:
    if not isinstance(given, dict) or not given:
        raise ValueError("ids: expected a map like {0: null, 7: floor}")
    for id_, name in given.items():
        if not _is_integer(id_, 65535):
            raise ValueError(f"ids: {id_!r} is not an integer from 0 to 65535")
        if name is not None and name not in classes.classes:
            raise ValueError(f"ids: {id_} goes to {name!r}, which is none of {', '.join(classes.classes)}")
    return given
