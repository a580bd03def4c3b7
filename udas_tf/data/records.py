"""The one record schema: raw data, translated images and pseudo-labels are the same TFRecords.

A record is a tf.train.Example with
    image        bytes   uint8 RGB [H, W, 3]
    label        bytes   uint8 train ids [H, W], 255 = ignored; empty where there is no label
    confidence   bytes   uint8 [H, W], round(255 * probability of the label); empty except in pseudo-labels
    height, width  int64   pixels
    id           bytes   name of the image within its data set
    provenance   bytes   JSON: where image and label come from

Arrays lie there as they are, row by row: decoding PNG was most of what a training's input cost (docs/performance.md).

A set of records is a directory of shards and a manifest written last. Its role says who may read it:
"training" sets are what stages learn from; "validation" and "hidden" sets (the target labels beyond the budget)
open only for evaluation. `read` enforces it: the label guard.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf import progress, run_dir
from udas_tf.data.in_order import in_order
from udas_tf.errors import UserError
from udas_tf.processor import cores

SCHEMA = "udas-records-2"
# For what makes a pipeline: AutoGraph, which has nothing to convert here, would parse all its functions again.
AS_WRITTEN = tf.autograph.experimental.do_not_convert
# An iterator's end waits for the autotuner's next look, after a training for up to as long as that took, or a minute.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False
ROLES = ("training", "validation", "hidden")
SHOWN_SHARE = 1e-3  # of an image's pixels; with fewer of a class, the image does not count as showing it


@dataclasses.dataclass(frozen=True)
class Sample:
    """One record in memory.

    Attributes:
      id: name of the image within its data set.
      image: uint8 RGB [H, W, 3].
      label: uint8 train ids [H, W], 255 = ignored; None without a label.
      confidence: uint8 [H, W], round(255 * probability of the label); None except in pseudo-labels.
      provenance: JSON-serialisable description of where image and label come from.
    """

    id: str
    image: np.ndarray
    label: np.ndarray | None = None
    confidence: np.ndarray | None = None
    provenance: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Skipped:
    """What stands in the place of a sample that could not be made.

    Attributes:
      path: of the file that is to blame.
      reason: in words, without the path.
    """

    path: str
    reason: str


def encode(sample: Sample) -> bytes:
    """Serialises a sample; ValueError when shapes or dtypes are not those of the schema."""
    height, width = sample.image.shape[:2]
    _check_array("image", sample.image, (height, width, 3))
    for name in ("label", "confidence"):
        if getattr(sample, name) is not None:
            _check_array(name, getattr(sample, name), (height, width))
    features = {
        "image": _bytes(sample.image.tobytes()),
        "label": _bytes(b"" if sample.label is None else sample.label.tobytes()),
        "confidence": _bytes(b"" if sample.confidence is None else sample.confidence.tobytes()),
        "height": tf.train.Feature(int64_list=tf.train.Int64List(value=[height])),
        "width": tf.train.Feature(int64_list=tf.train.Int64List(value=[width])),
        "id": _bytes(sample.id.encode()),
        "provenance": _bytes(json.dumps(sample.provenance).encode()),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(
        deterministic=True
    )


def decode(serialized: tf.Tensor, size: tuple[int, int], fields: Sequence[str]) -> dict[str, tf.Tensor]:
    """Parses one record in-graph.

    Args:
      serialized: string scalar.
      size: (height, width) of the record, static.
      fields: which of "image", "label", "confidence", "id" to decode.

    Returns:
      {"image": uint8 [H, W, 3], "label": uint8 [H, W], "confidence": uint8 [H, W], "id": string}, those asked for.
    """
    parsed = tf.io.parse_single_example(
        serialized, {field: tf.io.FixedLenFeature([], tf.string) for field in fields}
    )
    shapes = {"image": (*size, 3), "label": size, "confidence": size}
    return {
        field: tf.reshape(tf.io.decode_raw(value, tf.uint8), shapes[field]) if field in shapes else value
        for field, value in parsed.items()
    }


def write(
    directory: Path,
    role: str,
    count: int,
    samples_of: Callable[[range], Iterable[Sample | Skipped]],
    *,
    shard_images: int,
    provenance: dict,
    label: str,
    skipped: Sequence[Skipped] = (),
    strict: bool = False,
) -> dict:
    """Writes a set of records, shard by shard, resuming after a kill at the last whole shard.

    Args:
      directory: where the set goes; finished when its manifest is there.
      role: one of ROLES.
      count: number of indices. A shard is made of the same indices whatever is skipped among them, so that a resumed
        set is the unbroken one.
      samples_of: a range of indices within 0..count-1 -> for each, in order, its sample or why there is none.
      shard_images: indices a shard.
      provenance: what made the set, kept in the manifest. A half-written set of another provenance is refused.
      label: of the progress bar.
      skipped: files that were left out beforehand; listed in the manifest with those met here.
      strict: the first skipped file is an error.

    Returns:
      The manifest.

    Raises:
      UserError: nothing is left to write, or with `strict` anything is skipped.
    """
    if role not in ROLES:
        raise ValueError(f"role {role!r} is not one of {ROLES}")
    listed = [dataclasses.asdict(file) for file in skipped]
    check_skipped(listed, strict)
    directory.mkdir(parents=True, exist_ok=True)
    mark = {"role": role, "count": count, "shard_images": shard_images, "shown_share": SHOWN_SHARE}
    _claim(directory, mark | provenance)
    starts = range(0, count, shard_images)
    shards = []
    with progress.bar(count, label, "image") as bar:
        for number, start in enumerate(starts):
            indices = range(start, min(start + shard_images, count))
            path = directory / f"{number:05d}-of-{len(starts):05d}.tfrecord"
            summary = path.with_suffix(".json")
            if not summary.is_file():
                run_dir.write_json(
                    summary, _write_shard(path, samples_of(indices), len(indices), strict, bar)
                )
            else:
                bar.update(len(indices))
            shards.append(run_dir.read_json(summary))
            check_skipped(shards[-1]["skipped"], strict)
    manifest = _manifest(directory, role, shards, listed, provenance)
    run_dir.finish(directory, manifest)
    return manifest


def check_skipped(skipped: Sequence[dict], strict: bool) -> None:
    """UserError naming the first of the skipped files of a manifest, where `strict` allows none."""
    if strict and skipped:
        raise UserError(
            f"{skipped[0]['path']} {skipped[0]['reason']}; without --strict it is skipped and listed"
        )


def link(directory: Path, source: Path, role: str, provenance: dict) -> dict:
    """Makes a set of the shards of another finished one, without copying them; returns its manifest."""
    manifest = read_manifest(source) | {"role": role, "provenance": provenance}
    directory.mkdir(parents=True, exist_ok=True)
    for shard in manifest["shards"]:
        temporary = directory / (shard["file"] + ".tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to((source / shard["file"]).resolve())
        temporary.replace(directory / shard["file"])
    run_dir.finish(directory, manifest)
    return manifest


@AS_WRITTEN
def read(
    directory: Path, *, purpose: str, fields: Sequence[str], cache: bool = False
) -> tuple[tf.data.Dataset, dict]:
    """Opens a finished set of records in the order in which it was written.

    Args:
      directory: a set written by `write`.
      purpose: "training" or "evaluation". Training opens sets of role "training" only.
      fields: which of "image", "label", "confidence", "id" to decode; every record must have them.
      cache: keep the decoded records in memory.

    Returns:
      A dataset of decoded records (see `decode`), and the manifest.

    Raises:
      UserError: not a set of records, a guarded set opened for training, a missing or truncated shard, labels or
        confidences asked for that the set does not have.
    """
    if purpose not in ("training", "evaluation"):
        raise ValueError(f"purpose is {purpose!r}; expected 'training' or 'evaluation'")
    manifest = read_manifest(directory)
    if purpose == "training" and manifest["role"] != "training":
        raise UserError(
            f"{directory} holds {manifest['role']} records, which training may not open; "
            "declare a larger data.target.labelled to train on more target labels"
        )
    for field in ("label", "confidence"):
        if field in fields and manifest["with_" + field] != manifest["count"]:
            raise UserError(
                f"{directory} has a {field} for {manifest['with_' + field]} of its {manifest['count']} records; "
                "all were expected"
            )
    files = [directory / shard["file"] for shard in manifest["shards"]]
    for file, shard in zip(files, manifest["shards"], strict=True):
        size = file.stat().st_size if file.is_file() else None
        if size != shard["bytes"]:
            raise UserError(
                f"{file} has {'no file' if size is None else f'{size} bytes'} where its manifest says "
                f"{shard['bytes']} bytes; remove {directory} and make it again"
            )
    size = tuple(manifest["size"])
    records = tf.data.TFRecordDataset([str(file) for file in files])
    records = records.map(lambda record: decode(record, size, fields), num_parallel_calls=cores())
    records = records.apply(tf.data.experimental.assert_cardinality(manifest["count"]))
    return (records.cache() if cache else records).with_options(UNTUNED), manifest


def read_manifest(directory: Path) -> dict:
    """Manifest of a finished set of records; UserError when there is none or it is another's."""
    if not run_dir.is_finished(directory):
        raise UserError(f"no finished set of records in {directory}: it has no {run_dir.MANIFEST}")
    manifest = run_dir.read_json(directory / run_dir.MANIFEST)
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if schema != SCHEMA:
        raise UserError(f"{directory} has schema {schema!r}, expected {SCHEMA!r}; make it again")
    return manifest


