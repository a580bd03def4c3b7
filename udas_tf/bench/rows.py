"""Rows of figures: medians, spreads, floors and ratios, as dictionaries for JSON and as a table."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from udas_tf.bench.children import median
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import Workload

SECONDS_IN = {"s": 1.0, "ms": 1e-3}
CEILINGS = {
    "float32": "product of matrices, float32",
    "bfloat16": "the same, bfloat16",
    "bytes": "copying memory",
}
GIGA = 1e9
# Keys of a row of benchmarks/compare.py. A row of `udas bench` has those about this package.
COLUMNS = (
    "workload", "ours", "reference", "unit", "ratio", "spread", "floor", "peak_memory_ours", "peak_memory_reference",
)  # fmt: skip

Row = dict[str, Any]


def ours_alone(workload: Workload, taken: Sequence[Measured], ceilings: Mapping[str, float]) -> Row:
    """A row of `udas bench --json`.

    Returns:
      {"workload", "ours", "unit", "spread", "floor", "peak_memory_ours"}. `ours` and `floor` are in `unit`. `floor` is
      the least time that the work can take at the machine's ceilings; None where there is no such bound. `spread` is
      (longest - shortest) / median over the processes. `peak_memory_ours` is in bytes.
    """
    second = SECONDS_IN[workload.unit.partition("/")[0]]
    floor = _floor_seconds(taken[0].work, ceilings)
    return {
        "workload": workload.name,
        "ours": median(taken) / second,
        "unit": workload.unit,
        "spread": _spread(taken),
        "floor": None if floor is None else floor / second,
        "peak_memory_ours": max(one.peak_memory for one in taken),
    }


def beside(row: Row, name: str, ours: Sequence[Measured], reference: Sequence[Measured] | None) -> Row:
    """A row of `ours_alone` under another name, with the figures of a reference; None where there is no reference.

    `ratio` is above 1 where this package takes less time. `spread` is the larger one of the two.
    """
    added: Row = {"workload": name}
    if reference is not None:
        second = SECONDS_IN[row["unit"].partition("/")[0]]
        added |= {
            "reference": median(reference) / second,
            "ratio": median(reference) / median(ours),
            "spread": max(row["spread"], _spread(reference)),
            "peak_memory_reference": max(one.peak_memory for one in reference),
        }
    return dict.fromkeys(COLUMNS) | row | added


def of_ceilings(ceilings: Mapping[str, float]) -> list[Row]:
    """The machine's ceilings as rows `machine_float32`, `machine_bfloat16` and `machine_bytes`. They are rates."""
    return [
        {
            "workload": f"machine_{kind}",
            "ours": ceilings[kind] / GIGA,
            "unit": "GB/s" if kind == "bytes" else "GFLOP/s",
            "spread": 0.0,
            "floor": None,
            "peak_memory_ours": None,
        }
        for kind in CEILINGS
    ]


def table(rows: Sequence[Row]) -> str:
    """The rows in aligned columns. The last column is `ours` in multiples of the floor."""
    titles = {key: key.replace("peak_memory", "peak GiB").replace("_", " ") for key in rows[0]}
    lines = [[*titles.values(), "of floor"]]
    for row in rows:
        distance = f"{row['ours'] / row['floor']:.1f} x" if row["floor"] else "-"
        lines.append([*(_cell(key, value) for key, value in row.items()), distance])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([first.strip().ljust(widths[0]), *others])


def _cell(key: str, value: Any) -> str:
    if value is None:
        return "-"
    if key.startswith("peak_memory"):
        return f"{value / 2**30:.2f}"
    if key == "spread":
        return f"{100 * value:.0f} %"
    return value if isinstance(value, str) else f"{value:.4g}"


def _spread(taken: Sequence[Measured]) -> float:
    medians = [statistics.median(one.seconds) for one in taken]
    return (max(medians) - min(medians)) / median(taken)


def _floor_seconds(work: Mapping[str, float], ceilings: Mapping[str, float]) -> float | None:
    """The least seconds that the work takes: arithmetic and copying overlap, products of different dtypes do not."""
    if not work:
        return None
    arithmetic = sum(amount / ceilings[kind] for kind, amount in work.items() if kind != "bytes")
    return max(arithmetic, work.get("bytes", 0.0) / ceilings["bytes"])
