"""What a measuring process returns, and how it measures time and memory."""

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
STEPS_AHEAD = 10  # training steps that a GPU is given before a result is read
SAMPLE_EVERY = 0.5  # seconds between two samples of the memory of several processes


@dataclasses.dataclass(frozen=True)
class Measured:
    """A workload measured in one process.

    Attributes:
      seconds: for one unit of the work (a step, an image, a map), each time it was measured.
      work: what any implementation must do for one unit: floating-point operations by dtype, and "bytes" read or
        written; empty where there is no such bound.
      peak_memory: in bytes.
    """

    seconds: list[float]
    work: dict[str, float]
    peak_memory: int


def timed(call: Callable[[], object], units: int, least_seconds: float) -> list[float]:
    """Seconds for a unit of the work of `call`, which does `units` of them and returns when they are done.

    Two calls warm up: they trace, compile and fill caches. At least two more are measured, for `least_seconds` or more.
    """
    for _ in range(2):
        call()
    seconds: list[float] = []
    while len(seconds) < 2 or sum(seconds) * units < least_seconds:
        start = time.perf_counter()
        call()
        seconds.append((time.perf_counter() - start) / units)
    return seconds


def timed_steps(
    step: Callable[[], Result], read: Callable[[Result], object], gpu: bool, least_seconds: float
) -> list[float]:
    """Seconds for a training step.

    On a GPU, STEPS_AHEAD steps are started one after the other, and then the last result is read, as a training reads
    its losses once in a logging interval. On a CPU, each step's result is read.
    """
    steps = STEPS_AHEAD if gpu else 1

    def take_steps() -> None:
        for _ in range(steps):
            result = step()
        read(result)

    return timed(take_steps, steps, least_seconds)


def peak_memory(of: int = resource.RUSAGE_SELF) -> int:
    """The most bytes that this process has held; with RUSAGE_CHILDREN, the most of any child it has waited for."""
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(of).ru_maxrss * kilobyte


@contextlib.contextmanager
def watching_memory(pid: int) -> Iterator[list[int]]:
    """Within it, samples the memory of a process and its descendants every SAMPLE_EVERY seconds. On Linux alone.

    Yields:
      The samples in bytes, a list that grows; the first is taken at once.
    """
    samples, over = [memory_of_all(pid)], threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_EVERY):
            samples.append(memory_of_all(pid))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def memory_of_all(pid: int) -> int:
    """Bytes that a process and its descendants hold now. Memory that several share is divided among them."""
    children: dict[int, list[int]] = collections.defaultdict(list)
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the process has ended
            parent = int(file.read_text().rpartition(")")[2].split()[1])
            children[parent].append(int(file.parent.name))
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += children[one]
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = dict(line.split(":") for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()[1:])
            total += int(fields["Pss"].split()[0]) * 1024
    return total
