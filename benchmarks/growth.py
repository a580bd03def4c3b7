"""How the cost of this package grows: time and memory against each size that a user may choose.

    .venv/bin/python benchmarks/growth.py [--axis=batch] [--repeats=3] [--json]

Each row is the median of `--repeats` processes, which take turns along the axis. `growth` is the time in multiples of
the axis's first row; `linear` is what it would be if time grew in proportion to the size. Times are for a whole step or
a whole image, not for one image of a batch or one view. The backbone is compact by default, which two cores can train;
--backbone=resnet101 is for larger machines.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from udas_tf.bench import children
from udas_tf.bench.workloads import Scale, Workload

HEADER = f"{'axis':<16}{'size':>12}{'ms':>10}{'growth':>9}{'linear':>9}{'peak GiB':>10}"
STEP = Workload("step", "growth", "ms/step", "adapt", {"precision": "float32"})
LABEL = Workload("label", "growth", "ms/image", "label", {"precision": "float32"})
LOAD = Workload("load", "growth", "ms/image", "load")
BASE = Scale(size=(128, 256), original=(256, 512), backbone="compact", width=16, batch=4, seconds=3.0)


@dataclasses.dataclass(frozen=True)
class Axis:
    """One size that grows.

    Attributes:
      workload: what is timed.
      sizes: in growing order.
      changed: (size, directory for files) -> fields of Scale.
      cost: size -> what a time that grows in proportion would be proportional to.
    """

    workload: Workload
    sizes: tuple[Any, ...]
    changed: Callable[[Any, Path], dict[str, Any]]
    cost: Callable[[Any], float] = float


def _classes(count: int, directory: Path) -> dict[str, Any]:
    """Fields of Scale for a class set of `count` classes, whose file is written into `directory`."""
    file = directory / f"classes-{count}.yaml"
    colours = ([number % 256, number // 256, 7] for number in range(count))
    lines = [f"  - {{name: class {number}, colour: {colour}}}" for number, colour in enumerate(colours)]
    file.write_text("\n".join(["name: many", "classes:", *lines, ""]))
    return {"classes": str(file)}


AXES = {
    "image pixels": Axis(
        STEP,
        ((128, 256), (184, 360), (256, 512), (360, 720)),
        lambda size, _: {"size": size},
        lambda size: size[0] * size[1],
    ),
    "batch": Axis(STEP, (1, 2, 4, 8), lambda size, _: {"batch": size}),
    "classes": Axis(STEP, (10, 19, 38, 76), _classes),
    "replicas": Axis(STEP, (1, 2, 4), lambda size, _: {"replicas": size}, lambda _: 1.0),
    "K": Axis(LABEL, (1, 2, 4, 8), lambda size, _: {"views": size}),
    "images of a set": Axis(LOAD, (32, 128, 512), lambda size, _: {"images": size}, lambda _: 1.0),
}


def grow(name: str, repeats: int, scale: Scale) -> list[dict[str, Any]]:
    """The rows of an axis: {"axis", "size", "ms", "growth", "linear", "peak_memory": bytes}."""
    axis = AXES[name]
    with tempfile.TemporaryDirectory() as directory:
        measures = {}
        for size in axis.sizes:
            own = Path(directory) / str(size).replace(" ", "")
            own.mkdir()
            grown = dataclasses.replace(scale, **axis.changed(size, own))
            measures[size] = partial(children.ours, axis.workload, grown, own)
        taken = children.in_turn(measures, repeats, name)
    first = axis.sizes[0]
    return [
        {
            "axis": name,
            "size": size,
            "ms": 1e3 * children.median(taken[size]),
            "growth": children.median(taken[size]) / children.median(taken[first]),
            "linear": axis.cost(size) / axis.cost(first),
            "peak_memory": max(one.peak_memory for one in taken[size]),
        }
        for size in axis.sizes
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in aligned columns, below HEADER."""
    lines = []
    for row in rows:
        size = "x".join(map(str, row["size"])) if isinstance(row["size"], tuple) else str(row["size"])
        lines.append(
            f"{row['axis']:<16}{size:>12}{row['ms']:>10.2f}{row['growth']:>8.2f}x{row['linear']:>8.2f}x"
            f"{row['peak_memory'] / 2**30:>10.2f}"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--axis", choices=AXES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--backbone", default=BASE.backbone)
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    scale = dataclasses.replace(BASE, backbone=parsed.backbone)
    axes = (grow(name, parsed.repeats, scale) for name in ([parsed.axis] if parsed.axis else AXES))
    if parsed.json:
        print(json.dumps([row for rows in axes for row in rows]))
        return
    print(HEADER)
    for rows in axes:
        print(table(rows), flush=True)


if __name__ == "__main__":
    main()
