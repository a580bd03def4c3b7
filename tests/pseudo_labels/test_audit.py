import json

import numpy as np
import pytest

from udas_tf import typed_json
from udas_tf.config import base_config
from udas_tf.data import records
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.pseudo_labels import audit
from udas_tf.pseudo_labels.audit import Audit, ClassKept, Kept, Score, Suggestion
from udas_tf.pseudo_labels.labelling import ShardNote
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir

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
    assert found.coverage == 8 / 20
    assert found.classes == {
        "road": ClassKept(threshold=0.6, share=0.75, coverage=0.75),
        "sky": ClassKept(threshold=0.6, share=0.25, coverage=2 / 12),
        "car": ClassKept(threshold=0.6, share=0.0, coverage=None),
    }
    assert found.precision == {"labelled": {"all": 1.0, "road": 1.0, "sky": 1.0, "car": None}}
    everything = audit.at_thresholds(histogram(), {"labelled": counted()}, np.zeros(256, np.uint8), CLASSES)
    assert everything.coverage == 1.0
    assert everything.precision["labelled"] == {"all": 3 / 5, "road": 2 / 3, "sky": 1 / 2, "car": None}
    lower_for_sky = np.array([153, 100, 153], np.uint8)
    found = audit.at_thresholds(histogram(), {"labelled": counted()}, lower_for_sky, CLASSES)
    assert found.coverage == 18 / 20 and found.precision["labelled"]["all"] == 3 / 4


def note(shared, agreeing):
    """A note with these first pixels by pseudo-label."""
    return ShardNote(shared + [0] * (256 - len(shared)), agreeing + [0] * (256 - len(agreeing)), [])


def test_agreement_of_the_shards_together():
    notes = [note([10, 4], [9, 1]), note([10, 2], [6, 2])]
    agreement = audit.view_agreement(notes, CLASSES)
    assert agreement == {"all": 18 / 26, "road": 0.75, "sky": 0.5, "car": None}
    assert audit.view_agreement([], CLASSES) is None
    assert audit.view_agreement([note([], [])], CLASSES) is None  # one view


def test_the_suggestion_is_for_the_labelled_images_and_says_what_it_would_keep():
    # Of all 5 labelled pixels 3 are right, of the 3 at 200 all.
    assert audit.suggestion(histogram(), counted(), 0.9) == Suggestion(0.9, 101 / 255, 8 / 20)
    assert audit.suggestion(histogram(), counted(), 0.6) == Suggestion(0.6, 0.0, 1.0)
    assert audit.suggestion(histogram(), audit.Compared(3), 0.9) == Suggestion(0.9, None, None)


def test_the_score_with_labels_is_a_miou():
    # road 2 / 3, sky 1 / 3, car 0 / 1
    score = audit.score(counted(), {"all": 1.0}, CLASSES, np.ones(3, bool))
    assert score == Score(audit.MIOU, pytest.approx(1 / 3))


def test_the_score_without_labels_is_agreement_in_which_a_lost_class_counts():
    agreement = {"all": 0.99, "road": 1.0, "sky": 0.6, "car": None}
    found = audit.score(None, agreement, CLASSES, np.array([True, True, False]))
    assert found == Score(audit.AGREEMENT, pytest.approx(0.8))
    found = audit.score(None, agreement, CLASSES, np.ones(3, bool))
    assert found == Score(audit.AGREEMENT, pytest.approx(1.6 / 3))
    assert audit.score(audit.Compared(3), agreement, CLASSES, np.ones(3, bool)) == found
    assert audit.score(None, None, CLASSES, np.ones(3, bool)) is None


def test_vanished_classes_are_named_once_with_the_remedy():
    before = {"round 1": np.array([0.5, 0.02, 0.0]), "the source's labels": np.array([0.5, 0.4, 0.05])}
    (warning,) = audit.vanished_classes(2, np.array([0.999, 0.001, 0.0]), before, ("road", "sky", "train"))
    assert warning == (
        "vanishing from the pseudo-labels of round 2: sky (0.10 % of the pixels kept, 2.00 % in round 1), "
        "train (0.00 % of the pixels kept, 5.00 % in the source's labels); raise pseudo_label.min_class_fraction or "
        "student.class_weight_power, set student.cutmix_pseudo=true or lower pseudo_label.threshold"
    )
    assert audit.vanished_classes(1, np.array([0.6, 0.3, 0.1]), before, CLASSES) == []


def test_shares_of_the_source_come_from_its_labels(tmp_path):
    run_dir = RunDir(tmp_path)
    np.testing.assert_array_equal(audit.source_shares(run_dir, 3), np.zeros(3))
    label = np.array([[0, 0, 0, 2], [255, 255, 255, 255]], np.uint8)
    sample = Sample("a", np.zeros((2, 4, 3), np.uint8), label)
    records.write(
        run_dir.data("source_train"),
        "training",
        1,
        lambda _: [sample],
        shard_images=1,
        provenance={},
        label="a",
    )
    np.testing.assert_array_equal(audit.source_shares(run_dir, 3), [0.75, 0.0, 0.25])


def small_audit(**changes):
    kept = Kept(0.5, {"road": ClassKept(0.6, 1.0, 0.5)}, {"labelled": {"all": 0.9, "road": None}})
    values = {"fixed": None, "calibration": {}, "agreement": None, "suggestion": None, "score": None, "warnings": []}
    return Audit(row="student_1", round=1, threshold=0.6, kept=kept, **(values | changes))


def test_an_audit_is_made_once(tmp_path):
    run = open_run(base_config(), RunDir(tmp_path))
    typed_json.write(run.dir.audit("student_1"), small_audit())
    audit.audit(run, "student_1", 1, None)  # there are no pseudo-labels to audit
    assert audit.read(run.dir, "student_1") == small_audit()
    assert audit.read(run.dir, "student_2") is None


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("round", "one", r"Expected `int`, got `str` - at `\$\.round`"),
        ("kept", None, r"Expected `object`, got `null` - at `\$\.kept`"),
        ("score", {"what": "mIoU"}, r"missing required field `value` - at `\$\.score`"),
        ("warnings", ["a", 3], r"Expected `str`, got `int` - at `\$\.warnings\[1\]`"),
        ("row", ..., "missing required field `row`"),
    ],
)
def test_a_damaged_audit_names_the_file_and_the_key(key, value, complaint, tmp_path):
    run_dir = RunDir(tmp_path)
    file = run_dir.audit("student_1")
    typed_json.write(file, small_audit())
    content = json.loads(file.read_text()) | {key: value}
    if value is ...:
        del content[key]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"audits/student_1\.json is damaged \(.*{complaint}") as raised:
        audit.read(run_dir, "student_1")
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith("remove it and run the same command again")
