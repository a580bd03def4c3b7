"""Unity Perception: data sets in the SOLO form.

The form: com.unity.perception 1.0, Documentation~/Schema/SoloSchema.md, and the files that its SoloEndpoint and 0.10 to
1.0 write: sequence.N/stepM.frame_data.json beside the PNGs that it names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from udas_tf.data import image_files
from udas_tf.data import own_classes as own
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, RawLabel
from udas_tf.data.own_classes import Value
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "annotation_definitions.json and sequence.N/stepM.frame_data.json with the PNGs that they name, in the root, in "
    "solo*/ or in SPLIT/"
)
LABELLED = ("train", "val", "test")

SPLITS = ("train", "val", "test")  # folders
DEFINITIONS = "annotation_definitions.json"
FRAMES = "sequence.*/step*.frame*.json"
KIND = "SemanticSegmentationAnnotation"  # how "@type" ends
BLACK = (0, 0, 0)  # of things without a label


@dataclasses.dataclass(frozen=True)
class Capture(Pair):
    """An image, its label, and `names`: (red, green, blue) -> label name, of a class."""

    names: Mapping[Value, str] = dataclasses.field(default_factory=dict)


def find(root: Path, split: str) -> SplitFiles:
    """The captures of all cameras in SPLIT/; where there are no such folders, all of them are "train".

    The colours of labels are those of annotation_definitions.json and of each frame. Black is ignored, unless a label
    has it: Unity draws in it what has no label.
    """
    by_split = any((root / name).is_dir() for name in SPLITS)
    if not by_split and split != "train":
        return SplitFiles([])
    place = root / split if by_split else root
    captures: list[Capture] = []
    skipped: list[Skipped] = []
    for folder in _data_sets(place):
        found, left_out = _captures_of(folder, "" if folder == place else f"{folder.name}/")
        captures += found
        skipped += left_out
    classes = own_classes(root) or own.class_set(root, [])
    return SplitFiles(captures, _labels(classes), tuple(skipped))


def own_classes(root: Path) -> ClassSet | None:
    """The labels of annotation_definitions.json in its order; where it has none, those of all frames, sorted."""
    names: dict[str, None] = {}
    folders = [folder for place in (root, *(root / name for name in SPLITS)) for folder in _data_sets(place)]
    for folder in folders:
        with contextlib.suppress(Unusable):
            names |= dict.fromkeys(_defined(folder).values())
    if not names:
        names = dict.fromkeys(sorted({name for folder in folders for name in _names_in_frames(folder)}))
    return own.class_set(root, list(names)) if names else None


def recognise(root: Path) -> str | None:
    """Unity Perception writes a file stepM.frame_data.json for each frame into the folders sequence.N."""
    for place in (root, *(root / name for name in SPLITS)):
        for folder in _data_sets(place):
            first = next(folder.glob(FRAMES), None)
            if first:
                return str(first.relative_to(root))
    return None


def _data_sets(place: Path) -> list[Path]:
    """The folders that hold sequences: the place itself, or solo, solo_1, ... in it."""
    return [folder for folder in (place, *sorted(place.glob("*/"))) if next(folder.glob("sequence.*/"), None)]


def _captures_of(folder: Path, prefix: str) -> tuple[list[Capture], list[Skipped]]:
    """The captures of a data set, called as their images after `prefix`; and what cannot be used, or no frame names."""
    captures: list[Capture] = []
    skipped: list[Skipped] = []
    try:
        colours = _defined(folder)
    except Unusable as error:
        skipped.append(Skipped(path_text(error.path), error.reason))
        colours = {}
    unnamed = set(folder.glob("sequence.*/*.png"))
    for path in sorted(folder.glob(FRAMES), key=_numbers):
        try:
            content = _read_captures(path)
            unnamed -= set(_named(path, content))
            captures += [capture for entry in content if (capture := _capture(path, entry, colours, prefix))]
        except Unusable as error:
            skipped.append(Skipped(path_text(error.path), error.reason))
            unnamed -= set(path.parent.glob(f"{path.name.partition('.frame')[0]}.*.png"))
    reason = "is named by no frame_data.json"
    return captures, skipped + [Skipped(path_text(path), reason) for path in sorted(unnamed)]


def _numbers(path: Path) -> tuple[list[int], str]:
    """Sequence and step, by which frames are ordered."""
    return [int(number) for number in re.findall(r"\d+", f"{path.parent.name} {path.name}")], path.name


def _read_captures(path: Path) -> list[dict[str, Any]]:
    """What a frame says of its captures; Unusable where it is not of the form."""
    captures = _json(path).get("captures", [])
    if not isinstance(captures, list) or not all(isinstance(capture, dict) for capture in captures):
        raise Unusable(path, "is no SOLO frame: its captures are not a list of objects")
    return captures


def _named(path: Path, captures: Sequence[Mapping[str, Any]]) -> Iterator[Path]:
    """The files that a frame names."""
    for capture in captures:
        for entry in (capture, *_annotations(capture)):
            if isinstance(entry.get("filename"), str):
                yield path.parent / entry["filename"]


def _annotations(capture: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in capture.get("annotations") or [] if isinstance(entry, dict)]


def _capture(path: Path, entry: Mapping[str, Any], colours: Mapping[Value, str], prefix: str) -> Capture | None:
    """A capture of a frame; None where its sensor makes no images."""
    if not isinstance(entry.get("filename"), str):
        return None
    image = path.parent / entry["filename"]
    name = f"{prefix}{path.parent.name}/{image.stem}"
    of_kind = [annotation for annotation in _annotations(entry) if str(annotation.get("@type")).endswith(KIND)]
    if len(of_kind) > 1:
        raise Unusable(path, f"has {len(of_kind)} semantic segmentations of {image.name}; expected one")
    if not of_kind or not isinstance(of_kind[0].get("filename"), str):
        return Capture(name, image)
    label = path.parent / of_kind[0]["filename"]
    names = _colours(path, of_kind[0].get("instances", []), colours)
    return Capture(name, image, label, label.is_file(), names)


def _defined(folder: Path) -> dict[Value, str]:
    """(red, green, blue) -> label name, as annotation_definitions.json says; Unusable where it cannot be read."""
    path = folder / DEFINITIONS
    if not path.is_file():
        return {}
    definitions = _json(path).get("annotationDefinitions", [])
    of_kind = [entry for entry in definitions if str(entry.get("@type")).endswith(KIND)]
    return _colours(path, [label for entry in of_kind for label in entry.get("spec") or []], {})


def _colours(path: Path, labels: object, known: Mapping[Value, str]) -> dict[Value, str]:
    """The colours of a list of labels, added to known ones; Unusable where it is not of the form."""
    colours = dict(known)
    try:
        for label in labels if isinstance(labels, list) else []:
            red, green, blue, _ = map(int, label["pixelValue"])
            if colours.setdefault((red, green, blue), label["labelName"]) != label["labelName"]:
                both = f"{colours[red, green, blue]} and {label['labelName']}"
                raise Unusable(path, f"gives the colour {(red, green, blue)} to two labels, {both}")
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(path, f"has a label that is not like labelName and pixelValue [r, g, b, a]: {error}") from error
    return colours


def _names_in_frames(folder: Path) -> Iterator[str]:
    for path in folder.glob(FRAMES):
        with contextlib.suppress(Unusable):
            for entry in _read_captures(path):
                capture = _capture(path, entry, {}, "")
                yield from capture.names.values() if capture else ()


def _labels(classes: ClassSet) -> Labels:
    def read(pair: Pair) -> RawLabel:
        if not isinstance(pair, Capture) or pair.label is None:
            raise TypeError(f"{pair} is no capture with a label")
        unknown = sorted(set(pair.names.values()) - set(classes.classes))
        if unknown:
            raise Unusable(pair.label, f"has the labels {', '.join(unknown)}, which {DEFINITIONS} lacks")
        names: dict[Value, str | None] = {BLACK: None, **pair.names}
        return own.raw_label(pair.label, image_files.read_label(pair.label), names)

    return Labels(classes, read)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unusable(path, f"cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise Unusable(path, "is not a JSON object")
    return content
