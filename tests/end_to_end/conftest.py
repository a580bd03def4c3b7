"""The finished run that the end-to-end tests share."""

from pathlib import Path

import pytest
from command_line import TINY, udas


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory) -> Path:
    """The directory of a finished `udas run`."""
    workdir = tmp_path_factory.mktemp("end_to_end") / "run"
    result = udas("run", f"--config={TINY}", f"--workdir={workdir}")
    (workdir / "printed.txt").write_text(result.stdout)
    return workdir
