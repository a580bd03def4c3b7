"""benchmarks/compare.py: every reference runs at sizes that measure nothing, and what its document holds."""

import importlib.util
import sys
from pathlib import Path

import pytest

from udas_tf.bench import children, rows
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import TINY, WORKLOADS

# PyTorch is not loaded here: the references are processes of their own.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs PyTorch")

CHECKOUT = Path(__file__).parents[2]
NEEDS = {"onnx_infer": ("onnx", "onnxruntime"), "keras_cv_augment": ("keras_cv",)}


@pytest.fixture(scope="module")
def compare():
    specification = importlib.util.spec_from_file_location("compare", CHECKOUT / "benchmarks/compare.py")
    module = importlib.util.module_from_spec(specification)
    sys.modules["compare"] = module
    specification.loader.exec_module(module)
    return module


def test_every_reference_is_of_a_workload(compare):
    assert {reference.workload for reference in compare.REFERENCES} <= {workload.name for workload in WORKLOADS}


def test_the_fastest_form_is_repeated_and_shown(compare, monkeypatch, tmp_path):
    seconds = {"eager": [3.0, 5.0], "compiled": [9.0]}
    monkeypatch.setattr(children, "ours", lambda *_: Measured([1.0], {}, 7))
    monkeypatch.setattr(
        compare, "_reference", lambda module, options, *_: Measured([seconds[options["mode"]].pop(0)], {}, 8)
    )
    ceilings = {"float32": 1.0, "bfloat16": 1.0, "bytes": 1.0}
    [row] = compare._rows(WORKLOADS[0], 2, TINY, tmp_path, ceilings, 0.0)
    assert tuple(row) == rows.COLUMNS
    assert (row["ours"], row["reference"], row["ratio"]) == (1000.0, 4000.0, 4.0)
    assert (row["peak_memory_ours"], row["peak_memory_reference"]) == (7, 8)
    assert seconds == {"eager": [], "compiled": []}


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    "module, mode",
    [
        ("adapt", "eager"),
        ("infer", "eager"),
        ("infer", "folded"),
        ("onnx_infer", None),
        ("cyclegan", "eager"),
        ("load", None),
        ("augment", None),
        ("keras_cv_augment", None),
        ("label", "eager"),
        ("evaluate", None),
    ],
)
def test_references_run(compare, module, mode, tmp_path):
    for needed in NEEDS.get(module, ()):
        pytest.importorskip(needed)
    forms = [form for one in compare.REFERENCES if one.module == module for form in one.forms]
    options = next(form for form in forms if form.get("mode") == mode)
    measured = compare._reference(module, options, TINY, tmp_path)
    assert all(second > 0 for second in measured.seconds) and measured.peak_memory > 0
    assert measured.work == {}
