"""What a measuring process hands back: seconds, the work behind them, and the memory it took."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
STEPS_AHEAD = 10


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
