"""A killed training, started again, ends where an unbroken one ends."""

import signal
import subprocess
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import CHECKOUT, TINY, command, udas

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("stage", ["translate", "uda"])
def test_killed_stage_resumes_to_the_same_weights(tmp_path, stage):
    """CycleGAN with its pool, and adaptation with its two optimisers and discriminators."""
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    for workdir in (unbroken, killed):
        udas("data", "prepare", *flags(workdir))
    row = ("--name=adaptation",) if stage == "uda" else ()
    udas("train", f"--stage={stage}", *row, *flags(unbroken))
    name = "adaptation" if stage == "uda" else stage
    kill_after_first_checkpoint(killed / "training" / name, "train", f"--stage={stage}", *row, *flags(killed))
    assert not (killed / "training" / name / "manifest.json").exists()
    udas("train", f"--stage={stage}", *row, *flags(killed))
    (weights,) = (path.name for path in (unbroken / "training" / name).glob("*.h5"))
    expected, resumed = (read_weights(workdir / "training" / name / weights) for workdir in (unbroken, killed))
    assert expected.keys() == resumed.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(resumed[key], value, rtol=1e-5, atol=1e-6, err_msg=key)


def flags(workdir: Path) -> tuple[str, ...]:
    # Long enough that the kill always comes before the end; the stages start from random weights.
    sections = [f"--config.{s}.{key}" for s in ("uda", "translate") for key in ("steps=60", "checkpoint_every=4")]
    return (
        f"--config={TINY}",
        f"--workdir={workdir}",
        *sections,
        "--config.uda.decay_steps=60",
        "--config.row.adaptation.start=none",
    )


def kill_after_first_checkpoint(directory: Path, *arguments: str) -> None:
    process = subprocess.Popen(command(*arguments), cwd=CHECKOUT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(directory.glob("checkpoints/ckpt-*.index")):
        assert process.poll() is None and time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def read_weights(path: Path) -> dict[str, np.ndarray]:
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays
