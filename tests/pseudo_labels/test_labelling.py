import dataclasses
import shutil

import finished
import numpy as np
import pytest
import tensorflow as tf
from pixel_networks import by_brightness

from udas_tf import shard_notes
from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.evaluation.metrics import Bin
from udas_tf.pseudo_labels import audit, labelling
from udas_tf.pseudo_labels.audit import ClassKept, Score, Suggestion
from udas_tf.pseudo_labels.labelling import ShardNote
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish

SIZE = (8, 8)
SOFTNESS = 50.0
ROAD, SIDEWALK = 210, 156  # stored confidences: 255 * sigmoid(77.5 / 50) and 255 * sigmoid(22.5 / 50)


def blind(images, training=False):
    """A segmenter that takes everything for dark: road, more surely than any grey of the test."""
    return by_brightness(SOFTNESS)(tf.zeros_like(images), training)


def write(run_dir, name, indices, role="training", label=None):
    """Image k has k columns of 150 among those of 50."""

    def sample(index):
        image = np.full((*SIZE, 3), 50, np.uint8)
        image[:, :index] = 150
        return Sample(f"image_{index}", image, label)

    records.write(
        run_dir.data(name),
        role,
        len(indices),
        lambda chosen: (sample(indices[i]) for i in chosen),
        shard_images=4,
        provenance={},
        label=name,
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run with a teacher that tells bright from dark, four target images and labels of two."""
    run_dir = RunDir(tmp_path)
    labels = np.zeros(SIZE, np.uint8)
    write(run_dir, "target_unlabelled", range(4))
    write(run_dir, "target_labelled", [2, 3], label=labels)
    source = labels.copy()
    source[0] = 1
    write(run_dir, "source_train", [0], label=source)
    for name in ("cutmix", "student_1"):
        finish(run_dir.training(name), finished.manifest(name))
    monkeypatch.setattr(labelling, "trained_segmenter", lambda *_: by_brightness(SOFTNESS))
    return open_run(base_config(), run_dir)


def with_keys(run, **keys):
    plain = {"pseudo_label__views": 1, "pseudo_label__threshold": 0.7, "pseudo_label__batch_size": 2}
    overrides = {key.replace("__", "."): value for key, value in {**plain, **keys}.items()}
    return run.with_config(override(base_config(), overrides))


def labelled_and_audited(run, number=1):
    """The audit of the pseudo-labels for student_1, made by cutmix, or for student_2, made by student_1."""
    teacher, before = ("cutmix", None) if number == 1 else ("student_1", "student_1")
    labelling.label(run, f"student_{number}", teacher, number)
    audit.audit(run, f"student_{number}", number, before)
    return audit.read(run.dir, f"student_{number}")


def test_the_audit_by_hand(run, caplog):
    found = labelled_and_audited(with_keys(run))
    assert (found.row, found.round, found.threshold) == ("student_1", 1, 0.7)
    # Of 32 columns 6 are bright: sidewalk, at less than 0.7 and so not kept.
    assert found.kept.coverage == 26 / 32
    assert found.kept.classes["road"] == ClassKept(pytest.approx(178 / 255), share=1.0, coverage=1.0)
    assert found.kept.classes["sidewalk"].coverage == 0.0
    # Labelled are the images with two and with three bright columns, all of which are road in truth.
    assert list(found.kept.precision) == ["labelled"]
    assert found.kept.precision["labelled"]["all"] == found.kept.precision["labelled"]["road"] == 1.0
    unsure, sure = SIDEWALK / 255, ROAD / 255
    assert found.calibration["labelled"].bins == [
        Bin(0.6, 0.7, 5 / 16, pytest.approx(unsure), accuracy=0.0),
        Bin(0.8, 0.9, 11 / 16, pytest.approx(sure), accuracy=1.0),
    ]
    error = 5 / 16 * unsure + 11 / 16 * (1 - sure)
    assert found.calibration["labelled"].expected_calibration_error == pytest.approx(error)
    assert found.suggestion == Suggestion(0.9, pytest.approx((SIDEWALK + 1) / 255), 26 / 32)
    # IoU of road 11 / 16, of sidewalk 0.
    assert found.score == Score(audit.MIOU, pytest.approx(11 / 32))
    assert found.agreement is None and found.fixed is None  # one view, one threshold
    (warning,) = found.warnings
    assert warning.startswith(
        "vanishing from the pseudo-labels of round 1: sidewalk (0.00 % of the pixels kept, "
        "12.50 % in the source's labels); raise"
    )
    assert warning in caplog.text
    assert list(run.dir.tensorboard("student_1").iterdir())


def test_records_hold_the_images_the_labels_and_where_they_come_from(run):
    labelling.label(with_keys(run), "student_1", "cutmix", 1)
    directory = run.dir.pseudo_labels("student_1")
    fields = ("id", "image", "label", "confidence")
    examples, manifest = records.read(directory, purpose="training", fields=fields)
    for index, example in enumerate(examples.as_numpy_iterator()):
        assert example["id"].decode() == f"image_{index}"
        bright = np.arange(8) < index
        np.testing.assert_array_equal(example["image"], np.broadcast_to(np.where(bright, 150, 50)[:, None], (8, 8, 3)))
        np.testing.assert_array_equal(example["label"], np.broadcast_to(bright, SIZE))
        np.testing.assert_array_equal(example["confidence"], np.broadcast_to(np.where(bright, SIDEWALK, ROAD), SIZE))
    expected = {"teacher": "cutmix", "teacher_sha256": "cutmix", "views": 1, "seed": 0, "round": 1}
    assert expected.items() <= manifest.provenance.items()
    counted = labelling.histogram(directory)
    assert (counted[0, ROAD], counted[1, SIDEWALK], counted.sum()) == (26 * 8, 6 * 8, 32 * 8)


def test_finished_pseudo_labels_stay_as_they_are(run, monkeypatch):
    labelling.label(with_keys(run), "student_1", "cutmix", 1)
    before = {file.name: file.stat().st_mtime_ns for file in run.dir.pseudo_labels("student_1").iterdir()}
    monkeypatch.setattr(labelling, "trained_segmenter", None)
    labelling.label(with_keys(run), "student_1", "cutmix", 1)
    assert {file.name: file.stat().st_mtime_ns for file in run.dir.pseudo_labels("student_1").iterdir()} == before


def test_labels_that_are_made_again_are_audited_again(run, monkeypatch):
    assert labelled_and_audited(with_keys(run)).kept.coverage == 26 / 32
    shutil.rmtree(run.dir.pseudo_labels("student_1"))
    monkeypatch.setattr(labelling, "trained_segmenter", lambda *_: blind)
    assert labelled_and_audited(with_keys(run)).kept.coverage == 1.0


def test_thresholds_of_classes_are_compared_with_the_one(run):
    found = labelled_and_audited(with_keys(run, pseudo_label__min_class_fraction=0.5))
    assert found.kept.coverage == 1.0 and found.kept.precision["labelled"]["all"] == 11 / 16
    assert found.kept.classes["sidewalk"].threshold == pytest.approx(SIDEWALK / 255)
    assert found.fixed.coverage == 26 / 32 and found.fixed.precision["labelled"]["all"] == 1.0
    assert found.warnings == []


def test_several_views_are_counted_by_pseudo_label_also_after_a_resume(run):
    three = with_keys(run, pseudo_label__views=3, data__shard_images=2)
    agreement = labelled_and_audited(three).agreement
    directory = run.dir.pseudo_labels("student_1")
    unbroken = shard_notes.read(directory, ShardNote)
    assert len(unbroken) == 2
    pixels = np.array(records.read_manifest(directory).class_pixels)
    shared = np.sum([note.shared for note in unbroken], 0)
    agreeing = np.sum([note.agreeing for note in unbroken], 0)
    assert np.all(agreeing <= shared) and np.all(shared <= pixels) and shared.sum() > 0
    assert agreement["all"] == pytest.approx(agreeing.sum() / shared.sum())
    for name in ("manifest.json", "00001-of-00002.json", "00001-of-00002.tfrecord", "note-00000002.json"):
        (directory / name).unlink()
    labelling.label(three, "student_1", "cutmix", 1)
    assert shard_notes.read(directory, ShardNote) == unbroken


def test_without_labels_the_views_judge(run):
    (run.dir.data("target_labelled") / "manifest.json").unlink()
    found = labelled_and_audited(with_keys(run, pseudo_label__views=3))
    assert found.kept.precision == found.calibration == {} and found.suggestion is None
    # The mean over the classes that the source's labels hold.
    values = [found.agreement[name] or 0.0 for name in ("road", "sidewalk")]
    assert found.score == Score(audit.AGREEMENT, pytest.approx(np.mean(values)))


def test_hidden_labels_are_shown_and_decide_nothing(run):
    before = labelled_and_audited(with_keys(run))
    write(run.dir, "target_hidden", [0, 1], role="hidden", label=np.ones(SIZE, np.uint8))
    after = audit.audited(with_keys(run), "student_1", 1, None)
    assert after.kept.precision["hidden"]["all"] == 0.0
    without_precision = [dataclasses.replace(one.kept, precision={}) for one in (before, after)]
    assert without_precision[0] == without_precision[1]
    for key in ("fixed", "agreement", "suggestion", "score", "warnings"):
        assert getattr(after, key) == getattr(before, key), key


def test_a_class_that_the_round_before_had_is_missed(run, monkeypatch):
    one_for_all = with_keys(run, pseudo_label__threshold=0.5)
    assert labelled_and_audited(one_for_all).warnings == []
    monkeypatch.setattr(labelling, "trained_segmenter", lambda *_: blind)
    (warning,) = labelled_and_audited(one_for_all, 2).warnings
    assert "round 2: sidewalk (0.00 % of the pixels kept, 18.75 % in round 1); raise" in warning


@pytest.mark.parametrize("views", [1, 3])
def test_the_last_batch_may_be_smaller(run, views):
    batches_of_three = with_keys(run, pseudo_label__batch_size=3, pseudo_label__views=views)
    labelling.label(batches_of_three, "student_1", "cutmix", 1)
    directory = run.dir.pseudo_labels("student_1")
    labelled, manifest = records.read(directory, purpose="training", fields=("id", "label"))
    assert manifest.count == 4
    assert [example["id"].numpy().decode() for example in labelled] == [f"image_{k}" for k in range(4)]


def test_a_damaged_note_or_manifest_names_the_file_and_the_key(run):
    labelling.label(with_keys(run), "student_1", "cutmix", 1)
    directory = run.dir.pseudo_labels("student_1")
    note = directory / "note-00000000.json"
    content = note.read_text()
    note.write_text(content.replace('"shared"', '"sharde"'))
    with pytest.raises(UserError, match=r"note-00000000\.json is damaged \(.*missing required field `shared`"):
        audit.audited(with_keys(run), "student_1", 1, None)
    note.write_text(content)
    (run.dir.training("cutmix") / "manifest.json").write_text('{"row": "cutmix", "stage": "uda", "round": "none"}')
    with pytest.raises(UserError, match=r"cutmix/manifest\.json is damaged \(.*at `\$\.round`"):
        labelling.label(with_keys(run), "student_2", "cutmix", 2)
