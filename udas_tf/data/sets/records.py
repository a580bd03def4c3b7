"""Records that `udas data prepare --dataset` wrote, for many runs to read."""

from __future__ import annotations

import functools
import io
import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from udas_tf.data import records
from udas_tf.data.class_map import provenance_of
from udas_tf.data.class_sets import train_ids
from udas_tf.data.records import Manifest
from udas_tf.data.sample import Sample
from udas_tf.data.splits import Request, Split
from udas_tf.errors import UserError
from udas_tf.sizes import size_text
from udas_tf.taxonomy import ClassSet

LAYOUT = "SPLIT/manifest.json and its shards, as `udas data prepare --dataset` writes them"


class _Place(NamedTuple):
    """Where a record lies."""

    shard: int
    file: Path
    start: int
    bytes: int


def open_split(request: Request) -> Split:
    """The set of records in `request.root`/`request.split`.

    Raises:
      UserError: no such set, one of another size, one of classes that do not go into `request.classes`, or one where
        labels are missing that `request.need_labels` asks for.
    """
    if request.root is None:
        raise ValueError("a set of records needs a root")
    directory, classes, size = request.root / request.split, request.classes, request.size
    manifest = records.read_manifest(directory)
    _check(directory, manifest, request)
    names = tuple(manifest.provenance["classes"])
    native = ClassSet(manifest.provenance["class_set"], names, ((0, 0, 0),) * len(names))
    into = train_ids(native, classes, request.class_map)
    places = _places(directory, manifest)

    @functools.cache
    def verify(shard: int) -> None:  # when it is first read
        records.verify_shard(directory, manifest.shards[shard])

    def read(index: int, with_label: bool) -> Sample:
        verify(places[index].shard)
        record = _record(places[index])
        image, label = np.frombuffer(record["image"], np.uint8).reshape(*size, 3), None
        if with_label and record["label"]:
            label = into[np.frombuffer(record["label"], np.uint8).reshape(size)]
        return Sample(record["id"].decode(), image, label, provenance=json.loads(record["provenance"]))

    return Split(
        manifest.count,
        _labelled(manifest, places),
        read,
        manifest.provenance
        | {"class_set": classes.name, "classes": list(classes.classes)}
        | provenance_of(request.class_map),
        whole=directory if native.classes == classes.classes else None,
    )


def _check(directory: Path, manifest: Manifest, request: Request) -> None:
    if "classes" not in manifest.provenance:
        raise UserError(f"{directory} was not written by `udas data prepare --dataset`; give the root of one that was")
    if manifest.size != request.size:
        raise UserError(
            f"{directory} was prepared at {size_text(manifest.size)} and data.size is {size_text(request.size)}; "
            "set data.size to that, or prepare the data set again"
        )
    if request.need_labels and not manifest.all_labelled:
        missing = manifest.count - manifest.with_label
        raise UserError(f"{missing} of the {manifest.count} records in {directory} have no label; all need one")


def _places(directory: Path, manifest: Manifest) -> list[_Place]:
    """Where the records of a set lie, in order: the files are walked from length to length."""
    places = []
    for number, shard in enumerate(manifest.shards):
        path = directory / shard.file
        if not path.is_file() or path.stat().st_size != shard.bytes:
            raise UserError(f"{path} is missing or truncated; remove {directory} and prepare the data set again")
        with path.open("rb") as file:
            for _ in range(shard.count):
                # A TFRecord: length, its checksum, the record, its checksum; 8, 4, length and 4 bytes.
                (length,) = struct.unpack("<Q", file.read(8))
                places.append(_Place(number, path, file.tell() + 4, length))
                file.seek(length + 8, io.SEEK_CUR)
    return places


def _labelled(manifest: Manifest, places: list[_Place]) -> Sequence[int]:
    if manifest.with_label in (0, manifest.count):
        return range(manifest.with_label)
    return [index for index, place in enumerate(places) if _record(place)["label"]]


def _record(place: _Place) -> dict[str, bytes]:
    """The byte features of a record by name."""
    with place.file.open("rb") as file:
        file.seek(place.start)
        example = tf.train.Example.FromString(file.read(place.bytes))
    features = example.features.feature
    return {name: features[name].bytes_list.value[0] for name in ("image", "label", "id", "provenance")}
