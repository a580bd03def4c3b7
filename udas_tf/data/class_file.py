"""`classes.yaml`: the classes of one's own data, and what the pixels of its labels mean.

name: warehouse                       # of the class set; without it that of the file's folder
classes:                              # in the order of their train ids; or the name of a built-in set
  - {name: floor, colour: [128, 64, 128], id: 7}
  - {name: shelf, colours: ["#464646", [70, 80, 70]], ids: [8, 9]}   # the first colour is the one that is drawn
ids: {0: null}                        # what label pixels hold -> class, null = ignored; with the ids above.
                                      # Without any id they hold train ids, and 255 or -1 where they are ignored
colours: {"#9dea32": floor}           # more colours of colour labels -> class, null = ignored; black is ignored
instances: 1000                       # ids from 1000 on are an id times 1000, plus the number of an instance
palette: indices                      # of palette images: indices or colours; without it the files decide
class_map: map.yaml                   # what the classes become in a run of other classes; `udas data map` writes it
between: nearest                      # a colour that no class has: nearest, or refuse, which is what else happens

docs/data.md has every key. All text is taken as it is written: a class may be called no, on or 7.
"""

from __future__ import annotations

import codecs
import dataclasses
import difflib
import os
import re
import unicodedata
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from udas_tf.data.class_sets import built_in
from udas_tf.errors import UserError
from udas_tf.taxonomy import IGNORE, ClassSet

FILE_NAME = "classes.yaml"
FILE_NAMES = (FILE_NAME, "classes.yml")  # in any case
MOST_CLASSES = 254  # 254 and 255 are no train ids
MOST_ID = 65535
BLACK = (0, 0, 0)
KEYS = ("name", "classes", "ids", "colours", "instances", "palette", "between", "class_map")
CLASS_KEYS = ("name", "colour", "colours", "id", "ids")
AMERICAN = {"color": "colour", "colors": "colours"}
PALETTE: dict[str, Literal["ids", "colours"]] = {"indices": "ids", "colours": "colours", "colors": "colours"}
BETWEEN = {"refuse": False, "nearest": True}
LIKE = '{name: floor, colour: [128, 64, 128]} or {name: floor, colour: "#804080"}'
BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

Colour = tuple[int, int, int]


@dataclasses.dataclass(frozen=True)
class ClassFile:
    """What a classes.yaml says.

    Attributes:
      classes: the class set.
      ids: value of a label pixel, -1..65535 -> class name, or None where it is ignored.
      colours: colour of a label pixel -> class name, or None where it is ignored; empty where two classes share one.
      assumed: whether it says nothing of ids, so that they are train ids.
      instances: ids from this on are an id times this, plus the number of an instance; None = they are ids.
      palette: how palette images are read; None = as the files suggest.
      nearest: whether a colour that no class has stands for the nearest one.
      class_map: file that says what the classes become in a run of others; None = those of the same names.
    """

    classes: ClassSet
    ids: Mapping[int, str | None]
    colours: Mapping[Colour, str | None] = dataclasses.field(default_factory=dict)
    assumed: bool = False
    instances: int | None = None
    palette: Literal["ids", "colours"] | None = None
    nearest: bool = False
    class_map: Path | None = None


def class_set(name: str) -> ClassSet:
    """The class set a config means: a built-in one by its name, or the one of a .yaml file."""
    if name in built_in():
        return built_in()[name]
    if name.lower().endswith((".yaml", ".yml")):
        return read(Path(name)).classes
    raise UserError(f"classes={name!r} is unknown; expected {', '.join(built_in())} or a {FILE_NAME}")


def exists(name: str) -> bool:
    """Whether a config's class set can be read: a built-in one always can, a file where it lies."""
    return name in built_in() or Path(name).is_file()


def find(root: Path) -> Path | None:
    """The class file of a folder: classes.yaml or classes.yml, in any case; None without one.

    Raises:
      UserError: there are several.
    """
    if not root.is_dir():
        return None
    there = sorted(path for path in root.iterdir() if path.name.lower() in FILE_NAMES and path.is_file())
    if len(there) > 1:
        raise UserError(f"{root} holds {' and '.join(path.name for path in there)}; remove all but one")
    return there[0] if there else None


