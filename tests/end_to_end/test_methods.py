"""Real runs of the systems that UDAS is compared with."""

import json

import pytest
from command_line import TINY, udas

pytestmark = [pytest.mark.slow, pytest.mark.long]


@pytest.mark.parametrize(
    ("method", "rows"),
    [
        ("adaptsegnet_single", ["no_adaptation", "adaptation"]),
        ("advent", ["no_adaptation", "adaptation"]),
        ("minent", ["no_adaptation", "adaptation"]),
        ("seg_uncertainty", ["no_adaptation", "adaptation", "student_1"]),
        ("cycada", ["no_adaptation", "translation", "translation_adaptation"]),
    ],
)
def test_run(tmp_path, method, rows):
    """Each trains its rows and opens no label of the target's training images."""
    workdir = tmp_path / "run"
    udas("run", f"--config=configs/methods/{method}.py:{TINY}", f"--workdir={workdir}")
    report = json.loads(udas("report", "--json", f"--workdir={workdir}").stdout)
    assert [row["name"] for row in report["rows"]] == rows
    for path in workdir.glob("**/manifest.json"):
        manifest = json.loads(path.read_text())
        target = manifest.get("provenance", {}).get("split") == "real/train"
        if manifest.get("role") == "training" and target and "teacher" not in manifest["provenance"]:
            assert not manifest["labelled_ids"], path
