"""TensorFlow Datasets prepared on this machine: images and segmentation masks in *.tfrecord files.

The form: github.com/tensorflow/datasets, docs/format_specific_dataset_builders.md, and what 4.9 writes. features.json
says which features are images. The image has three channels, the mask one. Where several come into question, those of
IMAGES and MASKS go first. FEATURE.labels.txt names the ids of a mask line by line, from 0. Users may write one where
the data set has none. What it calls unlabeled or void is ignored, and so is 255 unless it is named. The masks of the
data set "cityscapes" hold Cityscapes' label ids.

TensorFlow decodes the records; tensorflow_datasets is not needed. The checksums of records are not compared.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf.data import annotated, image_files
from udas_tf.data import own_classes as own
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.sets.cityscapes import LABEL_IDS
from udas_tf.data.split_files import SplitFiles
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

LAYOUT = (
    "dataset_info.json, features.json, MASK.labels.txt and NAME-SPLIT.tfrecord-00000-of-0000N, in the root or in "
    "NAME/VERSION or NAME/CONFIG/VERSION below it"
)
LABELLED = ()

INFO, FEATURES = "dataset_info.json", "features.json"
IMAGES = ("image", "image_left")
MASKS = ("segmentation_mask", "segmentation_label", "mask", "label", "annotation", "segmentation")
DTYPES = ("uint8", "uint16")
SPLITS = ("train", "val", "test", "train_extra")
DEEPEST = 3  # folders between the root and dataset_info.json
FRAME = struct.Struct("<QI")  # before a record: its length and a checksum of that; after it comes its own checksum
CHECKSUM = 4  # bytes


@dataclasses.dataclass(frozen=True)
class Record(Pair):
    """An image, and its mask if it is labelled, in a file of records.

    Attributes:
      start, length: where the record lies in the file, bytes.
      features: names of the features of the image and of the mask; the latter None where there is none.
    """

    start: int = 0
    length: int = 0
    features: tuple[str, str | None] = ("image", None)


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What the files of a data set say of it.

    Attributes:
      folder: where they lie.
      name: of the data set.
      splits: name as published -> number of records in each file.
      features: see `Record`.
      unread: further features that are images.
    """

    folder: Path
    name: str
    splits: Mapping[str, Sequence[int]]
    features: tuple[str, str | None]
    unread: tuple[str, ...]


def find(root: Path, split: str) -> SplitFiles:
    """The records of a split. They are called SPLIT_000012 by their number in it, with the published name of the split.

    Raises:
      UserError: several data sets lie in the root, their description is not of the form, or nothing names the ids.
    """
    folder = _folder(root)
    if folder is None:
        return SplitFiles([])
    prepared = _prepared(folder)
    names = [name for name in prepared.splits if _split(name) == split]
    pairs: list[Pair] = []
    skipped: list[Skipped] = []
    warnings: list[str] = []
    for name in names:
        for path, count in _shards(prepared, name):
            records, problem = _records(path, name, len(pairs), prepared.features)
            pairs += records
            if problem:
                skipped.append(Skipped(path_text(path), problem))
            elif len(records) != count:
                warnings.append(f"{path_text(path)} holds {len(records)} records; {INFO} says {count}")
    others = [name for name in prepared.splits if _split(name) not in SPLITS]
    if others and split == "train":
        warnings.append(
            f"{path_text(folder)}: the splits {', '.join(others)} are not read; expected {', '.join(SPLITS)}"
        )
    if prepared.unread and pairs:
        warnings.append(f"{prepared.features} are read as image and mask; not read: {', '.join(prepared.unread)}")
    labels = None
    if prepared.features[1] and pairs:
        classes, legend, ignored = _classes(prepared)
        warnings += ignored
        labels = Labels(classes, lambda pair: read_mask(pair, legend))
    return SplitFiles(pairs, labels, tuple(skipped), tuple(warnings), read_image)


def _split(name: str) -> str:
    return annotated.split_of(name) or name


def own_classes(root: Path) -> ClassSet | None:
    """The names of FEATURE.labels.txt in their order; None without a mask. UserError as for `find`."""
    folder = _folder(root)
    prepared = _prepared(folder) if folder else None
    return _classes(prepared)[0] if prepared and prepared.features[1] else None


def recognise(root: Path) -> str | None:
    """TensorFlow Datasets writes dataset_info.json and features.json beside *.tfrecord-00000-of-0000N."""
    for folder in _folders(root):
        if next(folder.glob("*.tfrecord-*-of-*"), None):
            return f"{path_text((folder / INFO).relative_to(root))}, {FEATURES} and *.tfrecord-*"
    return None


def _folders(root: Path) -> list[Path]:
    """The folders of versions in the root; the root itself where it is one."""
    patterns = [f"{'*/' * depth}{INFO}" for depth in range(DEEPEST + 1)]
    found = [path.parent for pattern in patterns for path in sorted(root.glob(pattern))]
    return [folder for folder in found if (folder / FEATURES).is_file()]


def _folder(root: Path) -> Path | None:
    folders = _folders(root)
    if len(folders) > 1:
        listed = ", ".join(path_text(folder.relative_to(root)) for folder in folders)
        raise UserError(f"{root} holds several data sets of TensorFlow Datasets: {listed}; name one as the root")
    return folders[0] if folders else None


