"""The progress bar of every stage: what is done, the rate, the time left."""

from __future__ import annotations

import os
import sys
import threading

from tqdm import tqdm

# tqdm's own is for several processes, and one that is killed would leave its semaphore behind.
tqdm.set_lock(threading.RLock())

LINE = "UDAS_PROGRESS_LINE"  # in the environment: lines below the present one, where several processes show bars


def bar(total: int, label: str, unit: str, initial: int = 0, leave: bool = True) -> tqdm:
    """A progress bar on standard error, redrawn rarely where that is a log file rather than a terminal."""
    terminal = sys.stderr.isatty()
    return tqdm(
        total=total,
        desc=label,
        unit=unit,
        initial=initial,
        leave=leave,
        position=int(os.environ[LINE]) if terminal and LINE in os.environ else None,
        mininterval=0.1 if terminal else 15.0,
        dynamic_ncols=True,
    )
