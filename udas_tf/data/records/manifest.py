"""Manifests of sets of records: what is in them, who may read them, and the checksums of their shards."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any, Literal

from udas_tf import run_dir, typed_json
from udas_tf.data.sample import Skipped
from udas_tf.errors import UserError

SCHEMA = "udas-records-2"
Role = Literal["training", "validation", "hidden"]
REMEDY = "remove its directory and make the set again"


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of records.

    Attributes:
      file: its name, in the directory of the manifest.
      count: records in it.
      bytes: its length.
      sha256: its checksum, hexadecimal.
    """

    file: str
    count: int
    bytes: int
    sha256: str

    def __post_init__(self) -> None:
        # A manifest may come from somebody else: its shards must not be files outside its directory.
        if self.file in ("", ".", "..") or "/" in self.file or "\0" in self.file:
            raise ValueError(f"shard file {self.file!r} is not a plain file name")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a finished set of records holds. The JSON file has the same keys.

    Attributes:
      schema: SCHEMA.
      role: who may read the set: stages learn from "training" sets alone.
      count: records.
      with_label, with_confidence: records that have one.
      size: (height, width) of every record, pixels.
      class_pixels: [256], labelled pixels by train id; 255 = ignored.
      labelled_ids: ids of the records that have a label.
      labelled_classes: for each of these the train ids that it shows, such as "0 2 10"; None in sets of older versions.
      provenance: what made the set.
      skipped: files that no record was made of.
      nearest_colours: labelled pixels that took the class of the nearest colour, as no class has their own.
      shards: files, in the order of the records.
    """

    schema: str = SCHEMA
    role: Role
    count: int
    with_label: int
    with_confidence: int
    size: tuple[int, int]
    class_pixels: list[int]
    labelled_ids: list[str]
    labelled_classes: list[str] | None = None
    provenance: dict[str, Any]
    skipped: list[Skipped]
    nearest_colours: int = 0
    shards: list[Shard]

    @property
    def all_labelled(self) -> bool:
        return self.with_label == self.count


@dataclasses.dataclass(frozen=True)
class _Header:
    """The key that says whether a manifest is that of a set of records."""

    schema: str | None = None


def read_manifest(directory: Path) -> Manifest:
    """Manifest of a finished set of records.

    Raises:
      UserError: there is none, it is another artefact's, or a key is missing or has a wrong value.
    """
    if not run_dir.is_finished(directory):
        raise UserError(f"no finished set of records in {directory}: it has no {run_dir.MANIFEST}")
    path = directory / run_dir.MANIFEST
    schema = typed_json.read(path, _Header, REMEDY).schema
    if schema != SCHEMA:
        raise UserError(f"{directory} has schema {schema!r}, expected {SCHEMA!r}; make it again")
    return typed_json.read(path, Manifest, REMEDY)


def sha256(path: Path) -> str:
    """Checksum of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
