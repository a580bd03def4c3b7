"""Paths that TensorFlow takes for patterns when it reads variables: it finds nothing in `exp [seed=1]`."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

SIGNS = set("*?[]\\")  # of patterns


@contextlib.contextmanager
def no_pattern(directory: Path) -> Iterator[Path]:
    """The directory under a path that is no pattern: itself, or a link to it, which goes at the end of the context."""
    if not SIGNS & set(str(directory)):
        yield directory
        return
    with tempfile.TemporaryDirectory(prefix="udas-") as place:
        link = Path(place) / "directory"
        link.symlink_to(directory.resolve())
        yield link
