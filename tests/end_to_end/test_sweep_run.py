"""A real sweep: killed, started again, looked at."""

import json
import signal
import subprocess
import time

import pytest
from command_line import CHECKOUT, TINY, command, udas

pytestmark = [pytest.mark.slow, pytest.mark.long]

QUICKER = {
    "row.translation_adaptation.start": "none",
    "row.cutmix.start": "none",
    "uda.augment_mixed": "flip",
    "student.augment_mixed": "flip",
    "student.augment_pseudo": "flip",
    "supervised.augment": "flip",
    "student.weight_consistency": "0",
    "pseudo_label.views": "1",
    "model.auxiliary": "false",
    "model.compact.blocks": "1,1,1,1",
}


def test_a_killed_sweep_goes_on_and_says_what_labels_buy(tmp_path):
    flags = ["sweep", f"--config={TINY}", f"--workdir={tmp_path}", "--labels=1/3,0", "--seeds=2", "--json"]
    flags += [f"--config.{key}={value}" for key, value in QUICKER.items()]
    first, second = (tmp_path / "seed-2" / name for name in ("labels-4", "labels-0"))
    kill_when_finished(first / "training" / "no_adaptation", *flags)
    weights = first / "training" / "no_adaptation" / "segmenter.weights.h5"
    before = weights.stat().st_mtime_ns
    assert any((first / "compiled").iterdir())  # the trainings beside each other share what XLA compiles
    result = json.loads(udas(*flags).stdout)

    assert weights.stat().st_mtime_ns == before
    assert [(budget["labels"], budget["method"]) for budget in result["budgets"]] == [
        (0, "student_1"),
        (4, "student_1"),
    ]
    assert result["sentence"].startswith("From 0 to 4 labelled images UDAS ")
    for name in ("training/translate", "translated", "training/no_adaptation", "data/source_train"):
        assert (second / name).resolve() == (first / name).resolve()
    for run in (first, second):
        assert not (run / "compiled").exists()
        rows = {row["name"]: row for row in json.loads((run / "report/report.json").read_text())["rows"]}
        assert rows["student_1"]["miou"] in [budget["udas"]["mean"] for budget in result["budgets"]]
    manifest = json.loads((first / "data/target_labelled/manifest.json").read_text())
    assert len(manifest["labelled_ids"]) == 4
    assert not (second / "data/target_labelled").exists()
    assert (tmp_path / "sweep" / "curve.png").is_file()

    # The network that saw the target alone, on another set.
    command_line = ("evaluate", "--stage=supervised", "--on=translated", "--json", f"--workdir={first}")
    score = json.loads(udas(*command_line).stdout)
    assert (score["on"], score["learnt_from"], score["images"]) == ("translated", False, 16)
    told = udas("evaluate", "--stage=source", "--on=source", f"--workdir={first}").stdout
    assert "16 training images of the source; the row was TRAINED on these scenes and their labels" in told


def kill_when_finished(directory, *arguments):
    """Runs the command until a directory is finished, and kills it then."""
    process = subprocess.Popen(command(*arguments), cwd=CHECKOUT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    while not (directory / "manifest.json").is_file():
        assert process.poll() is None and time.monotonic() < deadline, f"{directory} was not finished"
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