def verify(directory: Path) -> None:
    """Compares every shard with its checksum; UserError naming the first that differs."""
    for shard in read_manifest(directory)["shards"]:
        verify_shard(directory, shard)


def verify_shard(directory: Path, shard: dict) -> None:
    """Compares a shard of a set, an entry of its manifest, with its checksum; UserError when it differs."""
    file = directory / shard["file"]
    found = _sha256(file) if file.is_file() else "no file"
    if found != shard["sha256"]:
        raise UserError(
            f"{file} is damaged or foreign: its SHA-256 is {found}, its manifest says {shard['sha256']}; "
            f"remove {directory} and make it again"
        )


@contextlib.contextmanager
def naming_damage(*directories: Path) -> Iterator[None]:
    """Within it, what TensorFlow says of a damaged record becomes a UserError that names the shard.

    TensorFlow itself does not say which file it was reading. Checksums are compared only then: reading every shard
    twice at each start would be the price of doing it before.
    """
    try:
        yield
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError):
        for directory in directories:
            verify(directory)
        raise


def _manifest(directory: Path, role: str, shards: list[dict], skipped: list[dict], provenance: dict) -> dict:
    skipped = [*skipped, *(file for shard in shards for file in shard["skipped"])]
    sizes = {tuple(shard["size"]) for shard in shards if shard["size"]}
    if not sizes:
        first = f"; the first: {skipped[0]['path']} {skipped[0]['reason']}" if skipped else ""
        raise UserError(f"no image is left for {directory}: {len(skipped)} files were skipped{first}")
    if len(sizes) != 1:
        raise ValueError(f"one set of records has one size, got {sorted(sizes)}")
    return {
        "schema": SCHEMA,
        "role": role,
        "count": sum(shard["count"] for shard in shards),
        "with_label": sum(shard["with_label"] for shard in shards),
        "with_confidence": sum(shard["with_confidence"] for shard in shards),
        "size": list(*sizes),
        "class_pixels": np.sum([shard["class_pixels"] for shard in shards], axis=0).tolist(),
        "labelled_ids": [id_ for shard in shards for id_ in shard["labelled_ids"]],
        "labelled_classes": [shown for shard in shards for shown in shard["labelled_classes"]],
        "provenance": provenance,
        "skipped": skipped,
        "shards": [{key: shard[key] for key in ("file", "count", "bytes", "sha256")} for shard in shards],
    }


