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
from typing import Any

import udas_tf
from udas_tf import progress
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import FULL, Scale, Workload
from udas_tf.devices import xla_flags

SHOWN_ERRORS = 2_000  # characters from the end of a failed process's standard error
Measure = Callable[[], Measured]


def ours(workload: Workload, scale: Scale, directory: Path) -> Measured:
    """One measurement of this package."""
    return Measured(**ask("udas_tf.bench", workload.task, workload.options, scale, directory))


def ceilings() -> dict[str, float]:
    """What TensorFlow and numpy reach on this machine: operations a second by dtype, and "bytes" a second."""
    with tempfile.TemporaryDirectory() as directory:
        return ask("udas_tf.bench", "machine", {}, FULL, Path(directory))


def ask(module: str, task: str, options: Mapping[str, Any], scale: Scale, directory: Path) -> dict[str, Any]:
    """Runs `python -m MODULE` on a request in JSON. Returns the last line that it prints, parsed as JSON.

    Args:
      module: such as "udas_tf.bench".
      task: module with the `measure` to run.
      options: its further arguments.
      scale: sizes.
      directory: for its files.

    Raises:
      RuntimeError: the process failed; with the end of its standard error.
    """
    request = {
        "task": task,
        "options": dict(options),
        "scale": dataclasses.asdict(scale),
        "directory": str(directory),
    }
    process = subprocess.run(
        [sys.executable, "-m", module, json.dumps(request)],
        env=os.environ | _variables(),
        capture_output=True,
        check=False,
        text=True,
    )
    if process.returncode != 0:
        raise RuntimeError(f"measuring {task} {dict(options)} failed:\n{process.stderr[-SHOWN_ERRORS:]}")
    return json.loads(process.stdout.splitlines()[-1])


def _variables() -> dict[str, str]:
    """Variables of the environment: this package can be imported, and TensorFlow is set up as for a command."""
    checkout = str(Path(udas_tf.__file__).resolve().parents[1])
    return {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "KERAS_BACKEND": "tensorflow",
        "PYTHONPATH": os.pathsep.join(filter(None, (checkout, os.environ.get("PYTHONPATH")))),
        "XLA_FLAGS": xla_flags(),
    }


def in_turn(measures: Mapping[str, Measure], repeats: int, label: str) -> dict[str, list[Measured]]:
    """Takes each measurement `repeats` times, one after the other in every round, so that slow times hit all alike."""
    taken: dict[str, list[Measured]] = {name: [] for name in measures}
    with progress.bar(repeats * len(measures), label, "process", leave=False) as bar:
        for _ in range(repeats):
            for name, measure in measures.items():
                taken[name].append(measure())
                bar.update()
    return taken


def median(measured: Iterable[Measured]) -> float:
    """Seconds for a unit of the work: the median over the medians of the processes."""
    return statistics.median(statistics.median(one.seconds) for one in measured)
