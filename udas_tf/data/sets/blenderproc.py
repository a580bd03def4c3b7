"""BlenderProc: renderings with COCO annotations, or in HDF5 files.

The form: github.com/DLR-RM/BlenderProc 2.8, docs/tutorials/writer.md and renderer.md, `write_coco_annotations`,
`write_hdf5` and `render_segmap`. Pixels of category 0, the background, are ignored; COCO annotations leave them out.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from udas_tf.data import class_file, shapes
from udas_tf.data import own_classes as own
from udas_tf.data.fitting import BAR, Fit, place
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "coco_annotations.json and images/, in the root or in coco_data/, or N.hdf5 with colors and class_segmaps; in "
    "folders of runs or in SPLIT/; a classes.yaml may say what category ids mean"
)
LABELLED = ("train", "val", "test")

SPLITS = ("train", "val", "test")  # folders
ANNOTATIONS = "coco_annotations.json"
COLOURS = "colors"
CATEGORY_MAPS = ("class_segmaps", "category_id_segmaps", "cp_category_id_segmaps")
INSTANCE_MAPS = "instance_segmaps"
ATTRIBUTES = ("instance_attribute_maps", "segcolormap")  # rows of instances; the second up to 1.x
STACKED = "segmap"  # up to 1.x: all maps in one, whose channels rows of segcolormap name
CATEGORY = ("class", "category_id", "cp_category_id")  # what the attribute is called
NO_CATEGORIES = f"holds none of {', '.join(CATEGORY_MAPS)}, {STACKED}, and {INSTANCE_MAPS} with their categories"
COPY = re.compile(r"\.\d{3}$")  # what Blender adds to the name of a copy


@dataclasses.dataclass(frozen=True)
class Rendering(Pair):
    """An image that COCO annotations describe.

    Attributes:
      size: (height, width), as the annotations say.
      things: (category id, segmentation) in the order of the file.
      names: category id -> class; None = ignored.
    """

    size: tuple[int, int] = (0, 0)
    things: Sequence[tuple[int, Any]] = ()
    names: Mapping[int, str | None] = dataclasses.field(default_factory=dict)


def find(root: Path, split: str) -> SplitFiles:
    """The renderings in SPLIT/; where there are no such folders, all of them are "train".

    Where a folder has COCO annotations, its HDF5 files are not read. A class is what COCO annotations call a category;
    in HDF5 files, what all objects of a category are called, else its number. A classes.yaml in the root counts
    instead: by its `ids`, which are category ids, else by its names.

    Raises:
      UserError: no file says what the categories of HDF5 files are.
    """
    by_split = any((root / name).is_dir() for name in SPLITS)
    if not by_split and split != "train":
        return SplitFiles([])
    folder = root / split if by_split else root
    if _coco_files(folder):
        return _of_coco(folder, root)
    files = _hdf5_files(folder)
    if not files:
        return SplitFiles([])
    labelled = _has_categories(files[0])
    pairs = [Pair(str(path.relative_to(folder).with_suffix("")), path, path, labelled) for path in files]
    return SplitFiles(pairs, _of_hdf5(root) if labelled else None, read_image=read_colours)


def own_classes(root: Path) -> ClassSet | None:
    """The classes of a classes.yaml in the root, else the names of all categories in the order of their ids.

    Raises:
      UserError: as `find`.
    """
    coco, hdf5 = _everywhere(root, _coco_files), _everywhere(root, _hdf5_files)
    if coco or class_file.find(root):
        return _classes(root, (name for path in coco for name in _category_names(path).values()))
    return _of_hdf5(root).classes if hdf5 and _has_categories(hdf5[0]) else None


def _classes(root: Path, names: Iterable[str]) -> ClassSet | None:
    """The classes of a classes.yaml in the root, else `names`; None where there are none."""
    described = class_file.find(root)
    if described:
        return class_file.read(described).classes
    distinct = list(dict.fromkeys(names))
    return own.class_set(root, distinct) if distinct else None


def _meanings(root: Path, names: Mapping[int, str]) -> dict[int, str | None]:
    """Category id -> class, None = ignored; `names` is what the renderings call the categories."""
    described = class_file.find(root)
    if described is None:
        return {0: None, **names}
    content = class_file.read(described)
    if not content.assumed:
        return {0: None, **content.ids}
    known = content.classes.classes
    return {0: None} | {category: name if name in known else None for category, name in names.items()}


def recognise(root: Path) -> str | None:
    """coco_annotations.json, or HDF5 files that hold "colors"."""
    for path in _everywhere(root, _coco_files):
        return str(path.relative_to(root))
    for path in _everywhere(root, _hdf5_files):
        with contextlib.suppress(Unusable), _opened(path) as file:
            if COLOURS in file:
                return f"{path.relative_to(root)} with {COLOURS}"
        return None
    return None


def _everywhere(root: Path, files: Callable[[Path], list[Path]]) -> list[Path]:
    return [path for folder in (root, *(root / name for name in SPLITS)) for path in files(folder)]


def _coco_files(folder: Path) -> list[Path]:
    patterns = (ANNOTATIONS, f"coco_data/{ANNOTATIONS}", f"*/{ANNOTATIONS}", f"*/coco_data/{ANNOTATIONS}")
    splits = {folder / name for name in SPLITS}
    paths = {path for pattern in patterns for path in folder.glob(pattern)}
    return sorted(path for path in paths if not splits & set(path.parents))


def _of_coco(folder: Path, root: Path) -> SplitFiles:
    """The images that COCO annotations list; those that they do not list are skipped."""
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    for path in _coco_files(folder):
        try:
            found = _renderings(path, folder, _meanings(root, _category_names(path)))
        except Unusable as error:
            skipped.append(Skipped(path_text(error.path), error.reason))
            continue
        pairs += found
        reason = f"is named by no image of {path.name}"
        unnamed = set((path.parent / "images").glob("*")) - {pair.image for pair in found}
        skipped += [Skipped(path_text(image), reason) for image in sorted(unnamed)]
    hdf5 = len(_hdf5_files(folder))
    warnings = (f"{folder}: {hdf5} HDF5 files are not read, as {ANNOTATIONS} lies beside them",) if hdf5 else ()
    return SplitFiles(pairs, Labels(own_classes(root) or own.class_set(root, []), _draw), tuple(skipped), warnings)


def _renderings(path: Path, folder: Path, names: Mapping[int, str | None]) -> list[Rendering]:
    content = _coco(path)
    things: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    run = path.parent.relative_to(folder).parts
    prefix = "".join(f"{part}/" for part in run if part != "coco_data")
    try:
        for entry in content["annotations"]:
            things[entry["image_id"]].append((int(entry["category_id"]), entry["segmentation"]))
        return [
            Rendering(
                name=prefix + Path(entry["file_name"]).stem,
                image=path.parent / entry["file_name"],
                label=path,
                labelled=True,
                size=(int(entry["height"]), int(entry["width"])),
                things=things[entry["id"]],
                names=names,
            )
            for entry in sorted(content["images"], key=lambda entry: str(entry["file_name"]))
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise Unusable(path, f"is not of COCO's form: {error!r}") from error


def _category_names(path: Path) -> dict[int, str]:
    """Category id -> name, in the order of the ids; none where the file cannot be read, which is listed elsewhere."""
    try:
        named = {int(entry["id"]): str(entry["name"]) for entry in _coco(path)["categories"]}
    except (Unusable, KeyError, TypeError, ValueError):
        return {}
    return dict(sorted(named.items()))


def _coco(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Unusable(path, f"cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise Unusable(path, "is not a JSON object")
    return content


def _draw(pair: Pair) -> RawLabel:
    """A label of category ids; a value that is none where nothing lies."""
    if not isinstance(pair, Rendering) or pair.label is None:
        raise TypeError(f"{pair} has no COCO annotations")
    nothing = max([*pair.names, *(category for category, _ in pair.things)], default=0) + 1
    label = np.full(pair.size, nothing, np.int32)
    for category, segmentation in pair.things:
        try:
            label[shapes.segmentation(_shifted(segmentation), pair.size)] = category
        except ValueError as error:
            raise Unusable(pair.label, f"of {pair.image.name}: {error}") from error
    return RawLabel(label, Legend({**pair.names, nothing: None}))


def _shifted(segmentation: object) -> object:
    """Polygons whose pixels have their centres at (0.5, 0.5), ...; BlenderProc's have them at (0, 0), ..."""
    if not isinstance(segmentation, list):
        return segmentation
    return [[coordinate + 0.5 for coordinate in points] for points in segmentation]


