"""COCO: photographs of COCO, or exports of one's own in its form, with polygons or run lengths.

The form: cocodataset.org, "Data format", object detection; run lengths are those of cocoapi's `mask`. An instance that
covers fewer pixels lies over those that cover more, and a crowd (iscrowd) lies under all instances, as a region of its
class. Pixels in no region are ignored: COCO names no class for them. Compressed run lengths need the extra "coco".
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf.data import annotated, shapes
from udas_tf.data import own_classes as own
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "a JSON file with images, annotations and categories in annotations/, the root or SPLIT/; its images beside it, in "
    "images/ or in the folder of its name, such as train2017/ for annotations/instances_train2017.json"
)
LABELLED = ()

KEYS = ("images", "annotations", "categories")
OF_BLENDERPROC = "coco_annotations.json"
INSTANCES = "instances_"  # how the files of instances begin; others beside them say the same of the same images
WORDS = re.compile(r"[A-Za-z]+")


@dataclasses.dataclass(frozen=True)
class Described(Pair):
    """An image with its instances.

    Attributes:
      size: (height, width), as the file says.
      instances: (class, segmentation, whether it is a crowd), in the order of the file.
    """

    size: tuple[int, int] = (0, 0)
    instances: Sequence[tuple[str, Any, bool]] = ()


def find(root: Path, split: str) -> SplitFiles:
    """The images of the files of a split: of those in SPLIT/, or with "val" or "test" in their names; others are train.

    Images without an instance are taken as unlabelled.

    Raises:
      UserError: run lengths are compressed and pycocotools is not installed, or two images have one name.
    """
    pairs: list[Described] = []
    skipped: list[Skipped] = []
    boxes = 0
    contents = _contents(root)
    for path, content in contents.items():
        if _split(path, root) != split:
            continue
        try:
            found, missing, without_area = _described(path, _checked(path, content), root)
        except Unusable as error:
            skipped.append(Skipped(path_text(error.path), error.reason))
            continue
        pairs += found
        skipped += missing
        boxes += without_area
    if not pairs:
        return SplitFiles([], skipped=tuple(skipped))
    skipped += _unnamed({pair.image.parent for pair in pairs}, contents.values())
    warnings = [annotated.of_unlabelled(), *_not_read(root)]
    if boxes:
        warnings.append(f"{boxes} annotations have no segmentation, and are not read")
    classes = _classes(root, contents) or own.class_set(root, [])
    return SplitFiles(annotated.in_order(pairs), annotated.labels(classes, _regions), tuple(skipped), tuple(warnings))


def own_classes(root: Path) -> ClassSet | None:
    """The categories of all files in the order of their ids; None where there are none.

    A category that is only the supercategory of others, and that no annotation has, is no class: Roboflow writes one.
    """
    return _classes(root, _contents(root))


def _classes(root: Path, contents: Mapping[Path, Any]) -> ClassSet | None:
    names: dict[str, int] = {}
    above: set[str] = set()
    used: set[str] = set()
    for path, content in contents.items():
        with contextlib.suppress(Unusable):  # it is listed when its turn comes
            by_id = _categories(path, _checked(path, content))
            for number, name in by_id.items():
                names.setdefault(name, number)
            above.update(str(entry.get("supercategory")) for entry in content["categories"])
            used.update(by_id.get(entry.get("category_id"), "") for entry in content["annotations"])
    ordered = sorted((name for name in names if name in used or name not in above), key=names.__getitem__)
    return own.class_set(root, ordered) if ordered else None


def recognise(root: Path) -> str | None:
    """A JSON file with "images", "annotations", "categories" and "segmentation"."""
    for path in _files(root):
        if _holds(path, (*KEYS, "segmentation")):
            return f"{path.relative_to(root)} with {', '.join(KEYS)}"
    return None


def _files(root: Path) -> list[Path]:
    """The JSON files that may be COCO's; of the files in a folder with instances_*.json, these alone."""
    folders = [folder for of_split in annotated.split_folders(root).values() for folder in of_split]
    places = dict.fromkeys(place for folder in (root, *folders) for place in (folder, folder / "annotations"))
    files = []
    for place in places:
        there = sorted(path for path in place.glob("*.json") if path.name != OF_BLENDERPROC)
        instances = [path for path in there if path.name.startswith(INSTANCES)]
        files += instances or [path for path in there if _holds(path, KEYS)]
    return files


def _not_read(root: Path) -> Iterator[str]:
    for folder in {path.parent for path in _files(root) if path.name.startswith(INSTANCES)}:
        others = sorted(path.name for path in folder.glob("*.json") if not path.name.startswith(INSTANCES))
        if others:
            yield f"{path_text(folder)}: {', '.join(others)} are not read, as {INSTANCES}*.json lie beside them"


def _holds(path: Path, keys: Iterable[str]) -> bool:
    """Whether a file holds words in quotes, looked for without reading it as JSON."""
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(f'"{key}"'.encode()) >= 0 for key in keys)


