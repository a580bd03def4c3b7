"""What a training runs on, and what it refuses before it begins."""

import pytest

from udas_tf import cli
from udas_tf.stages import fit

TINY = "tests/end_to_end/tiny.py"


@pytest.mark.parametrize(
    ("batch_size", "devices", "used"), [(1, 2, 1), (2, 2, 2), (2, 8, 2), (6, 4, 3), (7, 4, 1), (8, 1, 1)]
)
def test_as_many_devices_as_share_a_batch_evenly(batch_size, devices, used):
    assert fit._sharing(batch_size, devices) == used


def test_a_run_that_would_stop_on_its_way_does_not_begin(tmp_path, capsys):
    workdir = tmp_path / "run"
    arguments = ["run", f"--config={TINY}", f"--workdir={workdir}", "--config.replicas=2"]
    assert cli.main(arguments) == 2
    assert "translate.batch_size=1 cannot be shared evenly by replicas=2" in capsys.readouterr().err
    assert [path.name for path in workdir.iterdir()] == ["config.json"]
