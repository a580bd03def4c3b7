"""Start of a command: the time until it has printed its help, or has trained one step."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.tasks.commands import finish, udas
from udas_tf.bench.workloads import Scale

IMAGES = ["source.images=8", "target.images=8", "target.labelled=4", "target.val_images=4"]
ONE_STEP = ["uda.steps=1", "uda.log_every=1", "uda.checkpoint_every=1", "row.adaptation.start=none"]


def measure(scale: Scale, directory: Path, what: str) -> Measured:
    """Seconds for `what`: "help" or "first_step"."""
    seconds = {"help": _help, "first_step": _first_step}[what](scale, directory)
    return Measured(seconds, {}, peak_memory(resource.RUSAGE_CHILDREN))


def _help(scale: Scale, directory: Path) -> list[float]:
    return timed(lambda: finish(udas("--help")), 1, min(scale.seconds, 3.0))


def _first_step(scale: Scale, directory: Path) -> list[float]:
    """Seconds from the command to the checkpoint of its first step, in the training with the most networks."""
    workdir = Path(tempfile.mkdtemp(dir=directory))
    changes = [f"--config.data.{key}" for key in IMAGES] + [f"--config.{key}" for key in ONE_STEP]
    common = (f"--workdir={workdir}", "--config=configs/quickstart.py", *changes)
    finish(udas("data", "prepare", *common))
    checkpoints = workdir / "training" / "adaptation" / "checkpoints"
    start = time.perf_counter()
    process = udas("train", "--stage=uda", "--name=adaptation", *common)
    while process.poll() is None and not list(checkpoints.glob("ckpt-*.index")):
        time.sleep(0.01)
    seconds = time.perf_counter() - start
    finish(process)
    return [seconds]
