"""Class maps: what each class of one class set becomes in another, one YAML file that a person has looked at.

map:
  Vehicle: car            # several classes may become one
  RoadLine: road
  Static: null            # ignored

`propose` finds likely places by names. It never applies them: `udas data map` writes them down, and `class_map` in a
classes.yaml, or `data.source.class_map` and `data.target.class_map` in a config, name the file that counts.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from udas_tf.data import class_file
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

ALIKE = 0.8  # similarity of two names from which one is proposed for the other
# Names of one thing, as `_normalised` writes them.
SYNONYMS = (
    ("road", "street", "roadway", "carriageway", "drivable", "drivable area"),
    ("sidewalk", "pavement", "footpath", "walkway", "pedestrian area"),
    ("lane marking", "road line", "road marking", "road lane", "lane", "lane mkg driv"),
    ("vegetation", "tree", "plant", "foliage", "bush"),
    ("terrain", "grass", "ground", "soil", "low vegetation"),
    ("person", "pedestrian", "human", "people", "walker"),
    ("rider", "bicyclist", "cyclist", "motorcyclist"),
    ("car", "vehicle", "automobile", "van"),
    ("truck", "lorry"),
    ("train", "tram", "on rail"),
    ("motorcycle", "motorbike", "scooter", "moped"),
    ("bicycle", "bike", "cycle"),
    ("traffic sign", "sign symbol", "sign", "road sign"),
    ("traffic light", "traffic signal", "stoplight"),
    ("pole", "post", "column", "column pole", "utility pole"),
    ("fence", "railing", "guard rail", "barrier"),
    ("building", "house", "skyscraper"),
    ("floor", "ground plane"),
)
# The first names of synonyms above -> what they are a part or a kind of, the nearest first.
BROADER = {
    "lane marking": ("road",),
    "terrain": ("vegetation",),
    "wall": ("building",),
    "truck": ("car",),
    "bus": ("car",),
    "train": ("car",),
    "rider": ("person",),
    "bicycle": ("rider",),
    "motorcycle": ("bicycle", "rider"),
    "traffic light": ("traffic sign",),
}
HEAD = """\
# What each class of {source} becomes in {target}. Proposed by name: check every line. null = ignored.
# Classes of {target}: {classes}
"""


@dataclasses.dataclass(frozen=True)
class ClassMap:
    """A class map as its file says it.

    Attributes:
      file: where it was read, for messages.
      into: class -> class of the other set; None = ignored.
    """

    file: str
    into: Mapping[str, str | None]


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A line of a class map, and why it is proposed.

    Attributes:
      name: of a class of the first set.
      into: class of the other set; None = ignored, as no name is near.
      why: in words.
    """

    name: str
    into: str | None
    why: str


def read(path: Path) -> ClassMap:
    """Reads a class map; UserError naming the file and what is wrong in it."""
    try:
        content = class_file.loaded(path.read_bytes())
        into = content.get("map") if isinstance(content, dict) and set(content) == {"map"} else None
        if not isinstance(into, dict) or not into:
            raise ValueError("expected the key 'map' alone, and below it lines such as `Vehicle: car` or `Sky: null`")
        for name, place in into.items():
            if not isinstance(name, str) or not (place is None or isinstance(place, str)):
                raise ValueError(f"map: {name!r}: {place!r} is not like `Vehicle: car` or `Sky: null`")
        return ClassMap(str(path), into)
    except OSError as error:
        raise UserError(f"cannot read the class map {path}: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{path}: {error}") from error


def read_named(path: str | None) -> ClassMap | None:
    """The class map that a config names; None where it names none."""
    return None if path is None else read(Path(path))


def provenance_of(class_map: ClassMap | None) -> dict[str, dict[str, str | None]]:
    """What the provenance of a set of records says of the class map that it was made with; nothing without one."""
    return {} if class_map is None else {"class_map": dict(class_map.into)}


def propose(native: ClassSet, classes: ClassSet) -> list[Proposal]:
    """For each class of `native` the one of `classes` that its name suggests."""
    return [_proposal(name, classes.classes) for name in native.classes]


def write(proposals: Sequence[Proposal], native: ClassSet, classes: ClassSet, path: Path) -> None:
    """Writes proposals in the form that `read` reads, each with its reason; UserError where the file is there."""
    lines = [f"  {_scalar(one.name)}: {_scalar(one.into)}" for one in proposals]
    width = max(map(len, lines)) + 2
    reasons = (f"{line:{width}}# {one.why}" for line, one in zip(lines, proposals, strict=True))
    head = HEAD.format(source=native.name, target=classes.name, classes=", ".join(classes.classes))
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write("\n".join([head.rstrip("\n"), "map:", *reasons, ""]))
    except FileExistsError as error:
        raise UserError(
            f"{path} is there already, perhaps with your changes; remove it or name another file"
        ) from error
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _proposal(name: str, places: Sequence[str]) -> Proposal:
    for candidates, why in _by_meaning(name):
        for place in places:
            if any(form in candidates for form in _forms(place)):
                return Proposal(name, place, why)
    similar = {place: _similarity(name, place) for place in places}
    best = max(similar, key=lambda place: similar[place])
    if similar[best] >= ALIKE:
        return Proposal(name, best, f"similar name, {similar[best]:.2f}")
    return Proposal(name, None, "no name is near")


def _by_meaning(name: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Normalised names that would do for a class, the best first, each with a reason."""
    forms = _forms(name)
    for form in forms:
        yield (form,), "same name"
    for form in forms:
        yield _synonyms(form), "synonym"
    for form in forms:
        for broader in _broader(_synonyms(form)[0]):
            yield _synonyms(broader), f"a part or kind of {broader}"


def _broader(name: str) -> Iterator[str]:
    for broader in BROADER.get(name, ()):
        yield broader
        yield from _broader(broader)


def _synonyms(name: str) -> tuple[str, ...]:
    return next((names for names in SYNONYMS if name in names), (name,))


def _forms(name: str) -> list[str]:
    """A name as `_normalised` writes it, and the last part of one like object--traffic-light."""
    return list(dict.fromkeys(_normalised(form) for form in (name, re.split(r"--|/|::", name)[-1])))


def _normalised(name: str) -> str:
    """Words in lower case and the singular: "TrafficSigns" and "traffic_sign" become "traffic sign"."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name)
    words = re.findall(r"[^\W_]+", apart.lower())
    return " ".join(word[:-1] if len(word) > 3 and re.search(r"[^su]s$", word) else word for word in words)


def _similarity(one: str, other: str) -> float:
    return max(
        difflib.SequenceMatcher(None, first, second).ratio() for first in _forms(one) for second in _forms(other)
    )


def _scalar(value: str | None) -> str:
    """One value as YAML, in quotes where it needs them."""
    return yaml.safe_dump(value, allow_unicode=True, width=1000).partition("\n")[0]
