"""Writing sets of records: shard by shard, resumed where it was interrupted; or linked to those of another set."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from udas_tf import progress, run_dir, typed_json
from udas_tf.data.in_order import in_order
from udas_tf.data.records.manifest import REMEDY, Manifest, Role, Shard, read_manifest, sha256
from udas_tf.data.records.schema import encode
from udas_tf.data.sample import NEAREST_COLOURS, Sample, Skipped
from udas_tf.errors import UserError

SHOWN_SHARE = 1e-3  # of an image's pixels; with fewer of a class, the image does not count as showing it


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShardSummary(Shard):
    """What the manifest needs of a shard, kept beside it until the manifest is written.

    Attributes: see `Shard` and `Manifest`; size is None where all of the shard's images were skipped.
    """

    with_label: int
    with_confidence: int
    size: tuple[int, int] | None
    class_pixels: list[int]
    labelled_ids: list[str]
    labelled_classes: list[str]
    skipped: list[Skipped]
    nearest_colours: int = 0


@dataclasses.dataclass(frozen=True)
class _Packed:
    """A serialised sample, and what the manifest counts of it.

    Attributes:
      class_pixels: int64 [256]; None without a label.
      nearest_colours: labelled pixels that took the nearest colour.
    """

    record: bytes
    id: str
    size: tuple[int, int]
    class_pixels: np.ndarray | None
    with_confidence: bool
    nearest_colours: int


def write(
    directory: Path,
    role: Role,
    count: int,
    samples_of: Callable[[range], Iterable[Sample | Skipped]],
    *,
    shard_images: int,
    provenance: dict[str, Any],
    label: str,
    skipped: Sequence[Skipped] = (),
    strict: bool = False,
) -> Manifest:
    """Writes a set of records, shard by shard, resuming after a kill at the last whole shard.

    Args:
      directory: where the set goes; finished when its manifest is there.
      role: who may read the set.
      count: number of indices. A shard is made of the same indices whatever is skipped among them, so that a resumed
        set is the unbroken one.
      samples_of: a range of indices within 0..count-1 -> for each, in order, its sample or why there is none.
      shard_images: indices a shard.
      provenance: what made the set, kept in the manifest. A half-written set of another provenance is refused.
      label: of the progress bar.
      skipped: files that were left out beforehand; listed in the manifest with those met here.
      strict: the first skipped file is an error.

    Raises:
      UserError: nothing is left to write, or with `strict` anything is skipped.
    """
    if role not in typing.get_args(Role):
        raise ValueError(f"role {role!r} is not one of {typing.get_args(Role)}")
    check_skipped(skipped, strict)
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
                typed_json.write(summary, _write_shard(path, samples_of(indices), len(indices), strict, bar))
            else:
                bar.update(len(indices))
            shards.append(typed_json.read(summary, ShardSummary, REMEDY))
            check_skipped(shards[-1].skipped, strict)
    manifest = _manifest(directory, role, shards, skipped, provenance)
    run_dir.finish(directory, manifest)
    return manifest


def check_skipped(skipped: Sequence[Skipped], strict: bool) -> None:
    """UserError naming the first of the skipped files of a set, where `strict` allows none."""
    if strict and skipped:
        raise UserError(f"{skipped[0].path} {skipped[0].reason}; without --strict it is skipped and listed")


def link(directory: Path, source: Path, role: Role, provenance: dict[str, Any]) -> Manifest:
    """Makes a set of the shards of another finished one, without copying them; returns its manifest."""
    manifest = dataclasses.replace(read_manifest(source), role=role, provenance=provenance)
    directory.mkdir(parents=True, exist_ok=True)
    for shard in manifest.shards:
        temporary = directory / (shard.file + ".tmp")
        temporary.unlink(missing_ok=True)
        temporary.symlink_to((source / shard.file).resolve())
        temporary.replace(directory / shard.file)
    run_dir.finish(directory, manifest)
    return manifest


def _manifest(
    directory: Path,
    role: Role,
    shards: Sequence[ShardSummary],
    skipped: Sequence[Skipped],
    provenance: dict[str, Any],
) -> Manifest:
    skipped = [*skipped, *(file for shard in shards for file in shard.skipped)]
    sizes = {shard.size for shard in shards if shard.size}
    if not sizes:
        first = f"; the first: {skipped[0].path} {skipped[0].reason}" if skipped else ""
        raise UserError(f"no image is left for {directory}: {len(skipped)} files were skipped{first}")
    if len(sizes) != 1:
        raise ValueError(f"one set of records has one size, got {sorted(sizes)}")
    return Manifest(
        role=role,
        count=sum(shard.count for shard in shards),
        with_label=sum(shard.with_label for shard in shards),
        with_confidence=sum(shard.with_confidence for shard in shards),
        size=sizes.pop(),
        class_pixels=np.sum([shard.class_pixels for shard in shards], axis=0).tolist(),
        labelled_ids=[id_ for shard in shards for id_ in shard.labelled_ids],
        labelled_classes=[shown for shard in shards for shown in shard.labelled_classes],
        provenance=provenance,
        skipped=skipped,
        nearest_colours=sum(shard.nearest_colours for shard in shards),
        shards=[Shard(shard.file, shard.count, shard.bytes, shard.sha256) for shard in shards],
    )


def _claim(directory: Path, identity: dict[str, Any]) -> None:
    """Marks what an unfinished directory is going to hold; refuses to continue what another set began."""
    mark = directory / "writing.json"
    if mark.is_file() and typed_json.read(mark, dict, REMEDY) != json.loads(json.dumps(identity)):
        raise UserError(f"{directory} holds an unfinished set made with other settings; remove it and run again")
    typed_json.write(mark, identity)


def _pack(sample: Sample | Skipped) -> _Packed | Skipped:
    if isinstance(sample, Skipped):
        return sample
    height, width = sample.image.shape[:2]
    pixels = None if sample.label is None else np.bincount(sample.label.ravel(), minlength=256)
    nearest = sample.provenance.get(NEAREST_COLOURS, 0)
    return _Packed(encode(sample), sample.id, (height, width), pixels, sample.confidence is not None, nearest)


def _write_shard(
    path: Path, samples: Iterable[Sample | Skipped], expected: int, strict: bool, bar: tqdm
) -> ShardSummary:
    """Writes one shard under a temporary name and renames it."""
    temporary = path.with_name(path.name + ".tmp")
    written: list[_Packed] = []
    skipped: list[Skipped] = []
    try:
        with tf.io.TFRecordWriter(str(temporary)) as writer:
            for packed in in_order(_pack, samples):
                if isinstance(packed, Skipped):
                    skipped.append(packed)
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
    return _summary(path, written, skipped)


def _summary(path: Path, written: Sequence[_Packed], skipped: list[Skipped]) -> ShardSummary:
    labels = [(packed.id, packed.class_pixels) for packed in written if packed.class_pixels is not None]
    class_pixels = np.zeros(256, np.int64)
    for _, pixels in labels:
        class_pixels += pixels
    return ShardSummary(
        file=path.name,
        count=len(written),
        bytes=path.stat().st_size,
        sha256=sha256(path),
        with_label=len(labels),
        with_confidence=sum(packed.with_confidence for packed in written),
        size=written[0].size if written else None,
        class_pixels=class_pixels.tolist(),
        labelled_ids=[id_ for id_, _ in labels],
        labelled_classes=[_shown_classes(pixels) for _, pixels in labels],
        skipped=skipped,
        nearest_colours=sum(packed.nearest_colours for packed in written),
    )


def _shown_classes(class_pixels: np.ndarray) -> str:
    """The ids, 255 not among them, of SHOWN_SHARE of all pixels or more: a text such as "0 2 10"."""
    return " ".join(map(str, np.flatnonzero(class_pixels[:255] >= SHOWN_SHARE * class_pixels.sum())))
