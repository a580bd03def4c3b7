import numpy as np
import pytest
import tensorflow as tf

from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.run_dir import RunDir, finish, read_json
from udas_tf.stages import audit, health, networks, notes, pseudo_label, rounds, train

SIZE = (8, 8)
ROAD, SIDEWALK = 210, 156  # stored confidences: 255 * sigmoid(77.5 / 50) and 255 * sigmoid(22.5 / 50)


def brightness_classes(images, training=False):
    """A segmenter: pixels above 127.5 are sidewalk, the others road, and surer the further away."""
    bright = (tf.cast(images, tf.float32)[..., :1] - 127.5) / 50.0
    rest = tf.fill([*bright.shape[:3], 17], -1e4)
    return {"primary": tf.concat([tf.zeros_like(bright), bright, rest], -1)}


def darkness_classes(images, training=False):
    return brightness_classes(255.0 - tf.cast(images, tf.float32))


def write(run_dir, name, indices, role="training", label=None):
    """Image k has k columns of 150 among those of 50."""

    def sample(index):
        image = np.full((*SIZE, 3), 50, np.uint8)
        image[:, :index] = 150
        return records.Sample(f"image_{index}", image, label)

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
def run_dir(tmp_path, monkeypatch):
    run_dir = RunDir(tmp_path)
    labels = np.zeros(SIZE, np.uint8)
    write(run_dir, "target_unlabelled", range(4))
    write(run_dir, "target_labelled", [2, 3], label=labels)
    source = labels.copy()
    source[0] = 1
    write(run_dir, "source_train", [0], label=source)
    finish(run_dir.translated, {})
    for name in ("cutmix", "student_1"):
        finish(run_dir.training(name), {"weights_sha256": name})
    monkeypatch.setattr(networks, "trained_segmenter", lambda *_: brightness_classes)
    return run_dir


def config(**keys):
    plain = {"pseudo_label__views": 1, "pseudo_label__threshold": 0.7, "pseudo_label__batch_size": 2}
    return override(
        base_config(), {key.replace("__", "."): str(value) for key, value in {**plain, **keys}.items()}
    )


def test_the_audit_by_hand(run_dir, caplog):
    pseudo_label.pseudo_label(config(), run_dir, 1)
    found = read_json(health.audit_file(run_dir, 1))
    # Of 32 columns 6 are bright: sidewalk, at less than 0.7 and so not kept.
    assert found["coverage"] == 26 / 32
    assert found["classes"]["road"] == {"threshold": pytest.approx(178 / 255), "share": 1.0, "coverage": 1.0}
    assert found["classes"]["sidewalk"]["coverage"] == 0.0
    # Labelled are the images with two and with three bright columns, all of which are road in truth.
    assert found["precision"]["labelled"]["all"] == found["precision"]["labelled"]["road"] == 1.0
    assert list(found["precision"]) == ["labelled"]
    calibration = found["calibration"]["labelled"]
    assert [(b["share"], b["accuracy"]) for b in calibration["bins"]] == [(5 / 16, 0.0), (11 / 16, 1.0)]
    error = 5 / 16 * (SIDEWALK / 255) + 11 / 16 * (1 - ROAD / 255)
    assert calibration["expected_calibration_error"] == pytest.approx(error)
    assert found["suggestion"] == {
        "wanted_precision": 0.9,
        "threshold": pytest.approx((SIDEWALK + 1) / 255),
        "coverage": 26 / 32,
    }
    # IoU of road 11 / 16, of sidewalk 0.
    assert found["score"] == {"what": audit.MIOU, "value": pytest.approx(11 / 32)}
    assert found["agreement"] is None and found["fixed"] is None  # one view, one threshold
    assert len(found["warnings"]) == 1
    assert found["warnings"][0].startswith(
        "vanishing from the pseudo-labels of round 1: sidewalk (0.00 % of the pixels kept, "
        "12.50 % in the source's labels); raise"
    )
    assert found["warnings"][0] in caplog.text
    assert list(run_dir.tensorboard("student_1").iterdir())


def test_thresholds_of_classes_are_compared_with_the_one(run_dir):
    pseudo_label.pseudo_label(config(pseudo_label__class_share=0.5), run_dir, 1)
    found = read_json(health.audit_file(run_dir, 1))
    assert found["coverage"] == 1.0 and found["precision"]["labelled"]["all"] == 11 / 16
    assert found["classes"]["sidewalk"]["threshold"] == pytest.approx(SIDEWALK / 255)
    assert found["fixed"]["coverage"] == 26 / 32 and found["fixed"]["precision"]["labelled"]["all"] == 1.0
    assert found["warnings"] == []


