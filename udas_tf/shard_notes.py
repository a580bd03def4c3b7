"""Counts that are made while a set of records is written: one file per shard, beside the shards.

The note of a shard is written before the shard's summary. So every finished set has the notes of all of its shards,
also after an interruption.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from udas_tf import typed_json

Note = TypeVar("Note")


def write(directory: Path, first: int, note: Any) -> None:
    """Writes the note of a shard.

    Args:
      directory: of the set.
      first: number of the shard's first record.
      note: a dataclass.
    """
    typed_json.write(directory / f"note-{first:08d}.json", note)


def read(directory: Path, type: type[Note]) -> list[Note]:
    """The notes of a set, in the order of its shards; empty for a set without notes.

    Raises:
      UserError: a note is damaged.
    """
    return [typed_json.read(file, type) for file in sorted(directory.glob("note-*.json"))]
