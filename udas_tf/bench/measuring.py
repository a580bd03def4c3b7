"""What a measuring process hands back: seconds, the work behind them, and the memory it took."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import resource
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")
STEPS_AHEAD = 10
LOOK_EVERY = 0.5  # seconds between two looks at the memory of several processes


@dataclasses.dataclass(frozen=True)
class Measured:
    """A workload measured in one process.

    Attributes:
      seconds: of one unit of the work (a step, an image, a map), once for each time it was measured.
      work: what any implementation must do for one unit: floating-point operations by their dtype, and "bytes" read
        or written; empty where there is no such bound.
      peak_memory: bytes.
    """

    seconds: list[float]
    work: dict[str, float]
    peak_memory: int


def timed(call: Callable[[], object], units: int, least_seconds: float) -> list[float]:
    """Seconds a unit of `call`, which does `units` of them and returns when they are done.

    Two calls to warm up, which trace, compile and fill caches, then at least two, and more until `least_seconds` are
    over.
    """
    for _ in range(2):
        call()
    seconds = []
    while len(seconds) < 2 or sum(seconds) * units < least_seconds:
        start = time.perf_counter()
        call()
        seconds.append((time.perf_counter() - start) / units)
    return seconds


def timed_steps(
    step: Callable[[], Result], read: Callable[[Result], object], gpu: bool, least_seconds: float
) -> list[float]:
    """Seconds a training step: on a GPU of STEPS_AHEAD, which are started one after the other and whose last result is
    then read, as a training reads its losses once in a logging interval; on a CPU of each."""
    steps = STEPS_AHEAD if gpu else 1

    def take_steps():
        for _ in range(steps):
            result = step()
        read(result)

    return timed(take_steps, steps, least_seconds)


def peak_memory(of: int = resource.RUSAGE_SELF) -> int:
    """Bytes this process ever held, or with RUSAGE_CHILDREN the largest of the processes that it waited for."""
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(of).ru_maxrss * kilobyte


@contextlib.contextmanager
def watching_memory(pid: int) -> Iterator[list[int]]:
    """Within it, looks at the memory of a process and of all that it began, directly or not: bytes of each look, first
    one at once. On Linux alone."""
    looks, over = [memory_of_all(pid)], threading.Event()

    def look():
        while not over.wait(LOOK_EVERY):
            looks.append(memory_of_all(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield looks
    finally:
        over.set()
        thread.join()


def memory_of_all(pid: int) -> int:
    """Bytes that a process and its descendants hold now, of what several share each its part."""
    begun = collections.defaultdict(list)
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
            begun[int(file.read_text().rpartition(")")[2].split()[1])].append(int(file.parent.name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += begun[one]
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = dict(
                line.split(":") for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:]
            )
            total += int(fields["Pss"].split()[0]) * 1024
    return total
