"""Streets drawn on all cores: in processes, since of Python's threads one draws at a time."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from udas_tf.data import streets
from udas_tf.data.in_order import MOST_WORKERS
from udas_tf.processes import end_with_parent
from udas_tf.processor import cores

FEW = 100  # images that are drawn by the time that other processes have begun
_pool: ProcessPoolExecutor | None = None


@contextlib.contextmanager
def on_all_cores(images: int) -> Iterator[None]:
    """Within it `draw`, called by several threads, draws in as many processes as there are cores, begun as they are needed.

    Args:
      images: that may have to be drawn; with FEW or fewer, `draw` draws in this process.
    """
    global _pool
    if images <= FEW or cores() == 1:
        yield
        return
    # New interpreters, not copies of this one, which may be using TensorFlow.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(cores(), MOST_WORKERS), spawning, _begin) as _pool:
        try:
            yield
        finally:
            _pool = None


def draw(
    domain: str, split: str, index: int, seed: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """`streets.render`."""
    picture = (domain, split, index, seed, size)
    return _pool.submit(streets.render, *picture).result() if _pool else streets.render(*picture)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for the picture is interrupted
    end_with_parent()
