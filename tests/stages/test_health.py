import json

import numpy as np
import pytest

from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.run_dir import RunDir, write_json
from udas_tf.stages import health

CLASSES = ("road", "sky", "train")


def test_a_discriminator_wins_when_it_is_always_right():
    logs = {
        "D_accuracy_p": 0.99,
        "D_accuracy_a": 0.989,
        "L_D_p": 0.001,
        "L_D_source": 0.01,
        "L_D_target": 0.011,
    }
    found = health.winning(logs)
    assert set(found) == {"D_accuracy_p", "L_D_source"}
    assert (
        "0.990" in found["D_accuracy_p"] and "lower uda.discriminator_learning_rate" in found["D_accuracy_p"]
    )
    assert "lower translate.discriminator_width" in found["L_D_source"]
    assert health.winning({"L_seg_p": 0.0, "L_cyc": 0.0}) == {}


def test_each_discriminator_is_warned_of_once_also_after_a_resume(tmp_path, caplog):
    def watch():
        return health.DiscriminatorWatch(tmp_path / "training", tmp_path / "tensorboard", 25)

    first = watch()
    first.on_epoch_end(0, {"D_accuracy_p": 0.9})
    assert not (tmp_path / "training").exists() and not (tmp_path / "tensorboard").exists()
    first.on_epoch_end(1, {"D_accuracy_p": 0.999, "D_accuracy_a": 0.6})
    first.on_epoch_end(2, {"D_accuracy_p": 1.0, "D_accuracy_a": 0.6})
    watch().on_epoch_end(3, {"D_accuracy_p": 1.0, "D_accuracy_a": 1.0})
    warnings = json.loads((tmp_path / "training" / health.WARNINGS).read_text())
    assert [(warning["name"], warning["step"]) for warning in warnings] == [
        ("D_accuracy_p", 50),
        ("D_accuracy_a", 100),
    ]
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2  # an event file for each warning
    assert sum("wins outright" in record.message for record in caplog.records) == 2


def test_vanished_classes_are_told_of_once_with_the_remedy():
    before = {"round 1": np.array([0.5, 0.02, 0.0]), "the source's labels": np.array([0.5, 0.4, 0.05])}
    (warning,) = health.vanished_classes(2, np.array([0.999, 0.001, 0.0]), before, CLASSES)
    assert warning == (
        "vanishing from the pseudo-labels of round 2: sky (0.10 % of the pixels kept, 2.00 % in round 1), "
        "train (0.00 % of the pixels kept, 5.00 % in the source's labels); raise pseudo_label.class_share or "
        "student.class_balance, set student.mix_pseudo=true or lower pseudo_label.threshold"
    )
    assert health.vanished_classes(1, np.array([0.6, 0.3, 0.1]), before, CLASSES) == []


def test_shares_of_the_source_come_from_its_labels(tmp_path):
    run_dir = RunDir(tmp_path)
    np.testing.assert_array_equal(health.source_shares(run_dir, 3), np.zeros(3))
    label = np.array([[0, 0, 0, 2], [255, 255, 255, 255]], np.uint8)
    sample = records.Sample("a", np.zeros((2, 4, 3), np.uint8), label)
    records.write(
        run_dir.data("source_train"),
        "training",
        1,
        lambda _: [sample],
        shard_images=1,
        provenance={},
        label="a",
    )
    np.testing.assert_array_equal(health.source_shares(run_dir, 3), [0.75, 0.0, 0.25])


@pytest.fixture
def run_dir(tmp_path):
    return RunDir(tmp_path)


def audited(run_dir, *scores):
    for number, (what, value) in enumerate(scores, start=1):
        score = {"what": what, "value": value} if what else None
        write_json(health.audit_file(run_dir, number), {"score": score})


def config(**keys):
    return override(base_config(), {f"student.{key}": str(value) for key, value in keys.items()})


def test_the_rounds_stop_before_the_first_that_is_worse(run_dir):
    audited(run_dir, ("mIoU", 0.5), ("mIoU", 0.6), ("mIoU", 0.55), ("mIoU", 0.7))
    stopping = config(stop_rule=True)
    assert [bool(health.stop_reason(stopping, run_dir, number)) for number in (0, 1, 2, 3, 4, 5)] == [
        *(False, False, False),
        *(True, True, True),
    ]
    reason = health.stop_reason(stopping, run_dir, 3)
    assert reason == health.stop_reason(stopping, run_dir, 9)
    assert reason.startswith(
        "the rounds stop before student_3: the pseudo-labels of student_2 have a lower mIoU than"
    )
    assert "55.00 % after 60.00 %" in reason and "student.stop_rule=false" in reason
    assert health.stop_reason(config(), run_dir, 9) is None  # off by default


@pytest.mark.parametrize(
    "scores",
    [
        [("mIoU", 0.5), ("mIoU", 0.5)],
        [("mIoU", 0.5), ("agreement", 0.4)],  # other labels than before: nothing to compare
        [(None, None), ("mIoU", 0.4)],
        [("mIoU", 0.5)],
        [],
    ],
)
def test_the_rounds_go_on_otherwise(run_dir, scores):
    audited(run_dir, *scores)
    assert health.stop_reason(config(stop_rule=True), run_dir, 3) is None
