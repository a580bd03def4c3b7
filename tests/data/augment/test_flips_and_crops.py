import numpy as np
import pytest
import tensorflow as tf

from udas_tf.data.augment import geometry
from udas_tf.data.augment.flips_and_crops import random_flip, random_scale_crop

SIZE = (36, 64)


def labelled_images(count, dtype=np.float32):
    """Images whose red channel is ten times the label."""
    labels = np.random.default_rng(0).integers(0, 19, (count, *SIZE)).astype(np.uint8)
    images = np.zeros((count, *SIZE, 3), dtype)
    images[..., 0] = labels * 10
    return tf.constant(images), tf.constant(labels)


def test_flip_mirrors_image_and_label_together():
    images, labels = labelled_images(64)
    flipped = random_flip(images, labels, tf.constant([0, 7]))
    mirrored = np.all(flipped.labels.numpy() == labels.numpy()[:, :, ::-1], axis=(1, 2))
    assert 16 <= mirrored.sum() <= 48
    np.testing.assert_array_equal(flipped.labels.numpy()[~mirrored], labels.numpy()[~mirrored])
    np.testing.assert_array_equal(flipped.images.numpy()[..., 0], flipped.labels.numpy() * 10.0)
    np.testing.assert_array_equal(geometry.warp(images, flipped.transforms), flipped.images)


def test_images_alone_may_be_given():
    images, _ = labelled_images(2, np.uint8)
    assert random_flip(images, None, tf.constant([0, 1])).labels is None
    assert random_scale_crop(images, None, SIZE, (1.0, 1.0), tf.constant([0, 1])).labels is None


def test_scale_one_cuts_a_window_out():
    images, labels = labelled_images(6)
    cut = random_scale_crop(images, labels, (20, 30), (1.0, 1.0), tf.constant([3, 1]))
    assert cut.images.shape == (6, 20, 30, 3)
    corners = set()
    for index in range(6):
        left, top = np.floor(cut.transforms[index, :, 2].numpy() + 0.5).astype(int)
        corners.add((top, left))
        window = np.s_[index, top : top + 20, left : left + 30]
        np.testing.assert_array_equal(cut.labels[index], labels.numpy()[window])
    assert len(corners) > 3


def test_small_image_is_padded_with_ignore():
    images, labels = labelled_images(8)
    cut = random_scale_crop(images, labels, (60, 100), (0.5, 0.8), tf.constant([3, 2]))
    padding = cut.labels.numpy() == geometry.LABEL_FILL
    assert np.all(cut.images.numpy()[padding] == geometry.IMAGE_FILL)
    # The whole image lies in the window: its area is (36 s)(64 s) of 60 x 100, s between 0.5 and 0.8.
    shown = 1 - padding.mean(axis=(1, 2))
    assert np.all((shown > 0.09) & (shown < 0.26))
    assert np.std(shown) > 0.01


def test_scales_are_spread_over_their_range():
    images, _ = labelled_images(500, np.uint8)
    cut = random_scale_crop(images[:, :4, :4], None, (4, 4), (0.5, 2.0), tf.constant([1, 2]))
    scales = 1 / cut.transforms[:, 0, 0].numpy()
    assert scales.min() >= 0.499 and scales.max() <= 2.001
    assert abs(scales.mean() - 1.25) < 4 * 1.5 / np.sqrt(12 * 500)


def test_a_range_upside_down_is_refused():
    images, _ = labelled_images(1)
    with pytest.raises(ValueError, match="scale_range"):
        random_scale_crop(images, None, SIZE, (2.0, 0.5), tf.constant([0, 1]))


@pytest.mark.parametrize("operation", ["flip", "crop"])
def test_same_seed_same_result(operation):
    images, labels = labelled_images(16)

    def run(seed):
        seed = tf.constant(seed)
        if operation == "flip":
            return random_flip(images, labels, seed).images.numpy()
        return random_scale_crop(images, labels, SIZE, (0.5, 2.0), seed).images.numpy()

    np.testing.assert_array_equal(run([1, 5]), run([1, 5]))
    assert np.any(run([1, 5]) != run([2, 9]))
