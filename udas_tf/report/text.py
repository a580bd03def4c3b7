"""Tables for the terminal.

The library tabulate makes every column wider than its content by two, so nineteen classes would not fit a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence


def aligned(columns: Sequence[Sequence[str]]) -> str:
    """Columns of cells as lines: the first column is aligned left, the others right.

    Args:
      columns: at least one, all with the same number of cells.
    """
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for first, *others in zip(*columns, strict=True):
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells]))
    return "\n".join(lines)