def _hdf5_files(folder: Path) -> list[Path]:
    splits = {folder / name for name in SPLITS}
    paths = [path for pattern in ("*.hdf5", "*/*.hdf5") for path in folder.glob(pattern)]
    numbers = re.compile(r"\d+")
    return sorted(
        (path for path in paths if not splits & set(path.parents)),
        key=lambda path: (path.parent, [int(number) for number in numbers.findall(path.stem)], path.stem),
    )


def read_colours(pair: Pair, size: tuple[int, int], fit: Fit = "squeeze") -> tuple[np.ndarray, tuple[int, int]]:
    """The image of an HDF5 file, as `image_files.read_image`."""
    with _opened(pair.image) as file:
        if COLOURS not in file:
            stereo = any(str(key).startswith(f"{COLOURS}_") for key in file)
            raise Unusable(pair.image, "holds a stereo pair" if stereo else f"holds no {COLOURS}")
        pixels = np.asarray(file[COLOURS])
    if pixels.ndim != 3 or pixels.shape[-1] not in (3, 4) or pixels.dtype != np.uint8:
        raise Unusable(pair.image, f"holds {COLOURS} of {pixels.dtype} {pixels.shape}; expected uint8 (h, w, 3)")
    placement = place((pixels.shape[0], pixels.shape[1]), size, fit)
    picture = placement.resized(Image.fromarray(np.ascontiguousarray(pixels[..., :3])), Image.Resampling.BILINEAR)
    return placement.framed(np.asarray(picture), BAR), placement.original