def write(classes: ClassSet, path: Path) -> None:
    """Writes a class set in the form that `read` reads."""
    listed = [
        {"name": name, "colour": list(colour)} for name, colour in zip(classes.classes, classes.colours, strict=True)
    ]
    text = yaml.safe_dump({"name": classes.name, "classes": listed}, sort_keys=False, allow_unicode=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def train_ids_of(classes: ClassSet) -> ClassFile:
    """Labels that hold the train ids of `classes`, and 255 or -1 where they are ignored, or its colours."""
    ids = {**dict(enumerate(classes.classes)), IGNORE: None, -1: None}
    return ClassFile(classes, ids, _colours(classes, [], {}), assumed=True)


def read(path: Path) -> ClassFile:
    """Reads a classes.yaml; UserError naming it and what is wrong in it."""
    try:
        content = loaded(path.read_bytes())
        return _described(content, path.resolve().parent)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {error}") from error


def loaded(data: bytes) -> object:
    """What a YAML file holds; all scalars but null are text. UTF-8, or UTF-16 with a byte order mark."""
    encoding = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 from byte {error.start} on; save it as UTF-8") from error
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    """Leaves text as it is written, `no` and `7` too, and refuses a key that stands twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own attribute)
        first: [(tag, pattern) for tag, pattern in resolvers if tag == "tag:yaml.org,2002:null"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, key in enumerate(keys):
            if key in keys[:number]:
                raise ValueError(f"line {node.value[number][0].start_mark.line + 1}: {key!r} stands twice")
        return super().construct_mapping(node, deep)


def _described(content: object, folder: Path) -> ClassFile:
    top = _keyed(content, KEYS, "the file") if isinstance(content, dict) else {}
    if "classes" not in top:
        raise ValueError(
            f"expected the key 'classes', and if wanted {', '.join(key for key in KEYS if key != 'classes')}"
        )
    classes, entries = _classes(top["classes"], top.get("name") or folder.name)
    ids, assumed = _ids(top.get("ids"), classes, entries)
    return ClassFile(
        classes,
        ids,
        _colours(classes, entries, top.get("colours", {})),
        assumed,
        _instances(top.get("instances")),
        None if "palette" not in top else PALETTE[_one_of(PALETTE, top["palette"], "palette")],
        "between" in top and BETWEEN[_one_of(BETWEEN, top["between"], "between")],
        _class_map(top.get("class_map"), folder),
    )


def _keyed(value: dict[Any, Any], known: Iterable[str], where: str) -> dict[str, Any]:
    """A mapping in British spelling; ValueError for a key that is none of the known, naming the nearest."""
    keyed: dict[str, Any] = {}
    for key, content in value.items():
        spelled = AMERICAN.get(key, key)
        if spelled in keyed:
            raise ValueError(f"{where} has {spelled!r} twice, in two spellings")
        if spelled not in known:
            near = difflib.get_close_matches(str(key), list(known), n=1, cutoff=0.5)
            expected = f"did you mean {near[0]!r}?" if near else f"expected the keys {', '.join(known)}"
            raise ValueError(f"{where} has the unknown key {key!r}; {expected}")
        keyed[spelled] = content
    return keyed


def _one_of(known: Mapping[str, object], value: object, key: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{key}: {value!r} is unknown; expected {' or '.join(known)}")
    return value


@dataclasses.dataclass(frozen=True)
class _Entry:
    """A class as the file lists it."""

    name: str
    colours: tuple[Colour, ...]
    ids: tuple[int, ...]


def _classes(value: object, name: object) -> tuple[ClassSet, list[_Entry]]:
    if isinstance(value, str):
        if value not in built_in():
            raise ValueError(f"classes: {value!r} is no class set; expected a list or one of {', '.join(built_in())}")
        return built_in()[value], []
    if not isinstance(value, list) or not 2 <= len(value) <= MOST_CLASSES:
        raise ValueError(f"classes: expected a list of 2 to {MOST_CLASSES} classes")
    entries = [_entry(entry) for entry in value]
    names = [entry.name for entry in entries]
    for number, twice in enumerate(names):
        if twice in names[:number]:
            raise ValueError(
                f"classes: {twice!r} stands twice, two have the same name; a class of several colours is written "
                "{name: floor, colours: [[128, 64, 128], [157, 234, 50]]}"
            )
    return ClassSet(str(name), tuple(names), tuple(entry.colours[0] for entry in entries)), entries


def _entry(value: object) -> _Entry:
    if not isinstance(value, dict):
        raise ValueError(f"classes: {value} is not like {LIKE}")
    keyed = _keyed(value, CLASS_KEYS, f"classes: {value}")
    name = keyed.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"classes: {value} is not like {LIKE}; a name such as null needs quotes")
    if ("colour" in keyed) == ("colours" in keyed) or {"id", "ids"} <= set(keyed):
        raise ValueError(f"classes: {value} is not like {LIKE}, with either colour or colours, and either id or ids")
    colours = [keyed["colour"]] if "colour" in keyed else keyed["colours"]
    ids = [keyed["id"]] if "id" in keyed else keyed.get("ids", [])
    if not isinstance(colours, list) or not colours or not isinstance(ids, list):
        raise ValueError(f"classes: {value} is not like {LIKE}; colours and ids are lists")
    where = f"classes: {name}"
    return _Entry(
        unicodedata.normalize("NFC", name.strip()),
        tuple(_colour(colour, where) for colour in colours),
        tuple(_id(number, where) for number in ids),
    )


def _colour(value: object, where: str) -> Colour:
    """[128, 64, 128], "#804080", or "128 64 128" as the key of a mapping."""
    parts = value if isinstance(value, list) else re.split(r"[,\s]+", str(value).strip("[]() "))
    if isinstance(value, str) and re.fullmatch(r"#?[0-9a-fA-F]{6}", value):
        digits = value.removeprefix("#")
        parts = [str(int(digits[place : place + 2], 16)) for place in (0, 2, 4)]
    if len(parts) != 3 or not all(isinstance(part, str) and _is_integer(part, 0, 255) for part in parts):
        quotes = "; '#' begins a comment unless the colour is in quotes" if value is None else ""
        raise ValueError(f'{where}: the colour {value} is not like [128, 64, 128] or "#804080"{quotes}')
    red, green, blue = map(int, parts)
    return red, green, blue


def _is_integer(text: str, least: int, most: int) -> bool:
    return re.fullmatch(r"[-+]?[0-9]+", text) is not None and least <= int(text) <= most


def _id(value: object, where: str) -> int:
    if not isinstance(value, str) or not _is_integer(value, -1, MOST_ID):
        raise ValueError(f"{where}: {value!r} is not an integer from -1 to {MOST_ID}")
    return int(value)


def _ids(value: object, classes: ClassSet, entries: Iterable[_Entry]) -> tuple[dict[int, str | None], bool]:
    """Id -> class, and whether these are the train ids because the file says nothing."""
    ids: dict[int, str | None] = {}
    if value is not None and (not isinstance(value, dict) or not value):
        raise ValueError("ids: expected a map like {0: null, 7: floor}")
    beside = [(id_, entry.name) for entry in entries for id_ in entry.ids]
    for id_, name in beside:
        if id_ in ids:
            raise ValueError(f"classes: the id {id_} stands twice, for {ids[id_]} and {name}")
        ids[id_] = name
    for key, name in value.items() if isinstance(value, dict) else ():
        id_ = _id(key, "ids")
        if id_ in ids:
            raise ValueError(f"ids: the id {id_} stands twice, for {ids[id_]} and {name}")
        ids[id_] = _named(name, classes, f"ids: {id_} goes")
    if value is None and beside:
        ids |= {id_: None for id_ in (IGNORE, -1) if id_ not in ids}
    if ids:
        return ids, False
    return dict(train_ids_of(classes).ids), True


def _named(value: object, classes: ClassSet, what: str) -> str | None:
    name = unicodedata.normalize("NFC", value.strip()) if isinstance(value, str) else value
    if name is not None and name not in classes.classes:
        near = difflib.get_close_matches(str(name), classes.classes, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"{what} to {name!r}, which is none of {', '.join(classes.classes)}{hint}")
    return name


def _colours(classes: ClassSet, entries: Iterable[_Entry], more: object) -> dict[Colour, str | None]:
    """Colour -> class; nothing where two classes share a colour, which is then no way to tell them apart."""
    of_entries = {(colour, entry.name) for entry in entries for colour in entry.colours}
    beside = of_entries or set(zip(classes.colours, classes.classes, strict=True))
    if not isinstance(more, dict):
        raise ValueError('colours: expected a map like {"#9dea32": floor, "0 0 0": null}')
    if len({colour for colour, _ in beside}) < len(beside):
        if more:
            raise ValueError("colours: two classes have the same colour, so that no label can be in colours")
        return {}
    colours: dict[Colour, str | None] = dict(beside)
    for key, value in more.items():
        colour = _colour(key, "colours")
        if colour in colours:
            raise ValueError(f"colours: {key} stands twice, for {colours[colour]} and {value}")
        colours[colour] = _named(value, classes, f"colours: {key} goes")
    return {BLACK: None, **colours}


def _class_map(value: object, folder: Path) -> Path | None:
    """The file of a class map, beside the class file unless its path is absolute."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"class_map: {value!r} is no file name, such as map.yaml")
    return None if value is None else folder / value


def _instances(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, str) or not _is_integer(value, 2, MOST_ID):
        raise ValueError(f"instances: {value!r} is not an integer from 2 to {MOST_ID}, such as 1000")
    return int(value)
