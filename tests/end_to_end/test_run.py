"""One real run of the whole method, and what a user does with it afterwards."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from command_line import TINY, command, udas
from PIL import Image

from udas_tf.data.class_sets import CITYSCAPES

pytestmark = pytest.mark.slow

ROWS = [
    "no_adaptation",
    "translation",
    "adaptation",
    "translation_adaptation",
    "cutmix",
    "student_1",
    "supervised",
]


def test_report_has_every_row_in_order(finished_run):
    rows = json.loads(udas("report", "--json", f"--workdir={finished_run}").stdout)["rows"]
    assert [row["name"] for row in rows] == ROWS
    for row in rows:
        assert set(row) == {
            "name", "stage", "round", "step", "images", "miou", "pixel_accuracy", "iou", "miou_16", "miou_13", "on",
            "learnt_from", "tta", "resolution",
        }  # fmt: skip
        assert row["images"] == 6
        assert list(row["iou"]) == list(CITYSCAPES.classes)
        present = [value for value in row["iou"].values() if value is not None]
        assert row["miou"] == pytest.approx(np.mean(present))


def test_nothing_is_left_of_the_processes(finished_run):
    assert not (finished_run / "compiled").exists()


def test_run_prints_its_table(finished_run):
    printed = (finished_run / "printed.txt").read_text()
    assert all(name in printed for name in ROWS)


def test_second_run_does_nothing_again(finished_run):
    before = {path: path.stat().st_mtime_ns for path in finished_run.glob("training/*/manifest.json")}
    udas("run", f"--config={TINY}", f"--workdir={finished_run}")
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_evaluate_gives_the_reported_score(finished_run):
    score = json.loads(udas("evaluate", "--stage=student", "--round=1", "--json", f"--workdir={finished_run}").stdout)
    reported = json.loads((finished_run / "training/student_1/metrics.json").read_text())
    assert score == reported
    assert (score["stage"], score["round"], score["step"]) == ("student", 1, 8)


def test_next_round_from_its_number_alone(finished_run, tmp_path):
    """`train --stage=student --round=2` writes round 2's pseudo-labels, trains the student and scores it."""
    workdir = shutil.copytree(finished_run, tmp_path / "run")
    udas("train", "--stage=student", "--round=2", f"--workdir={workdir}")
    manifest = json.loads((workdir / "pseudo_labels/student_2/manifest.json").read_text())
    assert manifest["provenance"]["teacher"] == "student_1"
    assert json.loads((workdir / "training/student_2/metrics.json").read_text())["round"] == 2
    rows = json.loads(udas("report", "--json", f"--workdir={workdir}").stdout)["rows"]
    assert [row["name"] for row in rows] == [*ROWS[:-1], "student_2", ROWS[-1]]


def test_training_labels_stay_within_the_budget(finished_run):
    """No set that training may open has a label of a target image beyond the first four."""
    for path in finished_run.glob("**/manifest.json"):
        manifest = json.loads(path.read_text())
        target = manifest.get("provenance", {}).get("split") == "real/train"
        if manifest.get("role") != "training" or not target or "teacher" in manifest["provenance"]:
            continue
        budget = {f"real_train_{number:06d}" for number in range(4)}
        assert set(manifest["labelled_ids"]) <= budget, path


def test_export_and_predict(finished_run, tmp_path):
    udas(
        "export",
        "--stage=student",
        "--round=1",
        f"--output={tmp_path / 'model'}",
        f"--workdir={finished_run}",
    )
    (tmp_path / "images").mkdir()
    image = np.random.default_rng(0).integers(0, 256, (50, 77, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "images/odd.png")
    udas(
        "predict",
        f"--model={tmp_path / 'model'}",
        f"--images={tmp_path / 'images'}",
        f"--output={tmp_path / 'out'}",
    )
    ids = np.asarray(Image.open(tmp_path / "out/ids/odd.png"))
    assert ids.shape == (50, 77)
    assert ids.max() < len(CITYSCAPES)


def test_tensorboard_has_losses_scores_and_pictures(finished_run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(finished_run / "tensorboard/cutmix"), size_guidance={"tensors": 0, "images": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    for name in ("L_seg_p", "L_seg_a", "L_adv_p", "L_adv_a", "L_kl", "L_D_p", "L_D_a"):
        assert f"losses/{name}" in tags
    assert {"discriminators/D_accuracy_p", "learning_rate/networks", "validation/mIoU"} <= tags
    assert {f"validation/{name}" for name in ("1_input", "2_label", "3_prediction", "4_confidence", "5_errors")} <= tags


def test_stage_out_of_order_names_the_command(finished_run, tmp_path):
    result = subprocess.run(
        command("train", "--stage=student", "--round=3", f"--workdir={tmp_path}"),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 2
    assert "bin/udas" in result.stderr and len(result.stderr.splitlines()) == 1
