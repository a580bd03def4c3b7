"""The table of runs that differ in their seed: mean and sample standard deviation, in per cent.

    python3 benchmarks/seeds.py runs/seed-1 runs/seed-2 runs/seed-3

Reads report/report.json of each run and prints Markdown.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path


def spread(values: list[float]) -> str:
    """Mean and deviation of fractions, in per cent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.1f} ± {100 * deviation:.1f}"


def main(workdirs: list[str]) -> None:
    runs = [json.loads((Path(run) / "report/report.json").read_text())["rows"] for run in workdirs]
    print(f"| row | {' | '.join(Path(run).name for run in workdirs)} | mIoU | pixel accuracy |")
    print("|---" * (len(workdirs) + 3) + "|")
    for rows in zip(*runs, strict=True):
        (name,) = {row["name"] for row in rows}
        scores = " | ".join(f"{100 * row['miou']:.1f}" for row in rows)
        mean = spread([row["miou"] for row in rows])
        accuracy = spread([row["pixel_accuracy"] for row in rows])
        print(f"| {name} | {scores} | **{mean}** | {accuracy} |")


if __name__ == "__main__":
    main(sys.argv[1:])
