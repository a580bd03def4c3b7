import numpy as np
import pytest
import tensorflow as tf

from udas_tf import confidence

# Three views of four pixels. At each the view that wins: the third, the first (a tie with the second), the
# second (the third, surer, did not see it), the first (nobody else saw it, and it is not sure at all).
CONFIDENCES = tf.constant([[[[0.3, 0.8, 0.2, 0.0]]], [[[0.5, 0.8, 0.4, 0.9]]], [[[0.9, 0.1, 0.9, 0.9]]]])
SEEN = tf.constant([[[[True] * 4]], [[[True, True, True, False]]], [[[True, True, False, False]]]])


def test_maximum_confidence_by_hand():
    view = confidence.maximum_confidence(CONFIDENCES, SEEN)
    assert view.dtype == tf.int32
    np.testing.assert_array_equal(view, [[[2, 0, 1, 0]]])


def test_choose_takes_maps_and_distributions_of_the_view():
    view = tf.constant([[[2, 0, 1, 0]]])
    np.testing.assert_allclose(confidence.choose(CONFIDENCES, view), [[[0.9, 0.8, 0.4, 0.0]]])
    distributions = tf.stack([CONFIDENCES, 1 - CONFIDENCES], -1)
    chosen = confidence.choose(distributions, view)
    assert chosen.shape == (1, 1, 4, 2)
    np.testing.assert_allclose(chosen[..., 0], [[[0.9, 0.8, 0.4, 0.0]]])
    np.testing.assert_allclose(chosen[..., 1], [[[0.1, 0.2, 0.6, 1.0]]], rtol=1e-6)


def test_one_view_is_taken_as_it_is():
    view = confidence.maximum_confidence(CONFIDENCES[:1], SEEN[:1])
    np.testing.assert_array_equal(confidence.choose(CONFIDENCES[:1], view), CONFIDENCES[0])


def test_against_a_loop_over_pixels():
    rng = np.random.default_rng(0)
    confidences = rng.uniform(size=(4, 2, 3, 5)).astype(np.float32)
    seen = rng.uniform(size=confidences.shape) < 0.6
    seen[0] = True
    view = confidence.maximum_confidence(tf.constant(confidences), tf.constant(seen))
    for place in np.ndindex(2, 3, 5):
        counted = [number for number in range(4) if seen[(number, *place)]]
        assert view[place] == max(counted, key=lambda number: confidences[(number, *place)])


def fixed(threshold):
    """One threshold for all classes, as `class_thresholds` gives it."""
    return confidence.class_thresholds(np.ones((256, 256), np.int64), threshold, 0.0)


def test_a_class_that_is_seldom_sure_keeps_its_share():
    histogram = np.zeros((256, 256), np.int64)
    histogram[0, [100, 200, 250]] = 1, 3, 6  # nine of ten pixels reach 0.6 anyway
    histogram[1, [50, 80, 120, 160]] = 2, 4, 3, 1  # one of ten does; the surest four reach 120
    thresholds = confidence.class_thresholds(histogram, 0.6, 0.4)
    assert thresholds.dtype == np.uint8
    assert list(thresholds[:3]) == [153, 120, 153]  # a class without pixels has the threshold of all
    assert list(confidence.class_thresholds(histogram, 0.6, 1.0)[:2]) == [100, 50]
    labels = tf.constant([[[0, 0, 1, 1]]], tf.uint8)
    stored = tf.constant([[[153, 152, 120, 119]]], tf.uint8)
    np.testing.assert_array_equal(confidence.mask(labels, stored, thresholds), [[[0, 255, 1, 255]]])


def test_rare_classes_weigh_more_and_the_mean_pixel_one():
    histogram = np.zeros((256, 256), np.int64)
    histogram[:4, 200] = 720, 80, 199, 1  # of 1,000 pixels kept
    histogram[1, 100] = 500  # not kept
    weights = confidence.class_weights(histogram, np.full(256, 153, np.uint8), 4, 0.5)
    # (1 / (4 share)) ** 0.5 of each, the last 15.8 and so cut to 5.
    expected = np.array([0.589256, 1.767767, 1.120840, 5.0])
    expected /= expected @ [0.720, 0.080, 0.199, 0.001]
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-5)
    alike = confidence.class_weights(histogram, np.full(256, 153, np.uint8), 4, 0.0)
    np.testing.assert_allclose(alike, np.ones(4), rtol=1e-6)


