"""This package beside its references, measured in turn on this machine, each in processes of its own.

    .venv/bin/python benchmarks/compare.py [--suite=adapt_bf16] [--repeats=3] [--json]

Needs torch; the suite `inference` also needs onnx and onnxruntime, `augment` also keras-cv. `pip install
'udas_tf[bench]'` installs them. Prints a table, or one JSON document: a list of objects with `workload`, `ours`,
`reference`, `unit`, `ratio` (above 1 = this package is faster), `spread`, `floor`, `peak_memory_ours` and
`peak_memory_reference` in bytes. The first three objects are the machine's ceilings. Of a reference's several forms
(eager, compiled) the fastest is listed.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from udas_tf.bench import children, rows
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import SUITES, Scale, Workload, selected

# Seconds that the quickstart took before it was made faster (commit 89c6091), on two idle cores, measured in turn with
# the figures of docs/performance.md.
QUICKSTART_BEFORE = 356.0


@dataclasses.dataclass(frozen=True)
class Reference:
    """What a workload is measured against.

    Attributes:
      row: name of the row in the table.
      workload: name of the workload of this package.
      module: of benchmarks.reference.
      forms: options of the module's `measure`; the fastest form counts.
    """

    row: str
    workload: str
    module: str
    forms: tuple[dict[str, Any], ...] = ({},)


def _forms(precision: str, *modes: str, **options: Any) -> tuple[dict[str, Any], ...]:
    """The same work in several modes."""
    return tuple({"precision": precision, "mode": mode} | options for mode in modes)


REFERENCES = (
    Reference("adapt_bf16", "adapt_bf16", "adapt", _forms("bfloat16", "eager", "compiled")),
    # This package with input and augmentation, PyTorch without.
    Reference("adapt_bf16_fed", "adapt_bf16_fed", "adapt", _forms("bfloat16", "eager")),
    Reference("adapt_fp32", "adapt_fp32", "adapt", _forms("float32", "eager", "compiled")),
    Reference("inference_bf16", "inference_bf16", "infer", _forms("bfloat16", "eager")),
    Reference("inference_bf16_best", "inference_bf16", "infer", _forms("bfloat16", "folded", "compiled")),
    Reference("inference_fp32", "inference_fp32", "onnx_infer"),
    Reference("inference_bf16_frozen", "inference_bf16_frozen", "infer", _forms("bfloat16", "eager")),
    Reference("inference_fp32_frozen", "inference_fp32_frozen", "onnx_infer"),
    Reference("cyclegan", "cyclegan", "cyclegan", _forms("bfloat16", "eager", "compiled")),
    Reference("input", "input", "load", ({"resized": False},)),
    Reference("input_resized", "input", "load", ({"resized": True},)),
    Reference("augment", "augment", "augment"),
    Reference("augment_keras_cv", "augment", "keras_cv_augment"),
    Reference("pseudo_label", "pseudo_label", "label", _forms("bfloat16", "eager", "compiled")),
    Reference("adapt_720", "adapt_720", "adapt", _forms("bfloat16", "eager", enlarged=2)),
    Reference("adapt_xla", "adapt_xla", "adapt", _forms("bfloat16", "eager")),
    Reference("adapt_xla_compiled", "adapt_xla", "adapt", _forms("bfloat16", "compiled")),
    Reference("adapt_xla_fed", "adapt_xla_fed", "adapt", _forms("bfloat16", "eager")),
    Reference("adapt_720_xla", "adapt_720_xla", "adapt", _forms("bfloat16", "eager", enlarged=2)),
    Reference("cyclegan_xla", "cyclegan_xla", "cyclegan", _forms("bfloat16", "eager")),
    Reference("evaluate", "evaluate", "evaluate"),
)


def compare(suite: str | None, repeats: int, scale: Scale, quickstart_before: float) -> list[rows.Row]:
    """Measures a suite, or all workloads that are not optional, and their references.

    Args:
      suite: one of SUITES; None = all.
      repeats: processes that measure each workload and the fastest form of each reference.
      scale: sizes.
      quickstart_before: seconds that the quickstart is compared with.

    Returns:
      The rows described at the top of the module.
    """
    measured, ceilings = _machine(scale)
    for workload in selected(suite):
        with tempfile.TemporaryDirectory() as directory:
            measured += _rows(workload, repeats, scale, Path(directory), ceilings, quickstart_before)
    return measured


def _rows(
    workload: Workload,
    repeats: int,
    scale: Scale,
    directory: Path,
    ceilings: Mapping[str, float],
    quickstart_before: float,
) -> list[rows.Row]:
    """The rows of a workload, one for each of its references."""
    references = [reference for reference in REFERENCES if reference.workload == workload.name]
    measures = {"ours": partial(children.ours, workload, scale, directory)}
    forms = {}
    for reference in references:
        for number, options in enumerate(reference.forms):
            forms[f"{reference.row} {number}"] = partial(_reference, reference.module, options, scale, directory)
    # The slower forms of a reference are measured only once.
    rounds = repeats if workload.repeats else 1
    taken = children.in_turn(measures | forms, 1, workload.name)
    fastest = {
        reference.row: min(
            (name for name in forms if name.startswith(f"{reference.row} ")),
            key=lambda name: children.median(taken[name]),
        )
        for reference in references
    }
    again = {name: forms[name] for name in fastest.values()}
    for name, more in children.in_turn(measures | again, rounds - 1, workload.name).items():
        taken[name] += more
    row = rows.ours_alone(workload, taken["ours"], ceilings)
    if workload.name == "quickstart":
        before = Measured([quickstart_before], {}, 0)
        return [rows.beside(row, row["workload"], taken["ours"], [before]) | {"peak_memory_reference": None}]
    if not references:
        return [rows.beside(row, row["workload"], taken["ours"], None)]
    return [rows.beside(row, name, taken["ours"], taken[form]) for name, form in fastest.items()]


def _reference(module: str, options: Mapping[str, Any], scale: Scale, directory: Path) -> Measured:
    """One measurement of a reference."""
    return Measured(**children.ask("benchmarks.reference", module, options, scale, directory))


def _machine(scale: Scale) -> tuple[list[rows.Row], dict[str, float]]:
    """The rows of the ceilings; and the ceilings, of each the higher one of the two libraries'."""
    ours = children.ceilings()
    with tempfile.TemporaryDirectory() as directory:
        theirs = children.ask("benchmarks.reference", "machine", {}, scale, Path(directory))
    measured: list[rows.Row] = [dict.fromkeys(rows.COLUMNS) | row for row in rows.of_ceilings(ours)]
    for row, kind in zip(measured, ours, strict=True):
        if kind in theirs:
            row |= {"reference": theirs[kind] / rows.GIGA, "ratio": ours[kind] / theirs[kind]}
    return measured, ours | {kind: max(rate, ours[kind]) for kind, rate in theirs.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", choices=SUITES)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--scale", type=json.loads, default={}, help="fields of Scale to change, as JSON")
    parser.add_argument("--quickstart-reference", type=float, default=QUICKSTART_BEFORE, metavar="SECONDS")
    parsed = parser.parse_args(arguments)
    measured = compare(parsed.suite, parsed.repeats, Scale.of_json(parsed.scale), parsed.quickstart_reference)
    print(json.dumps(measured, allow_nan=False) if parsed.json else rows.table(measured))


if __name__ == "__main__":
    main()
