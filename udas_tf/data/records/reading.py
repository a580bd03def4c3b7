"""Reading finished sets of records: the label guard, and what TensorFlow does not say of damage."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import tensorflow as tf

from udas_tf.data.records.manifest import Manifest, Shard, read_manifest, sha256
from udas_tf.data.records.schema import decode
from udas_tf.devices import cores
from udas_tf.errors import UserError

# For functions that make a pipeline: AutoGraph, which has nothing to convert here, would parse them all again.
AS_WRITTEN = tf.autograph.experimental.do_not_convert
# An iterator's end waits for the autotuner's next look, after a training for up to as long as that took, or a minute.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


@AS_WRITTEN
def read(
    directory: Path,
    *,
    purpose: Literal["training", "evaluation"],
    fields: Sequence[str],
    cache: bool = False,
) -> tuple[tf.data.Dataset, Manifest]:
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
    if purpose == "training" and manifest.role != "training":
        raise UserError(
            f"{directory} holds {manifest.role} records, which training may not open; "
            "declare a larger data.target.labelled to train on more target labels"
        )
    _check_fields(directory, manifest, fields)
    _check_lengths(directory, manifest)
    files = [str(directory / shard.file) for shard in manifest.shards]
    records = tf.data.TFRecordDataset(files)
    records = records.map(lambda record: decode(record, manifest.size, fields), num_parallel_calls=cores())
    records = records.apply(tf.data.experimental.assert_cardinality(manifest.count))
    return (records.cache() if cache else records).with_options(UNTUNED), manifest


def verify(directory: Path) -> None:
    """Compares every shard with its checksum; UserError naming the first that differs."""
    for shard in read_manifest(directory).shards:
        verify_shard(directory, shard)


def verify_shard(directory: Path, shard: Shard) -> None:
    """Compares a shard of the set in `directory` with its checksum; UserError when it differs."""
    file = directory / shard.file
    checksum = sha256(file) if file.is_file() else "no file"
    if checksum != shard.sha256:
        raise UserError(
            f"{file} is damaged or foreign: its SHA-256 is {checksum}, its manifest says {shard.sha256}; "
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


def _check_fields(directory: Path, manifest: Manifest, fields: Sequence[str]) -> None:
    for field, count in (("label", manifest.with_label), ("confidence", manifest.with_confidence)):
        if field in fields and count != manifest.count:
            raise UserError(f"{directory} has a {field} for {count} of its {manifest.count} records; all were expected")


def _check_lengths(directory: Path, manifest: Manifest) -> None:
    for shard in manifest.shards:
        file = directory / shard.file
        length = file.stat().st_size if file.is_file() else None
        if length != shard.bytes:
            raise UserError(
                f"{file} has {'no file' if length is None else f'{length} bytes'} where its manifest says "
                f"{shard.bytes} bytes; remove {directory} and make it again"
            )
