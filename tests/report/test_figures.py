import base64
import io

import finished
import numpy as np
import pytest
from PIL import Image

from udas_tf.report import figures
from udas_tf.report.figures import Sheet
from udas_tf.report.label_curve import Curve, Point


def test_error_map_tells_right_wrong_and_unlabelled_apart():
    image = np.full((1, 3, 3), 100, np.uint8)
    shown = figures.error_map(image, np.array([[1, 1, 255]], np.uint8), np.array([[1, 0, 0]], np.uint8))
    np.testing.assert_array_equal(shown[0, 0], [180, 180, 180])  # 140 + 0.4 * 100
    np.testing.assert_array_equal(shown[0, 1], [208, 60, 61])  # 0.85 * (214, 39, 40) + 0.15 * 180, cut off
    np.testing.assert_array_equal(shown[0, 2], figures.NOT_SCORED)


def test_confidence_map_runs_from_violet_to_yellow():
    shown = figures.confidence_map(np.array([[0.0, 1.0]]))
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, [[[68, 1, 84], [253, 231, 36]]])  # the ends of viridis


def test_mosaic_places_the_aside_before_each_line():
    def panel(value):
        return np.full((2, 3, 3), value, np.uint8)

    lines = [("a", "", [panel(10), panel(20)]), ("b", "", [panel(30), panel(40)])]
    sheet = Sheet("s", "S", (), lines, [("i", panel(5))])
    mosaic = sheet.mosaic()
    assert mosaic.shape == (2 + 4 + 2, 3 + 4 + 3 + 4 + 3, 3)
    assert mosaic[0, 0, 0] == mosaic[6, 0, 0] == 5
    assert (mosaic[0, 7, 0], mosaic[0, 14, 0], mosaic[6, 7, 0], mosaic[6, 14, 0]) == (10, 20, 30, 40)
    assert (mosaic[2:6] == 255).all() and (mosaic[:, 3:7] == 255).all()


def test_data_uri_is_a_png_of_at_most_640_pixels():
    kind, _, content = figures.data_uri(np.zeros((100, 1280, 3), np.uint8)).partition(",")
    assert kind == "data:image/png;base64"
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (640, 50)


def test_png_keeps_every_pixel():
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(figures.png(picture)))), picture)


def test_miou_chart_draws_a_longer_bar_for_a_better_row():
    rows = [finished.scores(name, miou) for name, miou in (("worse", 0.2), ("better", 0.6), ("none", None))]
    colours = {"worse": "#9aa5b1", "better": "#d9a566", "none": "#5b8db8"}
    chart = np.asarray(Image.open(io.BytesIO(figures.miou_chart(rows, colours))).convert("RGB"))

    def drawn(name):
        colour = tuple(int(colours[name][i : i + 2], 16) for i in (1, 3, 5))
        return (chart == colour).all(-1).any(0).sum()

    assert drawn("better") / drawn("worse") > 2.9
    assert drawn("none") < 5


@pytest.mark.parametrize("budgets", [(0, 12, 48), (0,), (12,)])
@pytest.mark.parametrize("seeds", [1, 2])
def test_label_chart_is_a_picture_whatever_was_run(budgets, seeds):
    points = [
        Point(labels, seed, 5, "student_1", 0.4 + seed / 100, 0.3 if labels else None, 0.2)
        for labels in budgets
        for seed in range(seeds)
    ]
    with Image.open(io.BytesIO(figures.label_chart(Curve(points, 48)))) as picture:
        assert picture.format == "PNG" and picture.size == (1440, 768)
