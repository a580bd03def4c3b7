"""Rows of figures: medians, spreads, floors, ratios; as a table and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

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
# Of an object of benchmarks/compare.py; those of `udas bench` have the ones about this package.
COLUMNS = (
    "workload", "ours", "reference", "unit", "ratio", "spread", "floor", "peak_memory_ours", "peak_memory_reference",
)  # fmt: skip


def ours_alone(workload: Workload, taken: Sequence[Measured], ceilings: Mapping[str, float]) -> dict:
    """One object of `udas bench --json`.

    `ours` and `floor` are in `unit`; `floor` is the least time that the arithmetic and the bytes of the work can take
    at the machine's ceilings, None where there is no such bound. `spread` is (longest - shortest) / median over the
    processes, `peak_memory_ours` in bytes.
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


def beside(row: Mapping, name: str, ours: Sequence[Measured], reference: Sequence[Measured] | None) -> dict:
    """A row of `ours_alone`, under `name`, with a reference beside it; nulls where there is none.

    `ratio` is above 1 where ours takes less time; `spread` is the larger of the two.
    """
    added = {"workload": name}
    if reference is not None:
        second = SECONDS_IN[row["unit"].partition("/")[0]]
        added |= {
            "reference": median(reference) / second,
            "ratio": median(reference) / median(ours),
            "spread": max(row["spread"], _spread(reference)),
            "peak_memory_reference": max(one.peak_memory for one in reference),
        }
    return dict.fromkeys(COLUMNS) | row | added


def of_ceilings(ceilings: Mapping[str, float]) -> list[dict]:
    """The machine's ceilings as rows `machine_float32`, `machine_bfloat16` and `machine_bytes`; these are rates."""
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


def table(rows: Sequence[Mapping]) -> str:
    """The rows in aligned columns; the last column says how many times the floor ours takes."""
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


def _cell(key: str, value) -> str:
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
    """Arithmetic and copying can go on at the same time; products of different dtypes cannot."""
    if not work:
        return None
    arithmetic = sum(amount / ceilings[kind] for kind, amount in work.items() if kind != "bytes")
    return max(arithmetic, work.get("bytes", 0.0) / ceilings["bytes"])
