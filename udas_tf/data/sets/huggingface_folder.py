"""Hugging Face data sets in local files: images and masks in Parquet, or an ImageFolder; id2label.json names classes.

The form: huggingface.co/docs/datasets, "Create an image dataset" and "Repository structure", datasets 2 to 5. An image
in Parquet is a struct of its encoded `bytes` and its `path`. An ImageFolder has metadata.jsonl or metadata.csv, whose
file_name is an image and whose mask_file_name or mask is its mask; other names are in MASK_COLUMNS.

id2label.json is the map of transformers, such as {"0": "road", "1": "car"}. What it calls unlabeled or void is ignored.
So is 255 where it does not name it, the default of transformers' `semantic_loss_ignore_index`.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import io
import itertools
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf.data import annotated, image_files
from udas_tf.data import labels as labels_of
from udas_tf.data import own_classes as own
from udas_tf.data.file_trees import joined
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.split_files import SplitFiles, listing, paired
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "*.parquet with columns image and mask, called as their split or in folders called so; or metadata.jsonl with "
    "file_name and mask in train/ and validation/; or images/ and masks/ or annotations/; and id2label.json"
)
LABELLED = ()

NAMES = "id2label.json"
METADATA = ("metadata.jsonl", "metadata.csv")
IMAGE_COLUMNS = ("image", "pixel_values", "img")  # the first that is there counts
MASK_COLUMNS = ("mask", "label", "annotation", "labels", "segmentation_mask", "segmentation", "semantic_mask")
MASK_FOLDERS = ("masks", "annotations")
# Words in names of folders and files; those of datasets' data_files.py.
SPLIT_WORDS = {
    "train": ("train", "training"),
    "val": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
LIKE = '{"0": "road", "1": "car"}'
MOST_FOOTER = 1 << 20  # bytes of a Parquet file that are looked at to recognise it
GROUPS_KEPT = 4  # columns of groups of rows that are held in memory


@dataclasses.dataclass(frozen=True)
class Row(Pair):
    """An image, and its mask if it is labelled, in one row of a Parquet file.

    Attributes:
      group, row: number of the row in its group of rows.
      columns: names of the columns of images and of masks; the latter None where there is none.
    """

    group: int = 0
    row: int = 0
    columns: tuple[str, str | None] = ("image", None)


def find(root: Path, split: str) -> SplitFiles:
    """The rows of the split's Parquet files; else the lines of its metadata files; else images/ and masks/.

    Raises:
      UserError: masks are there and id2label.json is not or is wrong, or pyarrow is needed and not installed.
    """
    tables = _visible(root, "*.parquet")
    if tables:
        files = _of_tables([path for path in tables if _split(path.relative_to(root)) == split], root)
    elif any(_visible(root, name) for name in METADATA):
        files = _of_metadata(root, split)
    else:
        files = _of_folders(root, split)
    store = _Store()
    if tables:
        files = dataclasses.replace(files, read_image=store.image)
    if not any(pair.labelled for pair in files.pairs):
        return files
    classes, legend, ignored = own.of_ids(root, _names(root), NAMES)
    of_rows = Labels(classes, lambda pair: store.mask(pair, legend))
    labels = of_rows if tables else labels_of.of_files(classes, legend)
    return dataclasses.replace(files, labels=labels, warnings=(*files.warnings, *ignored))


def own_classes(root: Path) -> ClassSet | None:
    """The classes of id2label.json in the order of their ids; None without one. UserError where it is wrong."""
    return own.of_ids(root, _names(root), NAMES)[0] if (root / NAMES).is_file() else None


def recognise(root: Path) -> str | None:
    """Parquet files whose footer declares an image of datasets, or metadata with file_name, or id2label.json."""
    for path in (*root.glob("*.parquet"), *root.glob("*/*.parquet")):
        if path.is_file() and _declares_images(path):
            return f"{path_text(path.relative_to(root))}, with images as datasets writes them"
    for place in (root, *sorted(path for path in root.glob("*") if path.is_dir())):
        for name in METADATA:
            if (place / name).is_file() and _has_file_name(place / name):
                return f"{path_text((place / name).relative_to(root))} with file_name"
    if (root / NAMES).is_file() and _folders(root):
        return f"{NAMES}, images/ and masks"
    return None


def _split(path: Path) -> str:
    """The split that the words of a path mean, of its folders first."""
    for part in (*path.parts[:-1], path.stem):
        words = re.split(r"[^a-z]+", part.lower())
        for split, names in SPLIT_WORDS.items():
            if any(word in names for word in words):
                return split
    return "train"


def _visible(root: Path, pattern: str) -> list[Path]:
    """Files below a folder that match, without those in folders such as .cache."""
    paths = sorted(root.rglob(pattern))
    return [
        path for path in paths if path.is_file() and not any(p.startswith(".") for p in path.relative_to(root).parts)
    ]


# The classes.


def _names(root: Path) -> dict[int, str]:
    """Id -> name, as id2label.json says."""
    path = root / NAMES
    if not path.is_file():
        raise UserError(f"{path_text(path)} is missing; it says which class each value of the masks is: {LIKE}")
    try:
        content = json.loads(path.read_bytes())
        names = {int(key): value for key, value in content.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{path_text(path)} is not like {LIKE}: {error}") from error
    wrong = [value for value in names.values() if not isinstance(value, str) or not value.strip()]
    if wrong or not names:
        what = f"{wrong[0]!r} is no name" if wrong else "it names no class"
        raise UserError(f"{path_text(path)} is not like {LIKE}: {what}")
    return dict(sorted(names.items()))


# Parquet.


def _of_tables(paths: list[Path], root: Path) -> SplitFiles:
    """The rows of Parquet files."""
    if not paths:
        return SplitFiles([])
    parquet = _parquet()
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    warnings: list[str] = []
    for path in paths:
        try:
            table = parquet.ParquetFile(path)
            columns, unread = _columns(table.schema_arrow)
            pairs += _rows(table, path, path_text(path.relative_to(root).with_suffix("")), columns)
            if unread:
                warnings.append(f"{path_text(path)}: {columns[1]} is read as the mask; not read: {', '.join(unread)}")
        except (OSError, ValueError) as error:
            skipped.append(Skipped(path_text(path), f"cannot be read: {error}"))
    return SplitFiles(pairs, None, tuple(skipped), tuple(warnings))


def _parquet() -> Any:
    try:
        import pyarrow.parquet  # an extra: few users have such files
    except ImportError as error:
        raise UserError("Parquet files need pyarrow; install it with `pip install 'udas_tf[huggingface]'`") from error
    return pyarrow.parquet


def _columns(schema: Any) -> tuple[tuple[str, str | None], list[str]]:
    """The columns of images and masks, and other ones that also hold images; ValueError without images."""
    encoded = [field.name for field in schema if {"bytes", "path"} <= {part.name for part in _parts(field)}]
    image = next((name for name in IMAGE_COLUMNS if name in encoded), None)
    if image is None:
        raise ValueError(f"of the columns {', '.join(schema.names)} none is an image called {', '.join(IMAGE_COLUMNS)}")
    masks = [name for name in MASK_COLUMNS if name in encoded]
    mask = masks[0] if masks else None
    return (image, mask), [name for name in encoded if name not in (image, mask)]


def _parts(field: Any) -> list[Any]:
    """The fields of a struct; nothing for other types."""
    return [field.type.field(number) for number in range(field.type.num_fields)] if "struct" in str(field.type) else []


def _rows(table: Any, path: Path, name: str, columns: tuple[str, str | None]) -> Iterator[Row]:
    """Every row of a table, called NAME_000012. Only paths are read, no pixels."""
    mask = columns[1]
    number = 0
    for group in range(table.num_row_groups):
        paths = table.read_row_group(group, [f"{column}.path" for column in columns if column])
        masks = paths.column(mask).is_valid().to_pylist() if mask else [False] * len(paths)
        for row, labelled in enumerate(masks):
            yield Row(f"{name}_{number:06d}", path, path if labelled else None, labelled, group, row, columns)
            number += 1


class _Store:
    """Reads the images and masks of rows. It keeps the groups of rows that it read last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # threads that need one group wait for the first, and do not read it again
        self._column = functools.lru_cache(GROUPS_KEPT)(_column)

    def image(self, pair: Pair, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
        """As `image_files.read_image`."""
        row = _as_row(pair)
        content = self._content(row, row.columns[0])
        with _naming(row):
            return image_files.read_image(row.image, size, content=content)

    def mask(self, pair: Pair, legend: Legend) -> RawLabel:
        """As `Labels.read`."""
        row = _as_row(pair)
        content = self._content(row, row.columns[1] or "")
        with _naming(row):
            values, palette = image_files.read_label_and_palette(row.image, content)
        return RawLabel(values, legend, palette)

    def _content(self, row: Row, column: str) -> bytes:
        """An encoded image; one that the table has only the path of is read from there."""
        with _naming(row):
            try:
                with self._lock:
                    values = self._column(row.image, row.group, column)
                value = values[row.row].as_py() or {}
                if value.get("bytes") is not None:
                    return value["bytes"]
                if not value.get("path"):
                    raise Unusable(row.image, f"has neither bytes nor a path in the column {column}")
                return (row.image.parent / value["path"]).read_bytes()
            except (OSError, ValueError) as error:
                raise Unusable(row.image, f"cannot be read: {error}") from error


def _column(path: Path, group: int, column: str) -> Any:
    return _parquet().ParquetFile(path).read_row_group(group, [column]).column(column)


def _as_row(pair: Pair) -> Row:
    if not isinstance(pair, Row):
        raise TypeError(f"{pair} is no row of a Parquet file")
    return pair


@contextlib.contextmanager
def _naming(row: Row) -> Iterator[None]:
    """Says which row an error is about, as many share a file."""
    try:
        yield
    except Unusable as error:
        raise Unusable(error.path, f"{row.name} {error.reason}") from error


def _declares_images(path: Path) -> bool:
    """Whether the footer of a Parquet file, which holds its schema, has a feature Image of datasets."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - MOST_FOOTER))
        footer = file.read()
    return b"huggingface" in footer and re.search(rb'"_type":\s*"Image"', footer) is not None


# ImageFolder.


def _of_metadata(root: Path, split: str) -> SplitFiles:
    """The images that metadata files name, relative to themselves, with their masks; folders say the split."""
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    used: set[Path] = set()
    for path in itertools.chain.from_iterable(_visible(root, name) for name in METADATA):
        try:
            lines = list(_lines(path))
        except (OSError, ValueError, csv.Error) as error:
            skipped.append(Skipped(path_text(path), f"cannot be read: {error}"))
            continue
        for number, line in lines:
            place = path.parent.relative_to(root)
            image, mask = (_named(root, place, line, columns) for columns in (("",), MASK_COLUMNS))
            if _split((image or path).relative_to(root).parent) != split:
                continue
            used |= {file for file in (image, mask) if file}
            if image is None or not image.is_file():
                skipped.append(_missing(path, number, "image", image))
                continue
            labelled = mask is not None and mask.is_file()
            if mask is not None and not labelled:
                skipped.append(_missing(path, number, "mask", mask))
            pairs.append(Pair(path_text(image.relative_to(root).with_suffix("")), image, mask, labelled))
    there = listing(root, aside=(NAMES,))
    unnamed = [path for path in there.images if path not in used and _split(path.relative_to(root).parent) == split]
    skipped += [Skipped(path_text(path), "is named by no metadata file") for path in unnamed]
    everywhere = (*there.skipped, *skipped)
    return SplitFiles(annotated.in_order(pairs), None, everywhere if split == "train" else tuple(skipped))


def _missing(path: Path, number: int, what: str, file: Path | None) -> Skipped:
    reason = f"line {number} names no {what}" + (f" that exists: {path_text(file)}" if file else " in the data set")
    return Skipped(path_text(path), reason)


def _lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The lines of a metadata file, each with its number; ValueError for one that is no mapping."""
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".csv":
        yield from enumerate(csv.DictReader(io.StringIO(text)), start=2)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            content = json.loads(line)
            if not isinstance(content, dict):
                raise ValueError(f"line {number} is no mapping")
            yield number, content


def _named(root: Path, place: Path, line: Mapping[str, Any], columns: Sequence[str]) -> Path | None:
    """The file in the root that a line names; None where it names none, or one outside of the root.

    Args:
      root: of the data set.
      place: the metadata file's folder in it, which names start from.
      line: column -> value.
      columns: the first that is there counts, as COLUMN_file_name or COLUMN; "" is that of images, file_name.
    """
    keys = [f"{column}_file_name" if column else "file_name" for column in columns] + [c for c in columns if c]
    values = (line.get(key) for key in keys)
    name = next((value for value in values if isinstance(value, str) and value), None)
    inside = Path(os.path.normpath(place / name)) if name else None
    return root / inside if inside and not inside.is_absolute() and ".." not in inside.parts else None


def _has_file_name(path: Path) -> bool:
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return "file_name" in file.readline()


# Folders.


def _of_folders(root: Path, split: str) -> SplitFiles:
    """images/ and its masks, in the folder of a split or in the root."""
    parts = [
        (path_text(place.relative_to(root)), paired(place / "images", masks, None))
        for place, masks in _folders(root)
        if _split(place.relative_to(root)) == split
    ]
    return parts[0][1] if len(parts) == 1 else joined(parts, None)


def _folders(root: Path) -> list[tuple[Path, Path]]:
    """(folder, its folder of masks) of the root and the folders in it that hold images/ and masks."""
    places = [root, *sorted(path for path in root.glob("*") if path.is_dir())]
    masks = {place: next((place / name for name in MASK_FOLDERS if (place / name).is_dir()), None) for place in places}
    return [(place, folder) for place, folder in masks.items() if folder and (place / "images").is_dir()]