def _prepared(folder: Path) -> Prepared:
    """What dataset_info.json and features.json say; UserError where they are of another form."""
    try:
        info = json.loads((folder / INFO).read_bytes())
        splits = {
            str(split["name"]): [int(count) for count in split.get("shardLengths", [])] for split in info["splits"]
        }
        name, kind = str(info["name"]), str(info.get("fileFormat", "tfrecord"))
        described = json.loads((folder / FEATURES).read_bytes())["featuresDict"]["features"]
        images = {name: feature for name, feature in described.items() if "image" in feature}
        channels = {name: int(feature["image"]["shape"]["dimensions"][-1]) for name, feature in images.items()}
        labelled = [name for name, feature in images.items() if "label" in feature["image"]]
        dtypes = {name: str(feature["image"].get("dtype", "uint8")) for name, feature in images.items()}
    except (OSError, *annotated.WRONG_FORM) as error:
        raise UserError(f"{path_text(folder)}: {INFO} or {FEATURES} is not of the form: {error!r}") from error
    if kind != "tfrecord":
        raise UserError(f"{path_text(folder)} is prepared as {kind}; prepare it with file_format='tfrecord'")
    usable = [name for name in images if dtypes[name] in DTYPES]
    image = _first([name for name in usable if channels[name] == 3], IMAGES)
    if image is None:
        raise UserError(f"{path_text(folder / FEATURES)} has no image of three channels; it has {', '.join(described)}")
    mask = _first([name for name in usable if channels[name] == 1], (*labelled, *MASKS))
    unread = tuple(name for name in images if name not in (image, mask))
    return Prepared(folder, name, splits, (image, mask), unread)


def _first(names: Sequence[str], preferred: Sequence[str]) -> str | None:
    """The first of the preferred names that is there, or the only one there is."""
    chosen = next((name for name in preferred if name in names), None)
    return chosen or (names[0] if len(names) == 1 else None)


def _classes(prepared: Prepared) -> tuple[ClassSet, Legend, tuple[str, ...]]:
    """The classes that the values of masks are named after, what these mean, and a warning of ignored names."""
    path = prepared.folder / f"{prepared.features[1]}.labels.txt"
    if not path.is_file():
        if prepared.name == "cityscapes":
            return CITYSCAPES, Legend(LABEL_IDS), ()
        raise UserError(f"{path_text(path)} is missing; write the names of the values of masks into it, one a line")
    names = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    return own.of_ids(prepared.folder.parent, dict(enumerate(names)), path.name)


def _shards(prepared: Prepared, split: str) -> Iterator[tuple[Path, int]]:
    """The files of a split that dataset_info.json lists, there or not, with the number of their records."""
    counts = prepared.splits[split]
    for number, count in enumerate(counts):
        name = f"{prepared.name}-{split}.tfrecord-{number:05d}-of-{len(counts):05d}"
        yield prepared.folder / name, count


def _records(path: Path, split: str, first: int, features: tuple[str, str | None]) -> tuple[list[Record], str | None]:
    """The records of a file, without their content, and what is wrong with it from some record on."""
    records: list[Record] = []
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = 0
            while start < size:
                file.seek(start)
                frame = file.read(FRAME.size)
                length = FRAME.unpack(frame)[0] if len(frame) == FRAME.size else size
                content = start + FRAME.size
                start = content + length + CHECKSUM
                if start > size:
                    return records, f"is truncated or damaged after {len(records)} records, which are read"
                name, mask = f"{split}_{first + len(records):06d}", features[1]
                records.append(Record(name, path, path if mask else None, bool(mask), content, length, features))
    except OSError as error:
        return records, f"cannot be read: {error.strerror}"
    return records, None


def read_image(pair: Pair, size: tuple[int, int]) -> tuple[np.ndarray, tuple[int, int]]:
    """As `image_files.read_image`, for a record."""
    record = _as_record(pair)
    try:
        return image_files.read_image(record.image, size, content=_encoded(record, record.features[0]))
    except Unusable as error:
        raise Unusable(error.path, f"{record.name} {error.reason}") from error


def read_mask(pair: Pair, legend: Legend) -> RawLabel:
    """The mask of a record, whose values mean what `legend` says; Unusable where it cannot be read."""
    record = _as_record(pair)
    try:
        content = _encoded(record, record.features[1] or "")
        values, palette = image_files.read_label_and_palette(record.image, content)
    except Unusable as error:
        raise Unusable(error.path, f"{record.name} {error.reason}") from error
    return RawLabel(values, legend, palette)


def _as_record(pair: Pair) -> Record:
    if not isinstance(pair, Record):
        raise TypeError(f"{pair} is no record of TensorFlow Datasets")
    return pair


def _encoded(record: Record, feature: str) -> bytes:
    """An encoded image of a record."""
    from google.protobuf.message import DecodeError  # with TensorFlow, whose import takes seconds
    from tensorflow.core.example.example_pb2 import Example

    try:
        with record.image.open("rb") as file:
            file.seek(record.start)
            example: Any = Example.FromString(file.read(record.length))
    except (OSError, DecodeError) as error:
        raise Unusable(record.image, f"cannot be read: {error}") from error
    values = example.features.feature[feature].bytes_list.value
    if len(values) != 1:
        raise Unusable(record.image, f"holds {len(values)} images as its feature {feature}; expected one")
    return values[0]
