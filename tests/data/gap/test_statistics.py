import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udas_tf.data.gap.statistics import APPEARANCE, GRID, Collector, appearance

CLASSES = ("road", "sky", "bus")


def seen(labels, classes=CLASSES, **known):
    collector = Collector(classes)
    collector.see_image(np.zeros((*labels[0].shape, 3), np.uint8))
    for label in labels:
        collector.see_label(label)
    return collector.domain(labels[0].shape, **known)


def test_shares_and_places_of_a_label_worked_out_by_hand():
    label = np.full((4, 8), 255, np.uint8)
    label[0] = 1  # the top row, 8 pixels
    label[2:, :4] = 0  # lower left, 8 pixels
    domain = seen([label])
    assert (domain.images, domain.labelled, domain.size, domain.ignored) == (1, 1, (4, 8), 0.5)
    road, sky, bus = domain.classes.values()
    assert (road.share, sky.share, bus.share) == (0.5, 0.5, 0.0)
    assert (road.row.mean, road.column.mean) == (0.75, 0.25)  # rows 2 and 3 of 4, columns 0 to 3 of 8
    assert (sky.row.mean, sky.column.mean) == (0.125, 0.5)
    assert (bus.images, bus.row, bus.column, bus.grid) == (0, None, None, None)
    assert road.share_error == 1  # one image tells nothing of the scatter


@given(
    st.integers(1, 4),
    st.integers(3, 30),
    st.integers(3, 40),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=25)
def test_against_loops_over_pixels(count, height, width, seed):
    labels = np.random.default_rng(seed).choice([0, 1, 2, 255], (count, height, width)).astype(np.uint8)
    domain = seen(list(labels))
    for id_, place in enumerate(domain.classes.values()):
        rows, grid = [], np.zeros(GRID)
        for label in labels:
            pixels = [(r, c) for r in range(height) for c in range(width) if label[r, c] == id_]
            if pixels:
                rows.append(np.mean([(r + 0.5) / height for r, _ in pixels]))
            for r, c in pixels:
                grid[r * GRID[0] // height, c * GRID[1] // width] += 1
        assert place.images == len(rows)
        assert place.share == pytest.approx((labels == id_).sum() / max((labels != 255).sum(), 1))
        if rows:
            assert place.row.mean == pytest.approx(np.mean(rows))
            assert place.row.deviation == pytest.approx(np.std(rows, ddof=1) if len(rows) > 1 else 0)
            np.testing.assert_allclose(place.grid, grid / grid.sum())


def test_the_whole_set_may_know_more_than_was_looked_at():
    pixels = np.zeros(256, np.int64)
    pixels[[0, 1, 2, 255]] = 60, 30, 10, 100
    domain = seen([np.zeros((4, 4), np.uint8)], class_pixels=pixels)
    assert [place.share for place in domain.classes.values()] == [0.6, 0.3, 0.1]
    assert [place.images for place in domain.classes.values()] == [1, 0, 0]
    assert domain.ignored == 0.5


def test_the_error_of_a_share_is_that_of_many_draws():
    """Shares of 20 images, drawn often, deviate by what one draw estimates."""
    rng = np.random.default_rng(0)

    def draw():
        share = rng.beta(2, 6, 20)
        labels = (rng.random((20, 8, 8)) > share[:, None, None]).astype(np.uint8)
        labels[rng.random(20) < 0.3, :4] = 255  # images differ in how much of them has a label
        return seen(list(labels)).classes["road"]

    places = [draw() for _ in range(200)]
    estimated = np.mean([place.share_error for place in places])
    assert estimated == pytest.approx(np.std([place.share for place in places]), rel=0.15)


def test_without_labels_nothing_is_said_of_classes():
    collector = Collector(CLASSES)
    collector.see_image(np.zeros((4, 4, 3), np.uint8))
    domain = collector.domain((4, 4))
    assert domain.classes is None and domain.ignored is None and domain.labelled == 0


@pytest.mark.parametrize(
    ("colour", "lab"),
    [
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 255), (100, 0, 0)),
    ],
)
def test_an_even_image_has_the_published_colour_and_nothing_else(colour, lab):
    image = np.full((16, 16, 3), colour, np.uint8)
    seen = appearance(image)
    assert [seen[name] for name in ("lightness", "green_red", "blue_yellow")] == pytest.approx(lab, abs=0.1)
    for name in ("contrast", "saturation", "sharpness", "noise"):  # a cast is no saturation
        assert seen[name] == pytest.approx(0, abs=0.01), name


def test_appearance_names_all_that_is_listed():
    assert set(appearance(np.zeros((5, 7, 3), np.uint8))) == set(APPEARANCE)


def scene():
    """Grey blocks over a smooth slope."""
    rng = np.random.default_rng(1)
    blocks = cv2.resize(rng.uniform(60, 190, (8, 16)), (256, 128), interpolation=cv2.INTER_NEAREST)
    blocks[:48] = np.linspace(200, 220, 48)[:, np.newaxis]
    return blocks


def grey(values):
    return np.repeat(np.clip(np.rint(values), 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 10.0])
def test_noise_is_that_which_was_added(sigma):
    noisy = grey(128 + np.random.default_rng(0).normal(0, sigma, (128, 256)))
    added = appearance(noisy)["contrast"]  # all there is in this image
    assert appearance(noisy)["noise"] == pytest.approx(added, rel=0.05)
    in_a_scene = scene() + np.random.default_rng(0).normal(0, sigma, (128, 256))
    clean, seen = appearance(grey(scene()))["noise"], appearance(grey(in_a_scene))["noise"]
    assert clean < 0.2 and seen == pytest.approx(0.37 * sigma, rel=0.25)


def test_sharpness_falls_with_blur_and_not_with_contrast():
    sharp = appearance(grey(scene()))["sharpness"]
    flat = appearance(grey(0.6 * (scene() - 128) + 128))["sharpness"]
    soft = [appearance(grey(cv2.GaussianBlur(scene(), (0, 0), s)))["sharpness"] for s in (0.6, 1.0, 2.0)]
    assert flat == pytest.approx(sharp, rel=0.1)
    assert sharp > 1.3 * soft[0] > 1.3**2 * soft[1] > 1.3**3 * soft[2]


def test_saturation_is_the_deviation_of_colour():
    image = np.zeros((16, 16, 3), np.uint8)
    image[:8], image[8:] = (255, 0, 0), (255, 255, 255)
    # Half of the pixels at (a, b) = (80.09, 67.20), half at 0: each deviates by half of the way.
    assert appearance(image)["saturation"] == pytest.approx(math.hypot(80.09, 67.20) / 2, abs=0.2)
