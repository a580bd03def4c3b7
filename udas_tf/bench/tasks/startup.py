"""How long a command takes until it does something: its help, its first step of training."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.tasks.commands import finish, udas
from udas_tf.bench.workloads import Scale

IMAGES = ["source.images=8", "target.images=8", "target.labelled=4", "target.val_images=4"]
# One step of the row with the most networks; its checkpoint is the first sign of it.
ONE_STEP = ["steps=1", "log_every=1", "checkpoint_every=1", "start_from="]


def measure(scale: Scale, directory: Path, what: str) -> Measured:
    seconds = {"help": _help, "first_step": _first_step}[what](scale, directory)
    return Measured(seconds, {}, peak_memory(resource.RUSAGE_CHILDREN))


def _help(scale: Scale, directory: Path) -> list[float]:
    return timed(lambda: finish(udas("--help")), 1, min(scale.seconds, 3.0))


def _first_step(scale: Scale, directory: Path) -> list[float]:
    workdir = Path(tempfile.mkdtemp(dir=directory))
    changes = [f"--config.data.{key}" for key in IMAGES] + [f"--config.uda.{key}" for key in ONE_STEP]
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
