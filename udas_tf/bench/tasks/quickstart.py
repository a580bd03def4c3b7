"""The whole quickstart, from the command to the report."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from udas_tf.bench.measuring import Measured, watching_memory
from udas_tf.bench.tasks.commands import finish, udas
from udas_tf.bench.workloads import TINY, Scale

FEW_STEPS = [
    f"--config.{section}.{key}"
    for section in ("source", "supervised", "uda", "student", "translate")
    for key in ("steps=2", "log_every=2", "checkpoint_every=2")
]
FEW_IMAGES = [f"--config.data.{key}=6" for key in ("source.images", "target.images", "target.val_images")]
TINY_RUN = [*FEW_STEPS, *FEW_IMAGES, "--config.data.target.labelled=4", "--config.row.student.rounds=1"]


def measure(scale: Scale, directory: Path) -> Measured:
    """Seconds for the run, and the most memory that all of its processes held at once."""
    changes = TINY_RUN if scale == TINY else []
    workdir = tempfile.mkdtemp(dir=directory)
    start = time.perf_counter()
    run = udas("run", "--config=configs/quickstart.py", f"--workdir={workdir}", *changes)
    with watching_memory(run.pid) as samples:
        finish(run)
    return Measured([time.perf_counter() - start], {}, max(samples))