def _split(path: Path, root: Path) -> str:
    """By the folder in the root, else by a word in the name."""
    of_folder = annotated.split_of(path.relative_to(root).parts[0])
    of_words = (annotated.split_of(word) for word in WORDS.findall(path.stem))
    return of_folder or next(filter(None, of_words), "train")


def _contents(root: Path) -> dict[Path, Any]:
    """File -> what it holds; Unusable where it cannot be read."""
    contents: dict[Path, Any] = {}
    for path in _files(root):
        try:
            contents[path] = annotated.read_json(path)
        except Unusable as error:
            contents[path] = error
    return contents


def _checked(path: Path, content: Any) -> dict[str, Any]:
    if isinstance(content, Unusable):
        raise content
    if not isinstance(content, dict) or not all(_is_list_of_objects(content.get(key)) for key in KEYS):
        raise Unusable(path, f"is not of COCO's form: expected lists of {', '.join(KEYS)}")
    return content


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


def _unnamed(folders: Iterable[Path], contents: Iterable[Any]) -> Iterator[Skipped]:
    """The images beside those that are read which no file names."""
    images = [entry for content in contents if isinstance(content, dict) for entry in content.get("images", [])]
    names = {Path(str(entry.get("file_name"))).name for entry in images if isinstance(entry, dict)}
    for folder in sorted(folders):
        for image in listing(folder, nested=False).images:
            if image.name not in names:
                yield Skipped(path_text(image), "is named by no JSON file of COCO's form here")


def _categories(path: Path, content: Mapping[str, Any]) -> dict[int, str]:
    try:
        named = {int(entry["id"]): str(entry["name"]) for entry in content["categories"]}
    except annotated.WRONG_FORM as error:
        raise Unusable(path, f"has a category without id and name: {annotated.in_words(error)}") from error
    return dict(sorted(named.items()))


def _described(path: Path, content: Mapping[str, Any], root: Path) -> tuple[list[Described], list[Skipped], int]:
    """The images of a file, those that are not there, and how many annotations have no segmentation."""
    names = _categories(path, content)
    pairs, missing = [], []
    try:
        instances, without_area = _instances(content["annotations"], names)
        folders = _image_folders(path, root)
        for entry in content["images"]:
            name = str(entry["file_name"])
            image = next((folder / name for folder in folders if (folder / name).is_file()), None)
            if image is None:
                missing.append(Skipped(path_text(path), f"names the image {name}, which does not exist"))
                continue
            size = int(entry["height"]), int(entry["width"])
            of_image = instances.pop(entry["id"], [])
            stem = str(Path(name).with_suffix(""))
            pairs.append(Described(stem, image, path, bool(of_image), size, of_image))
    except annotated.WRONG_FORM as error:
        raise Unusable(path, f"is not of COCO's form: {annotated.in_words(error)}") from error
    if instances and not missing:
        lost = ", ".join(map(str, list(instances)[:3]))
        missing.append(Skipped(path_text(path), f"has annotations of images that it does not list, such as {lost}"))
    return pairs, missing, without_area


def _instances(
    annotations: Iterable[Mapping[str, Any]], names: Mapping[int, str]
) -> tuple[dict[Any, list[tuple[str, Any, bool]]], int]:
    """Image id -> its instances; and how many annotations have no segmentation."""
    instances: dict[Any, list[tuple[str, Any, bool]]] = {}
    without_area = 0
    for entry in annotations:
        segmentation = entry.get("segmentation")
        if not segmentation:
            without_area += 1
            continue
        if entry["category_id"] not in names:
            raise ValueError(f"an annotation has the category {entry['category_id']}, which categories lacks")
        if isinstance(segmentation, dict) and isinstance(segmentation.get("counts"), str):
            _require_pycocotools()
        crowd = bool(entry.get("iscrowd", 0))
        instances.setdefault(entry["image_id"], []).append((names[entry["category_id"]], segmentation, crowd))
    return instances, without_area


def _require_pycocotools() -> None:
    if importlib.util.find_spec("pycocotools") is None:
        raise UserError(
            "compressed run lengths of COCO need pycocotools; install it with `pip install 'udas_tf[coco]'`"
        )


def _image_folders(path: Path, root: Path) -> list[Path]:
    """Where the images of a file may lie."""
    subset = path.stem.removeprefix(INSTANCES)
    above = path.parent.parent if path.parent.name == "annotations" else path.parent
    folders = [path.parent, *(place / name for place in (above, root) for name in (".", "images", "data"))]
    return [*folders, above / subset, above / "images" / subset]


def _regions(pair: Pair) -> tuple[tuple[int, int], annotated.Regions]:
    """Crowds first, then instances, each from the largest to the smallest."""
    if not isinstance(pair, Described):
        raise TypeError(f"{pair} has no instances")
    masks = [(crowd, name, shapes.segmentation(value, pair.size)) for name, value, crowd in pair.instances]
    masks.sort(key=lambda region: (not region[0], -int(np.count_nonzero(region[2]))))
    return pair.size, ((name, mask) for _, name, mask in masks)
