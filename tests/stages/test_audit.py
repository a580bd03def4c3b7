import numpy as np
import pytest

from udas_tf.stages import audit

CLASSES = ("road", "sky", "car")


def counted():
    """Nine pixels: confidence 200 twice right as road, 100 once wrong as road, 200 right as sky, ..."""
    found = audit.Compared(3)
    found.add(
        np.array([[0, 0, 1], [1, 2, 255]], np.uint8),
        np.array([[0, 0, 0], [1, 1, 2]], np.uint8),
        np.array([[200, 200, 100], [200, 100, 255]], np.uint8),
    )
    return found


def test_pixels_are_counted_where_the_truth_is_known():
    found = counted()
    np.testing.assert_array_equal(found.confusion, [[2, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert found.pixels.sum() == 5 and found.right.sum() == 3
    assert found.pixels[0, 200] == found.right[0, 200] == 2
    assert found.pixels[0, 100] == 1 and found.right[0, 100] == 0
    assert found.pixels[1, 200] == found.right[1, 200] == found.pixels[1, 100] == 1


def histogram():
    """Of the whole target: road 6 sure and 2 unsure, sky 2 and 10, no car."""
    pixels = np.zeros((3, 256), np.int64)
    pixels[0, [200, 100]] = 6, 2
    pixels[1, [200, 100]] = 2, 10
    return pixels


def test_what_a_threshold_keeps_and_how_often_it_is_right():
    found = audit.at_thresholds(histogram(), {"labelled": counted()}, np.full(256, 153, np.uint8), CLASSES)
    assert found["coverage"] == 8 / 20
    assert found["classes"]["road"] == {"threshold": 0.6, "share": 0.75, "coverage": 0.75}
    assert found["classes"]["sky"] == {"threshold": 0.6, "share": 0.25, "coverage": 2 / 12}
    assert found["classes"]["car"] == {"threshold": 0.6, "share": 0.0, "coverage": None}
    assert found["precision"] == {"labelled": {"all": 1.0, "road": 1.0, "sky": 1.0, "car": None}}
    everything = audit.at_thresholds(histogram(), {"labelled": counted()}, np.zeros(256, np.uint8), CLASSES)
    assert everything["coverage"] == 1.0
    assert everything["precision"]["labelled"] == {"all": 3 / 5, "road": 2 / 3, "sky": 1 / 2, "car": None}
    lower_for_sky = np.array([153, 100, 153], np.uint8)
    found = audit.at_thresholds(histogram(), {"labelled": counted()}, lower_for_sky, CLASSES)
    assert found["coverage"] == 18 / 20 and found["precision"]["labelled"]["all"] == 3 / 4


def test_agreement_of_the_shards_together():
    notes = [{"shared": [0] * 256, "agreeing": [0] * 256} for _ in range(2)]
    notes[0]["shared"][:2], notes[0]["agreeing"][:2] = [10, 4], [9, 1]
    notes[1]["shared"][:2], notes[1]["agreeing"][:2] = [10, 2], [6, 2]
    agreement = audit.view_agreement(notes, CLASSES)
    assert agreement == {"all": 18 / 26, "road": 0.75, "sky": 0.5, "car": None}
    assert audit.view_agreement([], CLASSES) is None
    assert audit.view_agreement([{"shared": [0] * 256, "agreeing": [0] * 256}], CLASSES) is None  # one view


def test_the_suggestion_is_for_the_labelled_images_and_tells_what_it_would_keep():
    # Of all 5 labelled pixels 3 are right, of the 3 at 200 all.
    found = audit.suggestion(histogram(), counted(), 0.9)
    assert found == {"wanted_precision": 0.9, "threshold": 101 / 255, "coverage": 8 / 20}
    assert audit.suggestion(histogram(), counted(), 0.6)["threshold"] == 0.0
    none = audit.suggestion(histogram(), audit.Compared(3), 0.9)
    assert none == {"wanted_precision": 0.9, "threshold": None, "coverage": None}


def test_the_score_with_labels_is_a_miou():
    # road 2 / 3, sky 1 / 3, car 0 / 1
    score = audit.score(counted(), {"all": 1.0}, CLASSES, np.ones(3, bool))
    assert score == {"what": audit.MIOU, "value": pytest.approx(1 / 3)}


def test_the_score_without_labels_is_agreement_in_which_a_lost_class_counts():
    agreement = {"all": 0.99, "road": 1.0, "sky": 0.6, "car": None}
    assert audit.score(None, agreement, CLASSES, np.array([True, True, False]))["value"] == pytest.approx(0.8)
    found = audit.score(None, agreement, CLASSES, np.ones(3, bool))
    assert found == {"what": audit.AGREEMENT, "value": pytest.approx(1.6 / 3)}
    assert audit.score(audit.Compared(3), agreement, CLASSES, np.ones(3, bool)) == found
    assert audit.score(None, None, CLASSES, np.ones(3, bool)) is None
