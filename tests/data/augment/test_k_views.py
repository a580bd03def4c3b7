import numpy as np
import pytest
import tensorflow as tf

from udas_tf.data.augment import geometry, policy

SIZE = (36, 64)


def images(count):
    labels = np.random.default_rng(0).integers(0, 19, (count, *SIZE))
    pixels = np.zeros((count, *SIZE, 3), np.float32)
    pixels[..., 0] = labels * 10
    return tf.constant(pixels)


def test_first_view_is_the_image_itself():
    originals = images(16)
    views, transforms = policy.k_views(originals, 3, tf.constant([0, 1]))
    assert views.shape == (3, 16, *SIZE, 3) and views.dtype == tf.uint8
    assert transforms.shape == (3, 16, 2, 3)
    np.testing.assert_array_equal(views[0], originals)
    np.testing.assert_array_equal(transforms[0], geometry.identity(16))
    assert np.any(views[1].numpy() != originals.numpy())
    assert np.any(views[1].numpy() != views[2].numpy())


def test_one_view_and_no_view():
    originals = images(2)
    views, _ = policy.k_views(originals, 1, tf.constant([0, 1]))
    np.testing.assert_array_equal(views[0], originals)
    assert views.shape[0] == 1
    with pytest.raises(ValueError, match="k is 0"):
        policy.k_views(originals, 0, tf.constant([0, 1]))


def test_views_come_back_to_their_image():
    """What each view shows of its image, marked 1, is seen again at every pixel but those of the rim."""
    originals = images(16)
    _, transforms = policy.k_views(originals, 3, tf.constant([2, 3]))
    moved = np.any(transforms.numpy() != geometry.identity(1).numpy(), axis=(2, 3))
    assert moved.any() and not moved[0].any()
    for view in range(3):
        shown = geometry.warp(tf.ones([16, *SIZE]), transforms[view])
        back, seen = geometry.warp_back(shown, transforms[view])
        assert np.mean(back.numpy()[seen.numpy()]) > 0.98


def test_views_follow_from_the_seed():
    def run(*seed):
        return policy.k_views(images(16), 3, tf.constant(seed))[0].numpy()

    np.testing.assert_array_equal(run(1, 5), run(1, 5))
    assert np.any(run(1, 5) != run(2, 9))
