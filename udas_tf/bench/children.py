"""Runs measurements in processes of their own, so that libraries share neither threads nor memory."""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import udas_tf
from udas_tf import progress
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import FULL, Scale, Workload
from udas_tf.processor import xla_flags

TOLD = 2_000  # characters of a failed process's standard error
Measure = Callable[[], Measured]


def ours(workload: Workload, scale: Scale, directory: Path) -> Measured:
    """One measurement of this package."""
    return Measured(**ask("udas_tf.bench", workload.task, workload.options, scale, directory))


def ceilings() -> dict[str, float]:
    """Operations a second by dtype and bytes a second, the fastest TensorFlow and numpy do here."""
    with tempfile.TemporaryDirectory() as directory:
        return ask("udas_tf.bench", "machine", {}, FULL, Path(directory))


def ask(module: str, task: str, options: Mapping, scale: Scale, directory: Path) -> dict:
    """What `python -m MODULE` prints last, as JSON, given a task in JSON.

    Raises:
      RuntimeError: it failed; with the end of what it had to say.
    """
    given = {
        "task": task,
        "options": dict(options),
        "scale": dataclasses.asdict(scale),
        "directory": str(directory),
    }
    here = str(Path(udas_tf.__file__).resolve().parents[1])
    paths = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))
    variables = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": paths,
        "XLA_FLAGS": xla_flags(),
    }
    process = subprocess.run(
        [sys.executable, "-m", module, json.dumps(given)],
        env=os.environ | variables,
        capture_output=True,
        check=False,  # what it said is told below
        text=True,
    )
    if process.returncode != 0:
        raise RuntimeError(f"measuring {task} {dict(options)} failed:\n{process.stderr[-TOLD:]}")
    return json.loads(process.stdout.splitlines()[-1])


def in_turn(measures: Mapping[str, Measure], repeats: int, label: str) -> dict[str, list[Measured]]:
    """Takes each measurement `repeats` times, one after the other in every round, so that slow times hit all alike."""
    taken = {name: [] for name in measures}
    with progress.bar(repeats * len(measures), label, "process", leave=False) as bar:
        for _ in range(repeats):
            for name, measure in measures.items():
                taken[name].append(measure())
                bar.update()
    return taken


def median(measured: Iterable[Measured]) -> float:
    """Seconds a unit: the median over the medians of the processes."""
    return statistics.median(statistics.median(one.seconds) for one in measured)
