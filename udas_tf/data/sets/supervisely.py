"""Supervisely: projects with meta.json, and for each image a JSON file of bitmaps and polygons.

The form: docs.supervisely.com, "Supervisely JSON Annotation Format", project structure, classes and objects; the Python
SDK's `Bitmap` and `Polygon`. The corners of polygons are pixels, and a polygon holds its outline, as the SDK draws it.
Pixels in no object are ignored: meta.json names no class for them.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from udas_tf.data import annotated
from udas_tf.data.class_file import MOST_CLASSES
from udas_tf.data.image_files import DAMAGE, Pair, Unusable
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "meta.json and DATASET/img/NAME.jpg with DATASET/ann/NAME.jpg.json; datasets called val or validation and test are "
    "these splits, all others train"
)
LABELLED = ()

META = "meta.json"
IMAGES, ANNOTATIONS = "img", "ann"
DRAWN = ("bitmap", "polygon")
HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


def find(root: Path, split: str) -> SplitFiles:
    """The images of the datasets of a split, called DATASET/NAME.

    Bitmaps and polygons are painted in the order of the file, later ones over earlier ones. A warning counts other
    objects, which are not read. Images whose annotation has no object are taken as unlabelled.

    Raises:
      UserError: meta.json is missing or not of its form, or two images have one name.
    """
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    kinds: Counter[str] = Counter()
    for folder in _datasets(root):
        if _split(folder.relative_to(root)) != split:
            continue
        there = listing(folder / IMAGES)
        skipped += there.skipped
        spare = set((folder / ANNOTATIONS).glob("*.json"))
        for image in there.images:
            label = folder / ANNOTATIONS / f"{image.name}.json"
            spare.discard(label)
            name = path_text(folder.relative_to(root) / image.stem)
            try:
                objects = _read(label)["objects"] if label.is_file() else []
            except Unusable as error:
                skipped.append(Skipped(path_text(error.path), error.reason))
                continue
            found = Counter(str(entry.get("geometryType")) for entry in objects)
            kinds += found
            pairs.append(Pair(name, image, label, any(found[kind] for kind in DRAWN)))
        skipped += [Skipped(path_text(path), "is a label without an image") for path in sorted(spare)]
    if not pairs:
        return SplitFiles([], skipped=tuple(skipped))
    warnings = [annotated.of_unlabelled()]
    left_out = [f"{count} {kind}" for kind, count in sorted(kinds.items()) if kind not in DRAWN]
    if left_out:
        warnings.append(f"objects that are no bitmaps or polygons are not read: {', '.join(left_out)}")
    how = annotated.labels(own_classes(root), _regions)
    return SplitFiles(annotated.in_order(pairs), how, tuple(skipped), tuple(warnings))


def own_classes(root: Path) -> ClassSet:
    """The classes of meta.json whose shape is a bitmap, a polygon or any, in its order and colours.

    Raises:
      UserError: meta.json is missing or not of its form.
    """
    path = root / META
    try:
        entries = [entry for entry in _meta(path) if entry.get("shape", "any") in (*DRAWN, "any")]
        colours = {str(entry["title"]): _colour(entry["color"]) for entry in entries}
    except Unusable as error:
        raise UserError(f"{error.path} {error.reason}") from error
    except annotated.WRONG_FORM as error:
        raise UserError(f"{path} has a class without title and color: {annotated.in_words(error)}") from error
    if not 1 <= len(colours) <= MOST_CLASSES:
        raise UserError(f"{path} has {len(colours)} classes with an area; expected 1 to {MOST_CLASSES}")
    return ClassSet(root.resolve().name, tuple(colours), tuple(colours.values()))


def recognise(root: Path) -> str | None:
    """Supervisely writes meta.json with "classes" beside folders with img/ and ann/."""
    try:
        _meta(root / META)
    except Unusable:
        return None
    folder = next(iter(_datasets(root)), None)
    return f"{META} with classes, and {folder.relative_to(root) / ANNOTATIONS}/" if folder else None


def _datasets(root: Path) -> list[Path]:
    """The folders with img/ and ann/; datasets in datasets lie in a folder called datasets."""
    folders = [path.parent for path in root.glob(f"**/{ANNOTATIONS}") if (path.parent / IMAGES).is_dir()]
    return sorted(folders)


def _split(folder: Path) -> str:
    """By the first of the folders that is called after a split."""
    return next(filter(None, map(annotated.split_of, folder.parts)), "train")


def _meta(path: Path) -> list[dict[str, Any]]:
    content = annotated.read_json(path)
    classes = content.get("classes") if isinstance(content, dict) else None
    if not isinstance(classes, list) or not all(isinstance(entry, dict) and "title" in entry for entry in classes):
        raise Unusable(path, "is no meta.json of Supervisely: expected a list of classes with a title")
    return classes


def _colour(text: str) -> tuple[int, int, int]:
    if not HEX_COLOUR.fullmatch(text):
        raise ValueError(f"{text!r} is no colour like #804080")
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _read(path: Path) -> dict[str, Any]:
    content = annotated.read_json(path)
    objects = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(objects, list) or not all(isinstance(entry, dict) for entry in objects):
        raise Unusable(path, "is no annotation of Supervisely: expected a list of objects")
    return content


def _regions(pair: Pair) -> tuple[tuple[int, int], annotated.Regions]:
    if pair.label is None:
        raise TypeError(f"{pair} has no annotation")
    content = _read(pair.label)
    size = int(content["size"]["height"]), int(content["size"]["width"])
    return size, _masks(content["objects"], size)


def _masks(objects: list[dict[str, Any]], size: tuple[int, int]) -> Iterator[tuple[str, np.ndarray]]:
    for entry in objects:
        kind = entry.get("geometryType")
        if kind == "bitmap":
            yield str(entry["classTitle"]), _bitmap(entry["bitmap"], size)
        elif kind == "polygon":
            yield str(entry["classTitle"]), _polygon(entry["points"], size)


def _polygon(points: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The pixels of "exterior" with its outline, without those of "interior", the holes."""
    mask = np.zeros(size, np.uint8)
    for value, outlines in ((1, [points["exterior"]]), (0, points.get("interior", []))):
        for outline in outlines:
            corners = np.rint(np.asarray(outline, np.float64)).astype(np.int32)
            if corners.ndim != 2 or corners.shape[0] < 3 or corners.shape[1] != 2:
                raise ValueError(f"a polygon has corners of shape {corners.shape}; expected three or more of x, y")
            cv2.fillPoly(mask, [corners], value)
    return mask.astype(bool)


