"""labelme: a JSON file of shapes for each image, beside it or with the image in it.

The form: github.com/wkentaro/labelme 5, `labelme/label_file.py` and `utils/shape.py`; labels.txt is what `labelme
--labels` reads. Shapes called __ignore__ are ignored, as in labelme's own conversions. Pixels in no shape are of the
class _background_ if labels.txt, or a shape, names it; else they are ignored. A pixel belongs to a shape that holds its
centre.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from PIL import Image

from udas_tf.data import annotated, image_files, shapes
from udas_tf.data import own_classes as own
from udas_tf.data.fitting import Fit
from udas_tf.data.image_files import DAMAGE, Pair, Unusable
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "NAME.json of labelme, beside the image that its imagePath names or with imageData, in the root or in SPLIT/, with "
    "subfolders; labels.txt may list the classes"
)
LABELLED = ()

NAMES_FILE = "labels.txt"
BACKGROUND, IGNORED = "_background_", "__ignore__"
DRAWN = ("polygon", "rectangle", "circle", "oriented_rectangle", "mask")
KEYS = ("shapes", "imagePath")  # of labelme's files, and of no other JSON
PROBED = 16  # JSON files that are looked at to recognise the set
LARGE = 100_000_000  # bytes: no file of one image


@dataclasses.dataclass(frozen=True)
class Described(Pair):
    """An image that a file of labelme describes; `image` is that file where the image is in it."""


def find(root: Path, split: str) -> SplitFiles:
    """The images in SPLIT/ that JSON files describe, and others without a label; without such folders, all of "train".

    Polygons, rectangles, circles and masks are painted in the order of the file, later ones over earlier ones. Lines
    and points are not: a warning counts them. Where imagePath names no file, imageData is read.

    Raises:
      UserError: two images have one name.
    """
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    kinds: Counter[str] = Counter()
    for folder in annotated.split_folders(root).get(split, []):
        described: list[Pair] = []
        for path in sorted(folder.rglob("*.json")):
            try:
                content = _read(path)
                described.append(_described(path, content, folder))
                kinds.update(_kind(shape) for shape in content["shapes"])
            except Unusable as error:
                skipped.append(Skipped(path_text(error.path), error.reason))
        there = listing(folder)
        skipped += there.skipped
        pairs += [*described, *annotated.without_annotation(there.images, described, folder)]
    if not any(pair.labelled for pair in pairs):
        return SplitFiles([], skipped=tuple(skipped))
    classes = own_classes(root) or own.class_set(root, [])
    background = BACKGROUND if BACKGROUND in classes.classes else None
    warnings = [annotated.of_unlabelled(background, NAMES_FILE if (root / NAMES_FILE).is_file() else "a shape")]
    left_out = [f"{count} {kind}" for kind, count in sorted(kinds.items()) if kind not in DRAWN]
    if left_out:
        warnings.append(f"shapes without an area are not read: {', '.join(left_out)}")
    how = annotated.labels(classes, lambda pair: _regions(pair, classes), background)
    return SplitFiles(annotated.in_order(pairs), how, tuple(skipped), tuple(warnings), read_image)


def own_classes(root: Path) -> ClassSet | None:
    """The classes of labels.txt in its order, else the labels of all shapes, sorted; None where there are none."""
    path = root / NAMES_FILE
    if path.is_file():
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    else:
        names = sorted(set(_names(root)))
    names = [name for name in dict.fromkeys(names) if name and name != IGNORED]
    return own.class_set(root, names) if names else None


def recognise(root: Path) -> str | None:
    """labelme's JSON files hold "shapes" and "imagePath"."""
    for folders in annotated.split_folders(root).values():
        for folder in folders:
            files = [*sorted(folder.glob("*.json")), *sorted(folder.glob("*/*.json"))][:PROBED]
            for path in (path for path in files if path.stat().st_size < LARGE):
                with contextlib.suppress(Unusable):
                    _read(path)
                    return f"{path.relative_to(root)} with {' and '.join(KEYS)}"
    return None