def _claim(directory: Path, identity: dict) -> None:
    """Marks what an unfinished directory is going to hold; refuses to continue what another set began."""
    mark = directory / "writing.json"
    if mark.is_file() and run_dir.read_json(mark) != json.loads(json.dumps(identity)):
        raise UserError(
            f"{directory} holds an unfinished set made with other settings; remove it and run again"
        )
    run_dir.write_json(mark, identity)


@dataclasses.dataclass(frozen=True)
class _Packed:
    """A sample serialised, and what a manifest counts of it."""

    record: bytes
    id: str
    size: tuple[int, int]
    class_pixels: np.ndarray | None  # int64 [256]; None without a label
    with_confidence: bool


def _pack(sample: Sample | Skipped) -> _Packed | Skipped:
    if isinstance(sample, Skipped):
        return sample
    pixels = None if sample.label is None else np.bincount(sample.label.ravel(), minlength=256)
    return _Packed(encode(sample), sample.id, sample.image.shape[:2], pixels, sample.confidence is not None)


def _write_shard(
    path: Path, samples: Iterable[Sample | Skipped], expected: int, strict: bool, bar: progress.tqdm
) -> dict:
    """Writes one shard under a temporary name, renames it, and returns its part of the manifest."""
    temporary = path.with_name(path.name + ".tmp")
    written, skipped = [], []
    try:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for packed in in_order(_pack, samples):
                if isinstance(packed, Skipped):
                    skipped.append(dataclasses.asdict(packed))
                    check_skipped(skipped, strict)
                else:
                    writer.write(packed.record)
                    written.append(dataclasses.replace(packed, record=b""))
                bar.update()
        sizes = {packed.size for packed in written}
        if len(sizes) > 1:
            raise ValueError(f"{path} was to hold records of one size, got {sorted(sizes)}")
        if len(written) + len(skipped) != expected:
            raise ValueError(f"{path} was to hold {expected} records and got {len(written)}")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    labelled = [packed for packed in written if packed.class_pixels is not None]
    return {
        "file": path.name,
        "count": len(written),
        "with_label": len(labelled),
        "with_confidence": sum(packed.with_confidence for packed in written),
        "size": list(*sizes) if sizes else None,
        "class_pixels": np.sum(
            [np.zeros(256, np.int64), *(p.class_pixels for p in labelled)], axis=0
        ).tolist(),
        "labelled_ids": [packed.id for packed in labelled],
        # Texts such as "0 2 10", so that JSON gives an image one line.
        "labelled_classes": [" ".join(map(str, _shown(packed.class_pixels))) for packed in labelled],
        "skipped": skipped,
        "bytes": path.stat().st_size,
        "sha256": _sha256(path),
    }


def _shown(class_pixels: np.ndarray) -> np.ndarray:
    """The ids, 255 not among them, of SHOWN_SHARE of all pixels or more."""
    return np.flatnonzero(class_pixels[:255] >= SHOWN_SHARE * class_pixels.sum())


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _check_array(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected uint8 {shape}")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
