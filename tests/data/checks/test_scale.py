import numpy as np
import pytest
from labelled_scenes import CLASSES, scene

from udas_tf.data.checks import scale
from udas_tf.data.checks.scale import Extents, extents

THINGS = ("a", "b", "c", "d")


def seen(labels, classes=THINGS):
    collector = Extents(classes)
    for label in labels:
        collector.see(label)
    return collector


def squares(side, count=6):
    """Labels with a square of each of four classes on nothing."""
    label = np.full((64, 128), 255, np.uint8)
    for number in range(4):
        label[5 : 5 + side, 30 * number + 2 : 30 * number + 2 + side] = number
    return [label] * count


def test_an_extent_is_the_geometric_mean_of_the_runs_in_rows_and_in_columns():
    label = np.full((10, 20), 255, np.uint8)
    label[1:3, 0:8] = 0  # runs of 8 in rows and of 2 in columns: sqrt(16)
    label[5:8, 0:3] = 1
    label[5:8, 10:13] = 1
    assert extents(label, 3) == pytest.approx([4, 3, 0])


def test_objects_of_twice_the_size_are_found():
    (found,) = scale.findings(seen(squares(8)), seen(squares(16)))
    assert found.kind == "scale"
    assert "2.0 times larger in the target's records" in found.text
    assert "such as a: 8 pixels in the source, 16 in the target" in found.text
    (found,) = scale.findings(seen(squares(16)), seen(squares(8)))
    assert "2.0 times smaller" in found.text


def test_sizes_that_random_scales_bridge_few_labels_and_few_classes_raise_no_warning():
    assert scale.findings(seen(squares(10)), seen(squares(15))) == []
    assert scale.findings(seen(squares(8, count=4)), seen(squares(16))) == []
    three = [np.where(label == 3, 255, label).astype(np.uint8) for label in squares(8)]
    assert scale.findings(seen(three), seen(squares(16))) == []


def test_scenes_of_one_kind_raise_no_warning():
    one, other = ([scene(first + number)[1] for number in range(12)] for first in (0, 100))
    assert scale.findings(seen(one, CLASSES), seen(other, CLASSES)) == []
