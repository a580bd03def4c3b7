"""Isaac Sim: frames that the BasicWriter of NVIDIA Omniverse Replicator writes.

The form: docs.omniverse.nvidia.com, Replicator, "Visualizing the output folder from Basic Writer" and "Semantic
segmentation" of the annotators; file names as omni.replicator.core 1.10 to 1.12 writes them (Isaac Sim 2022.2 to 5.1).
Numbers and colours of a class differ from frame to frame: each frame has a JSON file that says what they mean.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from udas_tf.data import class_file, image_files
from udas_tf.data import own_classes as own
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, RawLabel
from udas_tf.data.own_classes import Value
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "rgb_NNNN.png, semantic_segmentation_NNNN.png and semantic_segmentation_labels_NNNN.json, in the root, in folders "
    "of cameras, or in SPLIT/"
)
LABELLED = ("train", "val", "test")

KIND = "semantic_segmentation"
SPLITS = ("train", "val", "test")  # folders
# Where files lie below a place: one camera's flat, or CAMERA/ANNOTATOR/ or ANNOTATOR/ of several.
DEPTHS = ("*", "*/*", "*/*/*")
IMAGE = re.compile(r"(?P<camera>.*_)?rgb_(?P<frame>\d[\d_]*)\.(png|jpg|jpeg)")
LABEL = re.compile(rf"(.*_)?{KIND}_\d[\d_]*\.png")
RESERVED = {"BACKGROUND", "UNLABELLED"}  # nothing was hit; something without semantics was


@dataclasses.dataclass(frozen=True)
class Frame(Pair):
    """An image, its label, and `meanings`, the JSON file that says what the label's values mean."""

    meanings: Path = Path()


def find(root: Path, split: str) -> SplitFiles:
    """The frames in SPLIT/; where there are no such folders, all of them are "train".

    A class is the text of "class" in the JSON file of a frame. Where a thing has several labels, such as "car,vehicle",
    it is that whole text, unless a classes.yaml in the root names one of them; labels that such a file does not name
    are ignored. So are BACKGROUND and UNLABELLED.
    """
    place = root / split if any((root / name).is_dir() for name in SPLITS) else root
    if place == root and split != "train":
        return SplitFiles([])
    frames, labels = _frames(place), set(_files(place, LABEL))
    lonely = sorted(labels - {frame.label for frame in frames})
    texts, listed = _texts(root), _listed(root)
    classes = listed or own.class_set(root, texts)
    return SplitFiles(
        frames,
        _labels(classes, listed),
        tuple(Skipped(path_text(label), "is a label without an image") for label in lonely),
        tuple(_warnings(texts, listed)),
    )


def own_classes(root: Path) -> ClassSet | None:
    """Those of a classes.yaml in the root, else all that the frames name; None where they name none."""
    texts = _texts(root)
    return _listed(root) or (own.class_set(root, texts) if texts else None)


def recognise(root: Path) -> str | None:
    """The BasicWriter writes a file semantic_segmentation_labels_NNNN.json for each frame."""
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        first = next(root.glob(f"{depth}*{KIND}_labels_*.json"), None)
        if first:
            return str(first.relative_to(root))
    return None


def _frames(place: Path) -> list[Frame]:
    frames = []
    for image in _files(place, IMAGE):
        camera, number = _camera_and_number(image)
        folder = image.parent.parent / KIND if image.parent.name == "rgb" else image.parent
        label = folder / f"{camera}{KIND}_{number}.png"
        meanings = folder / f"{camera}{KIND}_labels_{number}.json"
        run = [part for part in image.parent.relative_to(place).parts if part != "rgb"]
        frames.append(Frame("/".join([*run, image.stem]), image, label, label.is_file(), meanings))
    return frames


def _files(place: Path, pattern: re.Pattern[str]) -> list[Path]:
    return sorted(path for depth in DEPTHS for path in place.glob(depth) if pattern.fullmatch(path.name))


def _camera_and_number(image: Path) -> tuple[str, str]:
    match = IMAGE.fullmatch(image.name)
    return (match["camera"] or "", match["frame"]) if match else ("", "")


def _listed(root: Path) -> ClassSet | None:
    """The classes of the classes.yaml in the root; None without one."""
    described = class_file.find(root)
    return class_file.read(described).classes if described else None


def _texts(root: Path) -> list[str]:
    """What all frames call classes, sorted. Files that cannot be read are listed when their turn comes."""
    texts: set[str] = set()
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        for path in root.glob(f"{depth}*{KIND}_labels_*.json"):
            with contextlib.suppress(Unusable):
                texts.update(_meanings(path).values())
    return sorted(texts - RESERVED)


def _warnings(texts: Sequence[str], listed: ClassSet | None) -> Iterator[str]:
    if listed:
        unknown = [text for text in texts if not set(text.split(",")) & set(listed.classes)]
        if unknown:
            yield f"{', '.join(unknown)} are not in {class_file.FILE_NAME}, and are ignored"
        return
    several = [text for text in texts if "," in text]
    if several:
        yield (
            f"things with several labels have a class of their own: {'; '.join(several)}; a {class_file.FILE_NAME} in "
            "the root whose classes name one of these labels chooses it"
        )


def _labels(classes: ClassSet, listed: ClassSet | None) -> Labels:
    def read(pair: Pair) -> RawLabel:
        if not isinstance(pair, Frame) or pair.label is None:
            raise TypeError(f"{pair} is no frame with a label")
        pixels = image_files.read_label(pair.label)
        names: dict[Value, str | None] = {}
        for value, text in _meanings(pair.meanings).items():
            name = _class_of(text, listed, pair.meanings)
            if isinstance(value, tuple) != (pixels.ndim == 3):
                raise Unusable(pair.label, f"and {pair.meanings.name} differ: one has colours, the other ids")
            if names.setdefault(value, name) != name:
                raise Unusable(pair.meanings, f"gives {value} two classes")
        return own.raw_label(pair.label, pixels, names)

    return Labels(classes, read)


def _class_of(text: str, listed: ClassSet | None, path: Path) -> str | None:
    """The class that a text of labels stands for; None = ignored."""
    if text in RESERVED:
        return None
    if listed is None or text in listed.classes:
        return text
    named = [label for label in text.split(",") if label in listed.classes]
    if len(named) > 1:
        raise Unusable(path, f"has {text!r}, of which {class_file.FILE_NAME} names {' and '.join(named)}")
    return named[0] if named else None


def _meanings(path: Path) -> dict[Value, str]:
    """Id, or (red, green, blue), -> text of the labels, as a JSON file says; Unusable where it is not of the form."""
    try:
        content = json.loads(path.read_bytes())
        return {_value(key): _text(labels) for key, labels in content.items()}
    except FileNotFoundError as error:
        raise Unusable(path, "does not exist; it says what the label's values mean") from error
    except (OSError, ValueError, AttributeError) as error:
        raise Unusable(path, f"cannot be read: {error}") from error


def _value(key: str) -> Value:
    """ "3" -> 3; "(140, 25, 255, 255)" -> (140, 25, 255). The alpha of all but BACKGROUND is 255."""
    numbers = [int(number) for number in key.strip("()").split(",")]
    if len(numbers) not in (1, 4):
        raise ValueError(f"expected an id or (red, green, blue, alpha); found {key!r}")
    return numbers[0] if len(numbers) == 1 else tuple(numbers[:3])


def _text(labels: object) -> str:
    text = labels.get("class") if isinstance(labels, dict) else None
    if not isinstance(text, str):
        raise ValueError(f'expected {{"class": ...}}; found {labels}')
    return text
