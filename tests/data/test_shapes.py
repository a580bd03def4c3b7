"""Masks of polygons and run lengths, worked out by hand."""

import builtins

import numpy as np
import pytest

from udas_tf.data import shapes
from udas_tf.errors import UserError


def rows(mask):
    return ["".join(".#"[int(pixel)] for pixel in row) for row in mask]


def test_a_polygon_has_the_pixels_whose_centres_it_contains():
    assert rows(shapes.polygon([1, 1, 4, 1, 4, 3, 1, 3], (4, 6))) == ["......", ".###..", ".###..", "......"]
    # (1.4, 1.6) contains the centres from (1.5, 2.5) on; turning round or starting elsewhere changes nothing.
    assert rows(shapes.polygon([3.6, 3.4, 1.4, 3.4, 1.4, 1.6, 3.6, 1.6], (4, 6))) == [
        "......",
        "......",
        ".###..",
        "......",
    ]


def test_a_triangle_is_cut_along_its_edge():
    # From (0, 0) over (4, 4) to (0, 4): the centre (x, y) is inside where x < y, or on the edge x = y.
    assert rows(shapes.polygon([0, 0, 4, 4, 0, 4], (4, 4))) == ["....", "#...", "##..", "###."]


def test_neighbours_share_no_pixel_and_leave_no_gap():
    left = shapes.polygon([0, 0, 2.5, 0, 2.5, 3, 0, 3], (3, 5))
    right = shapes.polygon([2.5, 0, 5, 0, 5, 3, 2.5, 3], (3, 5))
    assert (left ^ right).all()


def test_a_polygon_may_lie_outside_the_image():
    assert rows(shapes.polygon([-5, -5, 2, -5, 2, 9, -5, 9], (2, 4))) == ["##..", "##.."]
    assert not shapes.polygon([7, 0, 9, 0, 9, 2, 7, 2], (2, 4)).any()


def test_a_loop_that_crosses_itself_encloses_what_an_odd_number_of_turns_encloses():
    bow = [0, 0, 6, 4, 6, 0, 0, 4]  # two triangles that meet in (3, 2)
    assert rows(shapes.polygon(bow, (4, 6))) == ["#....#", "##..##", "##..##", "#....#"]


@pytest.mark.parametrize(
    "points", [[0, 0, 1, 1], [0, 0, 1, 1, 2], [0, 0, 1, float("nan"), 2, 2], [[0, 0], [1, 1], [2, 0]]]
)
def test_fewer_than_three_points_are_no_polygon(points):
    with pytest.raises(ValueError, match="expected x, y of three points or more"):
        shapes.polygon(points, (4, 4))


def test_run_lengths_go_down_the_columns():
    # Columns of a 3 x 4 image: ..., .##, #.., ...
    mask = shapes.run_lengths({"size": [3, 4], "counts": [4, 3, 5]}, (3, 4))
    assert rows(mask) == ["..#.", ".#..", ".#.."]
    assert shapes.run_lengths({"size": [1, 2], "counts": [0, 2]}, (1, 2)).all()


def test_run_lengths_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"of size \[3, 4\]; expected \[4, 3\]"):
        shapes.run_lengths({"size": [3, 4], "counts": [12]}, (4, 3))
    with pytest.raises(ValueError, match="do not add up to 3 x 4 pixels"):
        shapes.run_lengths({"size": [3, 4], "counts": [11]}, (3, 4))


def test_a_segmentation_is_the_union_of_its_polygons_or_run_lengths():
    two = [[0, 0, 1, 0, 1, 1, 0, 1], [2, 1, 4, 1, 4, 2, 2, 2]]
    assert rows(shapes.segmentation(two, (2, 4))) == ["#...", "..##"]
    assert rows(shapes.segmentation({"size": [2, 4], "counts": [0, 1, 7]}, (2, 4))) == ["#...", "...."]
    for nothing in ([], None, "RLE"):
        with pytest.raises(ValueError, match="neither polygons nor run lengths"):
            shapes.segmentation(nothing, (2, 4))


def test_compressed_run_lengths_are_decoded_by_pycocotools():
    mask = pytest.importorskip("pycocotools.mask")
    drawn = np.random.default_rng(0).integers(0, 2, (7, 9), np.uint8)
    packed = mask.encode(np.asfortranarray(drawn))
    for counts in (packed["counts"], packed["counts"].decode()):
        assert (shapes.run_lengths({"size": [7, 9], "counts": counts}, (7, 9)) == drawn).all()


def test_without_pycocotools_compressed_run_lengths_name_the_extra(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("pycocotools"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UserError, match=r"pip install 'udas_tf\[coco\]'"):
        shapes.run_lengths({"size": [1, 2], "counts": "02"}, (1, 2))