def _names(root: Path) -> Iterator[str]:
    for folders in annotated.split_folders(root).values():
        for folder in folders:
            for path in folder.rglob("*.json"):
                with contextlib.suppress(Unusable):  # they are listed when their turn comes
                    yield from (str(shape["label"]) for shape in _read(path)["shapes"] if _kind(shape) in DRAWN)


def _read(path: Path) -> dict[str, Any]:
    content = annotated.read_json(path)
    if not isinstance(content, dict) or not all(key in content for key in KEYS):
        raise Unusable(path, f"is no file of labelme: it has no {' or '.join(KEYS)}")
    if not isinstance(content["shapes"], list) or not all("label" in shape for shape in content["shapes"]):
        raise Unusable(path, "is no file of labelme: its shapes are not a list of objects with a label")
    return content


def _described(path: Path, content: Mapping[str, Any], folder: Path) -> Described:
    """The image of a file; Unusable where there is none."""
    image = Path(os.path.normpath(path.parent / PureWindowsPath(str(content["imagePath"])).as_posix()))
    if not image.is_file():
        if not content.get("imageData"):
            raise Unusable(path, f"has no imageData, and its imagePath {content['imagePath']} does not exist")
        image = path
    return Described(path_text(path.relative_to(folder).with_suffix("")), image, path, True)


def read_image(pair: Pair, size: tuple[int, int], fit: Fit = "squeeze") -> tuple[np.ndarray, tuple[int, int]]:
    """The image of a pair, from its file or from the imageData of its JSON, as `image_files.read_image`."""
    if not isinstance(pair, Described) or pair.image != pair.label:
        return image_files.read_image(pair.image, size, fit)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        try:
            path.write_bytes(base64.b64decode(_read(pair.image)["imageData"]))
            return image_files.read_image(path, size, fit)
        except (Unusable, TypeError, ValueError) as error:
            reason = error.reason if isinstance(error, Unusable) else str(error)
            raise Unusable(pair.image, f"its imageData {reason}") from error


def _regions(pair: Pair, classes: ClassSet) -> tuple[tuple[int, int], annotated.Regions]:
    if pair.label is None:
        raise TypeError(f"{pair} has no file of labelme")
    content = _read(pair.label)
    size = int(content["imageHeight"]), int(content["imageWidth"])
    drawn = [shape for shape in content["shapes"] if _kind(shape) in DRAWN]
    return size, ((_class(shape), _mask(shape, size)) for shape in drawn)


def _class(shape: Mapping[str, Any]) -> str | None:
    return None if shape["label"] == IGNORED else str(shape["label"])


def _kind(shape: Mapping[str, Any]) -> str:
    """Of a shape; files of labelme before 3.0 hold polygons alone, and do not say so."""
    return shape.get("shape_type") or "polygon"


def _mask(shape: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    points = np.asarray(shape["points"], np.float64)
    kind = _kind(shape)
    if kind in ("rectangle", "circle", "mask") and points.shape != (2, 2):
        raise ValueError(f"a {kind} has points of shape {points.shape}; expected two of x, y")
    if kind == "circle":
        return _circle(points, size)
    if kind == "mask":
        return _stored(shape, points, size)
    if kind == "rectangle":
        (left, top), (right, bottom) = points
        points = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
    return shapes.polygon(points.ravel().tolist(), size)


def _circle(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The first point is the middle, the second lies on the circle."""
    x, y = points[0]
    rows, columns = np.ogrid[: size[0], : size[1]]
    radius = np.hypot(*(points[1] - points[0]))
    return (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2


def _stored(shape: Mapping[str, Any], points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A PNG in base64, whose upper left pixel lies at the first point."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as image:
            patch = np.asarray(image).astype(bool)
    except DAMAGE as error:
        raise ValueError(f"a mask cannot be read: {error}") from error
    if patch.ndim != 2:
        raise ValueError(f"a mask has the shape {patch.shape}; expected one channel")
    left, top = np.rint(points[0]).astype(int)
    mask = np.zeros(size, bool)
    rows, columns = np.nonzero(patch)
    inside = (rows + top >= 0) & (rows + top < size[0]) & (columns + left >= 0) & (columns + left < size[1])
    mask[rows[inside] + top, columns[inside] + left] = True
    return mask
