import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from udas_tf.data.augment.cutmix import domain_cutmix, draw_box

SIZE = (24, 40)
seeds = st.tuples(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))


def told_apart(count=3):
    """Every pixel of every image is unlike any other, and its label follows from it."""
    pixels = np.arange(count * SIZE[0] * SIZE[1], dtype=np.float32).reshape(count, *SIZE)
    source = np.stack([pixels, np.zeros_like(pixels), np.zeros_like(pixels)], -1)
    target = np.stack([pixels, np.ones_like(pixels), np.zeros_like(pixels)], -1)
    source_labels = (pixels % 19).astype(np.uint8)
    target_labels = (100 + pixels % 19).astype(np.uint8)
    return source, source_labels, target, target_labels


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_pixel_and_label_come_from_one_image_at_one_place(seed):
    source, source_labels, target, target_labels = told_apart()
    mixed = domain_cutmix(*map(tf.constant, (source, source_labels, target, target_labels)), tf.constant(seed))
    top, left, bottom, right = mixed.box.numpy()
    assert 0 <= top <= bottom <= SIZE[0] and 0 <= left <= right <= SIZE[1]
    inside = np.zeros(SIZE, bool)
    inside[top:bottom, left:right] = True
    np.testing.assert_array_equal(mixed.images, np.where(inside[..., np.newaxis], target, source))
    np.testing.assert_array_equal(mixed.labels, np.where(inside, target_labels, source_labels))


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_same_seed_same_box(seed):
    np.testing.assert_array_equal(draw_box(SIZE, tf.constant(seed)), draw_box(SIZE, tf.constant(seed)))


def test_mean_area_is_that_of_clipped_cutmix_boxes():
    # With s = sqrt(1 - lambda), whose density is 2s: a side s with a uniform centre keeps s - s^2/4 of the
    # extent after clipping, so the mean area is the integral of 2s (s - s^2/4)^2 = 1/2 - 1/5 + 1/48.
    size = (360, 640)
    seeds = tf.stack([tf.range(40_000), tf.zeros(40_000, tf.int32)], axis=1)
    boxes = tf.function(lambda: tf.map_fn(lambda seed: draw_box(size, seed), seeds), jit_compile=True)().numpy()
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / (size[0] * size[1])
    standard_error = areas.std() / np.sqrt(len(areas))
    assert abs(areas.mean() - (1 / 2 - 1 / 5 + 1 / 48)) < 4 * standard_error
    middle = (boxes[:, :2] + boxes[:, 2:]).mean(axis=0) / 2
    np.testing.assert_allclose(middle, [180, 320], rtol=0.02)


def test_batches_of_different_shape_are_refused():
    source, source_labels, target, target_labels = map(tf.constant, told_apart())
    with pytest.raises(ValueError, match="differ in shape"):
        domain_cutmix(source, source_labels, target[:2], target_labels[:2], tf.constant([0, 1]))
