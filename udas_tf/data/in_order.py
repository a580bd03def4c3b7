"""Work on all cores whose results come in order, a few at a time."""

from __future__ import annotations

import collections
import concurrent.futures
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from udas_tf.devices import cores

Item = TypeVar("Item")
Result = TypeVar("Result")
MOST_WORKERS = 16  # threads; each may hold an image of the size of its file


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of each item, worked out on all cores, in the order of the items.

    Only 2 items a worker are under way or wait to be taken, and no more are drawn from `items`:
    `ThreadPoolExecutor.map` would draw them all and keep every result until its turn. Workers are threads, since what
    decodes and encodes images releases the interpreter's lock.
    """
    workers = min(cores(), MOST_WORKERS)
    waiting: collections.deque[concurrent.futures.Future[Result]] = collections.deque()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) == 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