def test_nothing_kept_weighs_all_classes_alike():
    weights = confidence.class_weights(np.zeros((256, 256), int), np.zeros(256, np.uint8), 3, 0.5)
    assert weights.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("threshold", "stored", "kept"),
    [
        (0.6, 153, True),  # 0.6 * 255 = 153
        (0.6, 152, False),
        (0.6, 255, True),
        (0.0, 0, True),
        (1.0, 255, True),
        (1.0, 254, False),
        (0.9, 230, True),  # 0.9 * 255 = 229.5, which a probability of 0.9 is stored as 230
        (0.9, 229, False),
    ],
)
def test_mask_at_the_stored_precision(threshold, stored, kept):
    labels = tf.constant([[[7]]], tf.uint8)
    masked = confidence.mask(labels, tf.constant([[[stored]]], tf.uint8), fixed(threshold))
    assert masked.dtype == tf.uint8
    assert masked.numpy().item() == (7 if kept else 255)


def test_a_probability_at_the_threshold_is_kept_once_stored():
    """round(255 p) of p = threshold is at the threshold, for every threshold in hundredths."""
    for hundredths in range(101):
        stored = tf.cast(tf.round(255.0 * tf.constant([[[hundredths / 100]]])), tf.uint8)
        kept = confidence.mask(tf.constant([[[3]]], tf.uint8), stored, fixed(hundredths / 100))
        assert kept.numpy().item() == 3, hundredths


def test_what_was_ignored_stays_ignored():
    masked = confidence.mask(tf.constant([[[255]]], tf.uint8), tf.constant([[[255]]], tf.uint8), fixed(0.5))
    assert masked.numpy().item() == 255


def test_views_agree_where_several_saw_a_pixel_and_say_the_same():
    # Pixels: all three say 4; one of three differs; the one that differs did not see it; only the first saw it; the
    # largest id there is.
    labels = tf.constant([[[[4, 4, 4, 4, 254]]], [[[4, 5, 5, 5, 254]]], [[[4, 4, 4, 0, 254]]]], tf.float32)
    seen = tf.constant([[[[True] * 5]], [[[True, True, False, False, True]]], [[[True, True, True, False, True]]]])
    for dtype in (tf.float32, tf.int32, tf.uint8):
        shared, agreeing = confidence.agreement(tf.cast(labels, dtype), seen)
        np.testing.assert_array_equal(shared, [[[True, True, True, False, True]]])
        np.testing.assert_array_equal(agreeing, [[[True, False, True, False, True]]])


def test_one_view_has_nobody_to_agree_with():
    shared, agreeing = confidence.agreement(tf.zeros([1, 1, 1, 3]), tf.ones([1, 1, 1, 3], tf.bool))
    assert not shared.numpy().any() and not agreeing.numpy().any()


def test_kept_pixels_by_hand():
    histogram = np.zeros((3, 256), np.int64)
    histogram[0, [99, 100, 255]] = 5, 2, 3
    histogram[1, 99] = 7
    kept = confidence.kept_pixels(histogram, np.full(256, 100, np.uint8))
    np.testing.assert_array_equal(kept, [5, 0, 0])


def test_the_smallest_threshold_that_is_precise_enough():
    pixels, right = np.zeros((2, 256), np.int64)
    pixels[[50, 100, 150, 200]] = 10
    right[[50, 100, 150, 200]] = 2, 5, 9, 10
    # From 50: 26 of 40 are right, from 100: 24 of 30, from 150: 19 of 20, from 200 all.
    suggested = {wanted: confidence.suggested_threshold(pixels, right, wanted) for wanted in (0.65, 0.8, 0.9, 1.0)}
    assert suggested == {0.65: 0.0, 0.8: 51 / 255, 0.9: 101 / 255, 1.0: 151 / 255}
    # As it is rounded for the page it still keeps the same pixels.
    for wanted, threshold in suggested.items():
        kept = round(255 * round(threshold, 3))
        assert kept == round(255 * threshold) and right[kept:].sum() >= wanted * pixels[kept:].sum()


def test_no_threshold_where_the_surest_pixels_are_wrong():
    pixels, right = np.zeros((2, 256), np.int64)
    assert confidence.suggested_threshold(pixels, right, 0.5) is None  # no labelled pixel at all
    pixels[[10, 255]], right[10] = 10, 9
    assert confidence.suggested_threshold(pixels, right, 0.9) is None
    assert confidence.suggested_threshold(pixels, right, 0.4) == 0.0


def test_a_class_has_vanished_below_a_tenth_of_its_share():
    before = np.array([0.5, 0.02, 0.02, 0.02, 0.00009, 0.0])
    now = np.array([0.9, 0.002, 0.0019, 0.0, 0.0, 0.1])
    np.testing.assert_array_equal(confidence.vanished(now, before), [False, False, True, True, False, False])
