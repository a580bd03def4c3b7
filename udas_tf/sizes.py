"""How sizes are written: always height before width."""

from __future__ import annotations

from collections.abc import Sequence


def size_text(size: Sequence[int]) -> str:
    """HEIGHTxWIDTH of a size, or of an array's shape, that begins with (height, width), pixels."""
    return f"{size[0]}x{size[1]}"