def _bitmap(bitmap: Mapping[str, Any], size: tuple[int, int]) -> np.ndarray:
    """A PNG in base64, compressed by zlib, whose upper left pixel lies at "origin"."""
    left, top = map(int, bitmap["origin"])
    patch = _patch(base64.b64decode(bitmap["data"]))
    mask = np.zeros(size, bool)
    rows, columns = np.nonzero(patch)
    rows, columns = rows + top, columns + left
    if rows.size and (min(rows.min(), columns.min()) < 0 or rows.max() >= size[0] or columns.max() >= size[1]):
        raise ValueError(f"a bitmap at {[left, top]} reaches beyond its image of {size[1]} x {size[0]} pixels")
    mask[rows, columns] = True
    return mask


def _patch(data: bytes) -> np.ndarray:
    """The pixels of a bitmap's PNG that are not transparent or, in one channel, not 0."""
    with contextlib.suppress(zlib.error):  # a PNG without this compression, which the SDK takes as well
        data = zlib.decompress(data)
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.has_transparency_data:
                return np.asarray(image.convert("RGBA"))[..., 3] > 0
            pixels = np.asarray(image.convert("RGB") if image.mode == "P" else image)
    except DAMAGE as error:
        raise ValueError(f"a bitmap cannot be read: {error}") from error
    return np.asarray(pixels.any(axis=-1) if pixels.ndim == 3 else pixels.astype(bool))
