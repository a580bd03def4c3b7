import numpy as np
import pixel_networks
import pytest
import tensorflow as tf

from udas_tf import inference
from udas_tf.data.augment import geometry, policy
from udas_tf.pseudo_labels import views

SIZE, CLASSES = (32, 48), 4


@pytest.fixture(scope="module")
def segmenter():
    return pixel_networks.by_colour(CLASSES)


@pytest.fixture(scope="module")
def images():
    return tf.constant(np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.float32))


def test_one_view_is_the_prediction_itself(segmenter, images):
    label, confidence, shared, _ = views.pseudo_label(segmenter, images, 1, tf.constant([0, 1]))
    assert not shared.numpy().any()
    expected_confidence, expected_label = inference.confidence_and_class(segmenter, images)
    np.testing.assert_array_equal(label, expected_label)
    np.testing.assert_allclose(confidence, expected_confidence, rtol=1e-5)


def pixel_by_pixel(segmenter, images, count, seed):
    """Each view's probabilities warped back, then those of the most confident view that saw the pixel."""
    augmented, transforms = policy.k_views(images, count, seed)
    best = np.zeros((2, *SIZE, CLASSES), np.float32)
    unseen = 0
    for view in range(count):
        back, seen = geometry.warp_back(inference.probabilities(segmenter, augmented[view]), transforms[view])
        better = seen.numpy() & (back.numpy().max(-1) > best.max(-1))
        best[better] = back.numpy()[better]
        unseen += np.count_nonzero(~seen.numpy())
    return best, unseen


def test_pseudo_labels_and_distributions_are_of_the_most_confident_view(segmenter, images):
    unseen = 0
    for number in range(4):
        seed = tf.constant([3, number])
        expected, hidden = pixel_by_pixel(segmenter, images, 3, seed)
        unseen += hidden
        label, confidence, _, _ = views.pseudo_label(segmenter, images, 3, seed)
        assert label.dtype == tf.uint8 and confidence.dtype == tf.float32
        np.testing.assert_allclose(confidence, expected.max(-1), rtol=1e-4)
        # Where two classes are as good as equal, either is right.
        chosen = np.take_along_axis(expected, label.numpy()[..., np.newaxis].astype(int), -1)[..., 0]
        np.testing.assert_allclose(chosen, expected.max(-1), rtol=1e-4)
        distribution = views.maximum_confidence_distribution(segmenter, images, 3, seed)
        assert distribution.shape == (2, *SIZE, CLASSES)
        np.testing.assert_allclose(distribution, expected, atol=1e-5)
        np.testing.assert_allclose(distribution.numpy().sum(-1), 1.0, rtol=1e-5)
        weak, _ = inference.confidence_and_class(segmenter, images)
        assert np.all(confidence.numpy() >= weak.numpy() - 1e-5)
    assert unseen > 0, "no view moved its pixels: the test saw nothing"


def test_pseudo_labels_follow_from_the_seed(segmenter, images):
    first, again, other = (
        views.pseudo_label(segmenter, images, 3, tf.constant(seed))[1].numpy() for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_where_views_agree_pixel_by_pixel(segmenter, images):
    seed = tf.constant([3, 1])
    found = views.pseudo_label(segmenter, images, 3, seed)
    augmented, transforms = policy.k_views(images, 3, seed)
    said = [[set(), 0] for _ in range(2 * SIZE[0] * SIZE[1])]
    for view in range(3):
        _, label = inference.confidence_and_class(segmenter, augmented[view])
        back, seen = geometry.warp_back(tf.cast(label, tf.float32)[..., tf.newaxis], transforms[view])
        for pixel, class_, visible in zip(said, back.numpy().ravel(), seen.numpy().ravel(), strict=True):
            if visible:
                pixel[0].add(class_)
                pixel[1] += 1
    np.testing.assert_array_equal(found.shared.numpy().ravel(), [count >= 2 for _, count in said])
    agreeing = [count >= 2 and len(classes) == 1 for classes, count in said]
    np.testing.assert_array_equal(found.agreeing.numpy().ravel(), agreeing)
    assert 0 < np.sum(agreeing) < len(said)


def test_a_moved_distribution_is_zero_where_no_image_is(segmenter, images):
    """Moved 8 pixels to the right: the first eight columns are outside of the image."""
    seed = tf.constant([3, 0])
    still = views.maximum_confidence_distribution(segmenter, images, 2, seed).numpy()
    right = tf.constant([[[1.0, 0.0, -8.0], [0.0, 1.0, 0.0]]] * 2)  # from the result's pixels to the image's
    moved = views.maximum_confidence_distribution(segmenter, images, 2, seed, right).numpy()
    np.testing.assert_array_equal(moved[:, :, :8], 0.0)
    np.testing.assert_array_equal(moved[:, :, 8:], still[:, :, :-8])
