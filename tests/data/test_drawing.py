"""Streets drawn in processes are those drawn here."""

import concurrent.futures
import os

import numpy as np
import pytest

from udas_tf.data import drawing, streets
from udas_tf.errors import UserError

SIZE = (32, 64)


@pytest.fixture
def two_cores(monkeypatch):
    monkeypatch.setattr(drawing, "cores", lambda: 2)


def test_pictures_come_from_other_processes_and_are_the_same(two_cores):
    rendered = [streets.render("sim", "train", index, 3, SIZE) for index in range(4)]
    drawer = drawing.Drawer()
    with drawer.on_all_cores(drawing.FEW + 1), concurrent.futures.ThreadPoolExecutor(4) as threads:
        assert drawer._pool.submit(os.getpid).result() != os.getpid()
        drawn = list(threads.map(lambda index: drawer.draw("sim", "train", index, 3, SIZE), range(4)))
        with pytest.raises(UserError, match="counts pictures"):
            drawer.draw("sim", "train", -1, 3, SIZE)
    assert drawer._pool is None
    for (image, label), (drawn_image, drawn_label) in zip(rendered, drawn, strict=True):
        np.testing.assert_array_equal(image, drawn_image)
        np.testing.assert_array_equal(label, drawn_label)


def test_few_are_drawn_here(two_cores):
    drawer = drawing.Drawer()
    with drawer.on_all_cores(drawing.FEW):
        assert drawer._pool is None
        assert drawer.draw("real", "val", 0, 0, SIZE)[0].shape == (*SIZE, 3)
