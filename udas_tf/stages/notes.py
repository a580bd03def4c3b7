"""What a stage counts of a set of records while it writes it: a file a shard, beside the shards.

A shard's note is written before its summary, so a set that is finished has the notes of all of its shards, also one
that was resumed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from udas_tf.run_dir import read_json, write_json


def write(directory: Path, first: int, content: Any) -> None:
    """Keeps the note of the shard whose first record is number `first`."""
    write_json(directory / f"note-{first:08d}.json", content)


def read(directory: Path) -> list[Any]:
    """The notes of a set in its order; empty for one that was written without."""
    return [read_json(file) for file in sorted(directory.glob("note-*.json"))]
