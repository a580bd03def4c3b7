"""The progress bar of every stage: what is done, the rate, the time left."""

from __future__ import annotations

import sys

from tqdm import tqdm


def bar(total: int, label: str, unit: str, initial: int = 0, leave: bool = True) -> tqdm:
    """A progress bar on standard error, redrawn rarely where that is a log file rather than a terminal."""
    interval = 0.1 if sys.stderr.isatty() else 15.0
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        initial=initial,
        leave=leave,
        mininterval=interval,
        dynamic_ncols=True,
    )
