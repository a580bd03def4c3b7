import numpy as np
import pytest
import tensorflow as tf

from udas_tf.data import augment, geometry

SIZE = (36, 64)


def labelled_images(count, dtype=np.float32):
    """Images whose red channel is ten times the label."""
    labels = np.random.default_rng(0).integers(0, 19, (count, *SIZE)).astype(np.uint8)
    images = np.zeros((count, *SIZE, 3), dtype)
    images[..., 0] = labels * 10
    return tf.constant(images), tf.constant(labels)


def test_first_view_is_the_image_itself():
    images, _ = labelled_images(16)
    views, transforms = augment.k_views(images, 3, tf.constant([0, 1]))
    assert views.shape == (3, 16, *SIZE, 3) and views.dtype == tf.uint8
    assert transforms.shape == (3, 16, 2, 3)
    np.testing.assert_array_equal(views[0], images)
    np.testing.assert_array_equal(transforms[0], geometry.identity(16))
    assert np.any(views[1].numpy() != images.numpy())
    assert np.any(views[1].numpy() != views[2].numpy())


def test_one_view_and_no_view():
    images, _ = labelled_images(2)
    views, _ = augment.k_views(images, 1, tf.constant([0, 1]))
    np.testing.assert_array_equal(views[0], images)
    assert views.shape[0] == 1
    with pytest.raises(ValueError, match="k is 0"):
        augment.k_views(images, 0, tf.constant([0, 1]))


def test_views_come_back_to_their_image():
    """What each view shows of its image, marked 1, is seen again at every pixel but those of the rim."""
    images, _ = labelled_images(16)
    _, transforms = augment.k_views(images, 3, tf.constant([2, 3]))
    moved = np.any(transforms.numpy() != geometry.identity(1).numpy(), axis=(2, 3))
    assert moved.any() and not moved[0].any()
    for view in range(3):
        shown = geometry.warp(tf.ones([16, *SIZE]), transforms[view])
        back, seen = geometry.warp_back(shown, transforms[view])
        assert np.mean(back.numpy()[seen.numpy()]) > 0.98


def test_flip_mirrors_image_and_label_together():
    images, labels = labelled_images(64)
    flipped = augment.random_flip(images, labels, tf.constant([0, 7]))
    mirrored = np.all(flipped.labels.numpy() == labels.numpy()[:, :, ::-1], axis=(1, 2))
    assert 16 <= mirrored.sum() <= 48
    np.testing.assert_array_equal(flipped.labels.numpy()[~mirrored], labels.numpy()[~mirrored])
    np.testing.assert_array_equal(flipped.images.numpy()[..., 0], flipped.labels.numpy() * 10.0)
    np.testing.assert_array_equal(geometry.warp(images, flipped.transforms), flipped.images)


def test_images_alone_may_be_given():
    images, _ = labelled_images(2, np.uint8)
    assert augment.random_flip(images, None, tf.constant([0, 1])).labels is None
    assert augment.random_scale_crop(images, None, SIZE, (1.0, 1.0), tf.constant([0, 1])).labels is None


def test_scale_one_cuts_a_window_out():
    images, labels = labelled_images(6)
    cut = augment.random_scale_crop(images, labels, (20, 30), (1.0, 1.0), tf.constant([3, 1]))
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
    cut = augment.random_scale_crop(images, labels, (60, 100), (0.5, 0.8), tf.constant([3, 2]))
    padding = cut.labels.numpy() == geometry.LABEL_FILL
    assert np.all(cut.images.numpy()[padding] == geometry.IMAGE_FILL)
    # The whole image lies in the window: its area is (36 s)(64 s) of 60 x 100, s between 0.5 and 0.8.
    shown = 1 - padding.mean(axis=(1, 2))
    assert np.all((shown > 0.09) & (shown < 0.26))
    assert np.std(shown) > 0.01


def test_scales_are_spread_over_their_range():
    images, _ = labelled_images(500, np.uint8)
    cut = augment.random_scale_crop(images[:, :4, :4], None, (4, 4), (0.5, 2.0), tf.constant([1, 2]))
    scales = 1 / cut.transforms[:, 0, 0].numpy()
    assert scales.min() >= 0.499 and scales.max() <= 2.001
    assert abs(scales.mean() - 1.25) < 4 * 1.5 / np.sqrt(12 * 500)


def test_a_range_upside_down_is_refused():
    images, _ = labelled_images(1)
    with pytest.raises(ValueError, match="scale_range"):
        augment.random_scale_crop(images, None, SIZE, (2.0, 0.5), tf.constant([0, 1]))


@pytest.mark.parametrize("operation", ["flip", "crop", "views"])
def test_same_seed_same_result(operation):
    images, labels = labelled_images(16)

    def run(seed):
        seed = tf.constant(seed)
        if operation == "flip":
            return augment.random_flip(images, labels, seed).images.numpy()
        if operation == "crop":
            return augment.random_scale_crop(images, labels, SIZE, (0.5, 2.0), seed).images.numpy()
        return augment.k_views(images, 3, seed)[0].numpy()

    np.testing.assert_array_equal(run([1, 5]), run([1, 5]))
    assert np.any(run([1, 5]) != run([2, 9]))
