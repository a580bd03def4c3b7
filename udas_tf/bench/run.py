"""Measures this package alone: `udas bench`."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from udas_tf.bench import children, rows
from udas_tf.bench.workloads import FULL, Scale, selected


def bench(suite: str | None, repeats: int, scale: Scale = FULL) -> list[rows.Row]:
    """Measures the workloads of a suite, or all that are not optional.

    Args:
      suite: one of workloads.SUITES; None = all.
      repeats: processes that measure each workload.
      scale: sizes.

    Returns:
      Rows of the machine's ceilings, then a row for each workload: `rows.of_ceilings`, `rows.ours_alone`.
    """
    workloads = selected(suite)
    ceilings = children.ceilings()
    measured = rows.of_ceilings(ceilings)
    for workload in workloads:
        with tempfile.TemporaryDirectory() as directory:
            measure = partial(children.ours, workload, scale, Path(directory))
            rounds = repeats if workload.repeats else 1
            taken = children.in_turn({"ours": measure}, rounds, workload.name)["ours"]
        measured.append(rows.ours_alone(workload, taken, ceilings))
    return measured
