"""Domain CutMix: what must hold for every draw, and the box area's mean against its expectation.

Expectation. Along one axis, in units of the image's side, a box of length s = sqrt(1 - lambda) around
c ~ U(0, 1) keeps min(c + s/2, 1) - max(c - s/2, 0) after clipping. Each end loses max(s/2 - c, 0), whose mean
is s^2/8, so the mean length is s - s^2/4. Both axes share lambda and have centres of their own, and
s^2 = u ~ U(0, 1):

    E[area] = E[(s - s^2/4)^2] = E[u] - E[u^1.5]/2 + E[u^2]/16 = 1/2 - 1/5 + 1/48 = 77/240
"""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from udas_tf.data.augment.cutmix import domain_cutmix, draw_box

EXPECTED_AREA = 77 / 240
SIZES = ((24, 40), (31, 17))
BATCH = 3
DRAWS = 20_000


def telltale(domain, size):
    """Images and labels that say of every pixel which domain, image, row and column it comes from."""
    height, width = size
    image, row, column = np.meshgrid(range(BATCH), range(height), range(width), indexing="ij")
    images = np.stack([domain * BATCH + image, row, column], -1).astype(np.float32)
    # A label that depends on all four, unlike at neighbouring places.
    labels = (images @ np.float32([101, 7, 13]) % 251).astype(np.uint8)
    return images, labels


@settings(max_examples=150)
@given(seed=st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**31 - 1)), size=st.sampled_from(SIZES))
def test_every_pixel_and_its_label_come_from_one_image_at_one_place(seed, size):
    source, target = telltale(0, size), telltale(1, size)
    mixed = domain_cutmix(*map(tf.constant, (*source, *target)), tf.constant(seed, tf.int32))
    images, labels, box = mixed.images.numpy(), mixed.labels.numpy(), mixed.box.numpy()
    domain = images[..., 0] // BATCH
    # The pixel is of the image at its own position in the batch, from its own row and column, of one domain,
    expected_images = np.where(domain[..., None] == 1, target[0], source[0])
    np.testing.assert_array_equal(images, expected_images)
    # so is its label, of the same domain,
    np.testing.assert_array_equal(labels, np.where(domain == 1, target[1], source[1]))
    # which is the target inside one box for the whole batch, and the source outside.
    top, left, bottom, right = box
    assert 0 <= top <= bottom <= size[0] and 0 <= left <= right <= size[1]
    inside = np.zeros(size, bool)
    inside[top:bottom, left:right] = True
    assert np.all((domain == 1) == inside)


@pytest.fixture(scope="module")
def boxes():
    """DRAWS boxes of a 360 x 640 image: int [DRAWS, 4]."""

    @tf.function
    def draw():
        seeds = tf.stack([tf.range(DRAWS), tf.fill([DRAWS], 7)], 1)
        return tf.map_fn(lambda seed: draw_box((360, 640), seed), seeds, parallel_iterations=16)

    return draw().numpy()


def areas(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (360 * 640)


def standard_errors(values, expected):
    return abs(values.mean() - expected) / (values.std() / np.sqrt(len(values)))


def test_expectation_by_simulation_and_by_quadrature():
    """The formula above, from the definition of the box alone."""
    rng = np.random.default_rng(0)
    side = np.sqrt(1 - rng.uniform(size=400_000))
    lengths = [np.minimum(c + side / 2, 1) - np.maximum(c - side / 2, 0) for c in rng.uniform(size=(2, 400_000))]
    assert standard_errors(lengths[0] * lengths[1], EXPECTED_AREA) < 3
    s, c = np.linspace(0.5, 999.5, 1000) / 1000, np.linspace(0.5, 999.5, 1000)[:, None] / 1000
    length = (np.minimum(c + s / 2, 1) - np.maximum(c - s / 2, 0)).mean(0)
    # ds of s = sqrt(u): du = 2 s ds
    assert abs((length**2 * 2 * s).mean() - EXPECTED_AREA) < 1e-5


def test_mean_area_is_its_expectation_after_clipping(boxes, within):
    """Within 3.3 standard errors (p = 0.001); and well away from 1/2, the mean without clipping."""
    found = areas(boxes)
    print(f"parity: mean area {found.mean():.4f} of expected {EXPECTED_AREA:.4f} ({DRAWS} draws)")
    within(standard_errors(found, EXPECTED_AREA), 3.3)
    assert standard_errors(found, 0.5) > 50


def test_boxes_favour_no_side(boxes, within):
    """The box's middle is in the image's middle on average, and the sides it touches are touched alike."""
    for low, high, extent in ((0, 2, 360), (1, 3, 640)):
        within(standard_errors((boxes[:, low] + boxes[:, high]) / 2, extent / 2), 3.3)
        touched = np.array([np.sum(boxes[:, low] == 0), np.sum(boxes[:, high] == extent)])
        within(abs(touched[0] - touched[1]) / np.sqrt(touched.sum()), 3.3)


def test_shape_is_the_images(boxes):
    """r_w / r_h = W / H: boxes that touch no side have the image's proportions, to a pixel."""
    free = (boxes[:, :2] > 0).all(1) & (boxes[:, 2] < 360) & (boxes[:, 3] < 640)
    height, width = (boxes[free, 2] - boxes[free, 0]), (boxes[free, 3] - boxes[free, 1])
    assert free.sum() > 1000
    assert np.abs(width * 360 / 640 - height).max() <= 1.6  # each is rounded at both ends
