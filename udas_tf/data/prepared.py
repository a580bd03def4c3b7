"""Sets of records that `udas data prepare --dataset` wrote, as splits for the runs they serve."""

from __future__ import annotations

import functools
import io
import json
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from udas_tf.data import records
from udas_tf.data.records import Sample
from udas_tf.data.splits import Split
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet, train_ids


class _Place(NamedTuple):
    """Where a record lies."""

    shard: int
    file: Path
    start: int
    bytes: int


def of_records(directory: Path, classes: ClassSet, size: tuple[int, int], *, need_labels: bool) -> Split:
    """A set of records as a split.

    Args:
      directory: of the set.
      classes: whose ids the samples' labels are to hold.
      size: (height, width), pixels; must be that of the set.
      need_labels: whether every record must have a label.

    Raises:
      UserError: no such set, one of another size, one of classes that do not go into `classes`, or labels are missing.
    """
    manifest = records.read_manifest(directory)
    provenance = manifest["provenance"]
    if "classes" not in provenance:
        raise UserError(
            f"{directory} was not written by `udas data prepare --dataset`; give the root of one that was"
        )
    if tuple(manifest["size"]) != size:
        raise UserError(
            f"{directory} was prepared at {tuple(manifest['size'])} and data.size is {size}; "
            "set data.size to that, or prepare the data set again"
        )
    if need_labels and manifest["with_label"] < manifest["count"]:
        missing = manifest["count"] - manifest["with_label"]
        raise UserError(
            f"{missing} of the {manifest['count']} records in {directory} have no label; all need one"
        )
    names = tuple(provenance["classes"])
    native = ClassSet(provenance["class_set"], names, ((0, 0, 0),) * len(names))
    into = train_ids(native, classes)
    places = _places(directory, manifest)

    @functools.cache
    def verify(shard: int) -> None:  # when it is first read
        records.verify_shard(directory, manifest["shards"][shard])

    def read(index: int, with_label: bool) -> Sample:
        verify(places[index].shard)
        record = _record(places[index])
        image, label = np.frombuffer(record["image"], np.uint8).reshape(*size, 3), None
        if with_label and record["label"]:
            label = into[np.frombuffer(record["label"], np.uint8).reshape(size)]
        return Sample(record["id"].decode(), image, label, provenance=json.loads(record["provenance"]))

    return Split(
        manifest["count"],
        _labelled(manifest, places),
        read,
        provenance | {"class_set": classes.name, "classes": list(classes.classes)},
        whole=directory if native.classes == classes.classes else None,
    )


def _places(directory: Path, manifest: dict) -> list[_Place]:
    """Where the records of a set lie, in order: the files are walked from length to length."""
    places = []
    for number, shard in enumerate(manifest["shards"]):
        path = directory / shard["file"]
        if not path.is_file() or path.stat().st_size != shard["bytes"]:
            raise UserError(
                f"{path} is missing or truncated; remove {directory} and prepare the data set again"
            )
        with path.open("rb") as file:
            for _ in range(shard["count"]):
                # A TFRecord: length, its checksum, the record, its checksum; 8, 4, length and 4 bytes.
                (length,) = struct.unpack("<Q", file.read(8))
                places.append(_Place(number, path, file.tell() + 4, length))
                file.seek(length + 8, io.SEEK_CUR)
    return places


def _labelled(manifest: dict, places: list[_Place]) -> range | list[int]:
    if manifest["with_label"] in (0, manifest["count"]):
        return range(manifest["with_label"])
    return [index for index, place in enumerate(places) if _record(place)["label"]]


def _record(place: _Place) -> dict[str, bytes]:
    """The byte features of a record by name."""
    with place.file.open("rb") as file:
        file.seek(place.start)
        example = tf.train.Example.FromString(file.read(place.bytes))
    features = example.features.feature
    return {name: features[name].bytes_list.value[0] for name in ("image", "label", "id", "provenance")}