def _of_hdf5(root: Path) -> Labels:
    """How labels in HDF5 files are read; UserError where no file says what the categories are."""
    names = _names_in_hdf5(root)
    classes = _classes(root, names.values())
    if classes is None:
        raise UserError(
            f"no file in {root} says what the categories are; write a {class_file.FILE_NAME} there whose `ids` are "
            "category ids, or render the segmentation with map_by=['class', 'instance', 'name']"
        )
    legend = Legend(_meanings(root, names))
    return Labels(classes, lambda pair: RawLabel(_categories(pair.image), legend))


def _names_in_hdf5(root: Path) -> dict[int, str]:
    """Category id -> what all its objects are called, without the numbers of copies; else the id itself."""
    names: dict[int, set[str]] = defaultdict(set)
    for path in _everywhere(root, _hdf5_files):
        with contextlib.suppress(Unusable), _opened(path) as file:
            for row in _rows(file):
                category = _category_of(row)
                if category and "name" in row:
                    names[category].add(COPY.sub("", str(row["name"])))
    return {
        category: min(names[category]) if len(names[category]) == 1 else str(category) for category in sorted(names)
    }


def _has_categories(path: Path) -> bool:
    try:
        _categories(path)
    except Unusable as error:
        return error.reason != NO_CATEGORIES
    return True


def _categories(path: Path) -> np.ndarray:
    """The category ids in an HDF5 file, [h, w]."""
    with _opened(path) as file:
        ids = _category_map(file)
    if ids is None:
        raise Unusable(path, NO_CATEGORIES)
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise Unusable(path, f"holds categories of {ids.dtype} {ids.shape}; expected integers (h, w), no stereo pair")
    return ids


def _category_map(file: Any) -> np.ndarray | None:
    for key in CATEGORY_MAPS:
        if key in file:
            return np.asarray(file[key])
    rows = list(_rows(file))
    if STACKED in file:
        maps = np.asarray(file[STACKED])
        channels = {key: int(row[f"channel_{key}"]) for row in rows[:1] for key in CATEGORY if f"channel_{key}" in row}
        if maps.ndim == 3 and channels:
            return maps[..., next(iter(channels.values()))]
        if maps.ndim == 2 and (channels or not rows):
            return maps
    categories = {int(row["idx"]): _category_of(row) for row in rows if "idx" in row}
    if INSTANCE_MAPS in file and categories and all(category is not None for category in categories.values()):
        return _looked_up(np.asarray(file[INSTANCE_MAPS]), {key: value or 0 for key, value in categories.items()})
    return None


def _looked_up(instances: np.ndarray, categories: Mapping[int, int]) -> np.ndarray:
    """The categories of instances; an instance that no row names has an id that is no category."""
    table = np.full(int(max(instances.max(initial=0), *categories)) + 1, max(categories.values()) + 1, np.int32)
    table[list(categories)] = list(categories.values())
    return table[instances]


def _rows(file: Any) -> Iterator[dict[str, Any]]:
    """The attributes of each instance that an HDF5 file holds as JSON."""
    for key in ATTRIBUTES:
        if key in file:
            rows = json.loads(bytes(np.asarray(file[key]).item()))
            yield from (row for row in rows if isinstance(row, dict))


def _category_of(row: Mapping[str, Any]) -> int | None:
    return next((int(row[key]) for key in CATEGORY if key in row), None)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """An HDF5 file; what goes wrong while it is read becomes Unusable."""
    import h5py  # here, because looking for files needs none

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise Unusable(path, f"cannot be read: {error}") from error
