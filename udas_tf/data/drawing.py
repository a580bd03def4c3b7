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
from udas_tf.devices import cores
from udas_tf.processes import end_with_parent

FEW = 100  # images that are drawn by the time that other processes have begun


class Drawer:
    """Draws Streets in this process, or within `on_all_cores` in others. Several threads may call it."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def draw(
        self, domain: str, split: str, index: int, seed: int, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """`streets.render`."""
        picture = (domain, split, index, seed, size)
        if self._pool is None:
            return streets.render(*picture)
        return self._pool.submit(streets.render, *picture).result()

    @contextlib.contextmanager
    def on_all_cores(self, images: int) -> Iterator[None]:
        """Within it, `draw` uses as many processes as there are cores, begun as they are needed.

        Args:
          images: that may have to be drawn; with FEW or fewer, `draw` draws in this process.
        """
        if images <= FEW or cores() == 1:
            yield
            return
        # New interpreters, not copies of this one, which may be using TensorFlow.
        spawning = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(cores(), MOST_WORKERS), spawning, _begin) as pool:
            self._pool = pool
            try:
                yield
            finally:
                self._pool = None


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever waits for the picture is interrupted
    end_with_parent()