def test_several_views_are_counted_by_pseudo_label_also_after_a_resume(run_dir):
    three = config(pseudo_label__views=3, data__shard_images=2)
    pseudo_label.pseudo_label(three, run_dir, 1)
    directory = run_dir.pseudo_labels(1)
    unbroken = notes.read(directory)
    assert len(unbroken) == 2
    pixels = np.array(records.read_manifest(directory)["class_pixels"])
    shared, agreeing = (np.sum([note[key] for note in unbroken], 0) for key in ("shared", "agreeing"))
    assert np.all(agreeing <= shared) and np.all(shared <= pixels) and shared.sum() > 0
    agreement = read_json(health.audit_file(run_dir, 1))["agreement"]
    assert agreement["all"] == pytest.approx(agreeing.sum() / shared.sum())
    for name in ("manifest.json", "00001-of-00002.json", "00001-of-00002.tfrecord", "note-00000002.json"):
        (directory / name).unlink()
    pseudo_label.pseudo_label(three, run_dir, 1)
    assert notes.read(directory) == unbroken


def test_without_labels_the_views_judge(run_dir):
    (run_dir.data("target_labelled") / "manifest.json").unlink()
    pseudo_label.pseudo_label(config(pseudo_label__views=3), run_dir, 1)
    found = read_json(health.audit_file(run_dir, 1))
    assert found["precision"] == found["calibration"] == {} and found["suggestion"] is None
    # The mean over the classes that the source's labels hold.
    values = [found["agreement"][name] or 0.0 for name in ("road", "sidewalk")]
    assert found["score"] == {"what": audit.AGREEMENT, "value": pytest.approx(np.mean(values))}


def test_hidden_labels_are_shown_and_decide_nothing(run_dir):
    pseudo_label.pseudo_label(config(), run_dir, 1)
    before = read_json(health.audit_file(run_dir, 1))
    write(run_dir, "target_hidden", [0, 1], role="hidden", label=np.ones(SIZE, np.uint8))
    after = pseudo_label.audit(config(), run_dir, 1)
    assert after["precision"]["hidden"]["all"] == 0.0
    for key in ("suggestion", "score", "warnings", "coverage", "classes"):
        assert after[key] == before[key]


def test_a_round_that_makes_the_labels_worse_is_the_last(run_dir, monkeypatch, caplog):
    stopping = config(student__stop_rule=True)
    pseudo_label.pseudo_label(stopping, run_dir, 1)
    monkeypatch.setattr(networks, "trained_segmenter", lambda *_: darkness_classes)
    # Its labels are made, and found worse: 5 of 16 columns are right now. No student learns from them, nor a later one.
    for number in (2, 3):
        train.train_row(stopping, run_dir, rounds.student(stopping, number))
        assert not run_dir.training(f"student_{number}").exists()
    assert read_json(health.audit_file(run_dir, 2))["score"]["value"] == pytest.approx(5 / 32)
    assert "the rounds stop before student_2" in caplog.text and "15.62 % after 34.38 %" in caplog.text
    assert not run_dir.pseudo_labels(3).exists()


def test_a_class_that_the_round_before_had_is_missed(run_dir, monkeypatch):
    one_for_all = config(pseudo_label__threshold=0.5)
    pseudo_label.pseudo_label(one_for_all, run_dir, 1)
    assert read_json(health.audit_file(run_dir, 1))["warnings"] == []
    monkeypatch.setattr(
        networks,
        "trained_segmenter",
        lambda *_: lambda images, training: brightness_classes(tf.zeros_like(images)),
    )
    pseudo_label.pseudo_label(one_for_all, run_dir, 2)
    (warning,) = read_json(health.audit_file(run_dir, 2))["warnings"]
    assert "round 2: sidewalk (0.00 % of the pixels kept, 18.75 % in round 1); raise" in warning


@pytest.mark.parametrize("views", [1, 3])
def test_the_last_batch_may_be_smaller(run_dir, views):
    batches_of_three = config(pseudo_label__batch_size=3, pseudo_label__views=views)
    pseudo_label.pseudo_label(batches_of_three, run_dir, 1)
    labelled, manifest = records.read(run_dir.pseudo_labels(1), purpose="training", fields=("id", "label"))
    assert manifest["count"] == 4
    assert [example["id"].numpy().decode() for example in labelled] == [f"image_{k}" for k in range(4)]
