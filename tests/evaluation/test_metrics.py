import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from udas_tf.evaluation import metrics
from udas_tf.evaluation.metrics import Bin, Calibration, ClassFlow

CLASSES = ("road", "car", "train", "sky")
# Rows are labels, columns predictions: car is taken for road once, train never occurs but is predicted
# twice for road, sky neither occurs nor is predicted.
CONFUSION = np.array([[4, 0, 2, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_confusion_matrix_by_hand():
    labels = tf.constant([[[0, 0, 1], [1, 2, 255]]], tf.uint8)
    predictions = tf.constant([[[0, 1, 1], [0, 2, 2]]], tf.uint8)
    confusion = metrics.confusion_matrix(labels, predictions, 3)
    assert confusion.dtype == tf.int64
    np.testing.assert_array_equal(confusion, [[1, 1, 0], [1, 1, 0], [0, 0, 1]])


def test_ignored_pixels_alone_count_nothing():
    labels = tf.fill([2, 3], tf.constant(255, tf.uint8))
    np.testing.assert_array_equal(metrics.confusion_matrix(labels, tf.zeros([2, 3], tf.uint8), 19), np.zeros((19, 19)))


def test_many_classes_do_not_wrap_around_in_bytes():
    # 18 * 19 + 17 = 359 does not fit a byte.
    confusion = metrics.confusion_matrix(tf.constant([18], tf.uint8), tf.constant([17], tf.uint8), 19).numpy()
    assert confusion[18, 17] == 1 and confusion.sum() == 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 19), st.sampled_from(["uint8", "int32", "int64"]))
@settings(max_examples=25)
def test_confusion_matrix_against_counting(seed, classes, dtype):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, (2, 5, 7))
    labels[rng.uniform(size=labels.shape) < 0.2] = 255
    predictions = rng.integers(0, classes, labels.shape)
    expected = np.zeros((classes, classes), int)
    for label, prediction in zip(labels.ravel(), predictions.ravel(), strict=True):
        if label != 255:
            expected[label, prediction] += 1
    found = metrics.confusion_matrix(tf.constant(labels, dtype), tf.constant(predictions, dtype), classes)
    np.testing.assert_array_equal(found, expected)


def test_iou_by_hand():
    # road: 4 / (4 + 1 + 2), car: 3 / (3 + 0 + 1), train: 0 / (0 + 2 + 0), sky: nothing of it anywhere
    iou = metrics.iou(CONFUSION)
    assert iou.dtype == np.float64
    np.testing.assert_allclose(iou[:3], [4 / 7, 3 / 4, 0.0])
    assert math.isnan(iou[3])


def test_scores_by_hand():
    # Train, predicted but absent, has its 0 in the mean, as in cityscapesScripts: (4/7 + 3/4 + 0) / 3 = 0.440476.
    # Sky is nowhere. Pixel accuracy 7 / 10.
    scores = metrics.scores(CONFUSION, CLASSES)
    assert list(scores["iou"]) == list(CLASSES)
    assert scores["iou"]["train"] == 0.0 and scores["iou"]["sky"] is None
    np.testing.assert_allclose(scores["iou"]["road"], 4 / 7)
    np.testing.assert_allclose(scores["iou"]["car"], 3 / 4)
    np.testing.assert_allclose(scores["miou"], 0.440476, rtol=1e-6)
    np.testing.assert_allclose(scores["pixel_accuracy"], 0.7)


def test_a_class_that_occurs_and_is_never_found_scores_zero():
    scores = metrics.scores(np.array([[5, 0], [5, 0]]), ("road", "car"))
    # road 5 / 10, car 0 / 5, mean 1/4
    assert scores == {"miou": 0.25, "pixel_accuracy": 0.5, "iou": {"road": 0.5, "car": 0.0}}


def test_a_perfect_prediction_scores_one():
    scores = metrics.scores(np.diag([3, 0, 9, 1]), CLASSES)
    assert scores["miou"] == scores["pixel_accuracy"] == 1.0
    assert scores["iou"] == {"road": 1.0, "car": None, "train": 1.0, "sky": 1.0}


def test_without_any_label_there_are_no_scores():
    scores = metrics.scores(np.zeros((2, 2), int), ("road", "car"))
    assert scores == {"miou": None, "pixel_accuracy": None, "iou": {"road": None, "car": None}}


def test_calibration_by_hand():
    pixels, right = np.zeros((2, 256), np.int64)
    pixels[[51, 229, 230, 255]] = 10, 20, 30, 40
    right[[51, 229, 230, 255]] = 5, 10, 30, 35
    found = metrics.calibration(pixels, right)
    # 51 is 0.2; 229 (0.898) lies in the ninth of ten bins, 230 (0.902) and 255 in the last.
    last = (30 * 230 / 255 + 40) / 70
    expected = [
        Bin(0.2, 0.3, 0.1, 0.2, 0.5),
        Bin(0.8, 0.9, 0.2, pytest.approx(229 / 255), 0.5),
        Bin(0.9, 1.0, 0.7, pytest.approx(last), 65 / 70),
    ]
    assert found.bins == expected
    # 0.1 * |0.5 - 0.2| + 0.2 * |0.5 - 0.898039| + 0.7 * |0.928571 - 0.957983|
    assert found.expected_calibration_error == pytest.approx(0.03 + 0.0796078 + 0.0205882, rel=1e-5)


def test_calibration_of_nothing():
    empty = np.zeros(256, np.int64)
    assert metrics.calibration(empty, empty) == Calibration(None, [])


@given(st.integers(0, 2**32 - 1), st.integers(1, 20))
@settings(max_examples=25)
def test_calibration_against_counting(seed, bins):
    rng = np.random.default_rng(seed)
    stored = rng.integers(0, 256, 300)
    hit = rng.uniform(size=300) < stored / 300
    found = metrics.calibration(np.bincount(stored, minlength=256), np.bincount(stored[hit], minlength=256), bins)
    place = [min(int(v) * bins // 255, bins - 1) for v in stored]
    error = 0.0
    for number in set(place):
        inside = np.array(place) == number
        error += inside.mean() * abs(hit[inside].mean() - (stored[inside] / 255).mean())
    np.testing.assert_allclose(found.expected_calibration_error, error, rtol=1e-9)
    np.testing.assert_allclose(sum(one.share for one in found.bins), 1.0)


def test_which_class_became_which():
    confusion = np.array([[8000, 0, 7, 1993], [0, 0, 0, 0], [0, 30, 10, 0], [0, 0, 0, 9960]])
    flow = metrics.class_flow(confusion, CLASSES)
    assert flow == {
        "road": ClassFlow(0.5, 0.8, {"sky": 0.1993}),  # 7 of 10,000 are too few to list
        "train": ClassFlow(0.002, 0.25, {"car": 0.75}),
        "sky": ClassFlow(0.498, 1.0, {}),
    }


def test_what_pixels_became_is_listed_in_falling_order():
    flow = metrics.class_flow(np.array([[2, 3, 5, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]), CLASSES)
    assert list(flow["road"].became) == ["train", "car"]
