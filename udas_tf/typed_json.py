"""JSON files of dataclasses. They are written whole or not at all, and checked against their type when read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from udas_tf.errors import UserError

T = TypeVar("T")


def write(path: Path, value: Any) -> None:
    """Writes a dataclass, or anything that JSON holds. `path` has either its old content or all of the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Named after the process, because several may write the same file at once.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read(path: Path, type: type[T], remedy: str = "remove it and run the same command again") -> T:
    """Reads a file as a dataclass or another type.

    Args:
      path: of the file.
      type: a dataclass, or a generic such as list[Score]. Keys that it does not have are ignored.
      remedy: what the error tells the user to do about a damaged file.

    Raises:
      UserError: the file cannot be read, or is damaged. The message names the file and the key that is wrong.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=type)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is damaged ({error}); {remedy}") from error
