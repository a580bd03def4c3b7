import itertools
import threading
import time

import pytest

from udas_tf.data.in_order import MOST_WORKERS, in_order


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item):
        time.sleep(0.02 if item % 5 == 0 else 0.0)
        return item * item

    assert list(in_order(slow_at_first, range(40))) == [item * item for item in range(40)]
    assert list(in_order(slow_at_first, [])) == []


def test_only_a_few_items_are_drawn_ahead_of_what_is_taken():
    """The bound on memory: results do not pile up behind a consumer, nor does the producer run ahead."""
    drawn, finished, lock = itertools.count(), [], threading.Lock()

    def work(item):
        with lock:
            finished.append(item)
        return item

    results = in_order(work, drawn)  # endless
    for taken in range(1, 30):
        next(results)
        time.sleep(0.002)  # time in which a worker could run ahead
        assert len(finished) <= taken + 2 * MOST_WORKERS
    results.close()
    assert next(drawn) <= 30 + 2 * MOST_WORKERS


def test_an_error_arrives_in_its_turn():
    def failing(item):
        if item == 3:
            raise KeyError(item)
        return item

    results = in_order(failing, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError):
        next(results)
