"""`udas bench`: the figures of this package alone."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from udas_tf.bench import children, rows
from udas_tf.bench.workloads import FULL, Scale, selected


def bench(suite: str | None, repeats: int, scale: Scale = FULL) -> list[dict]:
    """Measures the workloads of a suite, or all of them.

    Args:
      suite: one of workloads.SUITES; None for all.
      repeats: processes that measure each workload.
      scale: sizes.

    Returns:
      The machine's ceilings and the workloads, as `rows.ours_alone` has them.
    """
    workloads = selected(suite)
    ceilings = children.ceilings()
    found = rows.of_ceilings(ceilings)
    for workload in workloads:
        with tempfile.TemporaryDirectory() as directory:
            measure = partial(children.ours, workload, scale, Path(directory))
            rounds = repeats if workload.repeats else 1
            taken = children.in_turn({"ours": measure}, rounds, workload.name)["ours"]
        found.append(rows.ours_alone(workload, taken, ceilings))
    return found
