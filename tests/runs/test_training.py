import finished
import numpy as np
import pytest
from pixel_networks import by_brightness

from udas_tf import typed_json
from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.evaluation.evaluate import scores_path
from udas_tf.pseudo_labels import audit, labelling
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import rows, training

SIZE = (8, 8)
KEYS = {
    "pseudo_label.views": 1,
    "pseudo_label.threshold": 0.7,
    "pseudo_label.batch_size": 2,
    "student.stop_rule": True,
}


def write(run_dir, name, indices, label=None):
    """Image k has k columns of 150 among those of 50."""

    def sample(index):
        image = np.full((*SIZE, 3), 50, np.uint8)
        image[:, :index] = 150
        return Sample(f"image_{index}", image, label)

    records.write(
        run_dir.data(name),
        "training",
        len(indices),
        lambda chosen: (sample(indices[i]) for i in chosen),
        shard_images=4,
        provenance={},
        label=name,
    )


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run whose teachers tell bright from dark. Two of four target images are labelled: all of them is road."""
    run_dir = RunDir(tmp_path)
    write(run_dir, "target_unlabelled", range(4))
    write(run_dir, "target_labelled", [2, 3], label=np.zeros(SIZE, np.uint8))
    for name in ("cutmix", "student_1"):
        finish(run_dir.training(name), finished.manifest(name))
    monkeypatch.setattr(labelling, "trained_segmenter", lambda *_: by_brightness(50.0))
    return open_run(override(base_config(), KEYS), run_dir)


def student(run, number):
    return rows.find(run.config, "student", number, None)


def test_a_round_that_makes_the_labels_worse_is_the_last(run, monkeypatch, caplog):
    training.label(run, student(run, 1))
    bright = by_brightness(50.0)
    monkeypatch.setattr(
        labelling, "trained_segmenter", lambda *_: lambda images, training=False: bright(255 - images, training)
    )
    # Its labels are made, and found worse: 5 of 16 columns are right now. No student learns from them, nor a later one.
    for number in (2, 3):
        training.train(run, student(run, number))
        assert not run.dir.training(f"student_{number}").exists()
    assert audit.read(run.dir, "student_2").score.value == pytest.approx(5 / 32)
    assert "the rounds stop before student_2" in caplog.text and "15.62 % after 34.38 %" in caplog.text
    assert not run.dir.pseudo_labels("student_3").exists()


def test_without_the_stop_rule_no_round_ends_the_others(run):
    training.label(run, student(run, 1))
    rule_off = run.with_config(override(run.config, {"student.stop_rule": False}))
    assert training.stop_reason(rule_off, student(run, 3), 3) is None


def test_audits_that_are_missing_are_made_for_all_rounds_before(run):
    training.label(run, student(run, 1))
    before = run.dir.audit("student_1").read_text()
    run.dir.audit("student_1").unlink()
    training.audit_rounds(run, student(run, 2))
    assert run.dir.audit("student_1").read_text() == before
    assert not run.dir.audit("student_2").exists()


def test_a_row_without_a_teacher_has_no_pseudo_labels(run):
    with pytest.raises(UserError, match="cutmix learns from no pseudo-labels"):
        training.label(run, rows.find(run.config, "uda", None, None))


def test_a_missing_teacher_names_its_command(run):
    with pytest.raises(
        UserError, match=r"the teacher of student_3 not found .*bin/udas train --stage=student --round=2"
    ):
        training.label(run, student(run, 3))


def test_a_row_that_is_trained_again_loses_the_scores_of_the_old_network(run, monkeypatch):
    file = scores_path(run.dir, "supervised", "target", "flip", "training")
    typed_json.write(file, finished.scores("supervised"))
    finish(run.dir.training("supervised"), finished.manifest("supervised", "supervised"))
    row = rows.find(run.config, "supervised", None, None)
    training.train(run, row)
    assert file.is_file()
    (run.dir.training("supervised") / "manifest.json").unlink()
    monkeypatch.setattr(training, "_train", lambda *_: None)
    training.train(run, row)
    assert not file.exists()
