"""Figures from measurements, with numbers worked out by hand."""

import json

import pytest

from udas_tf.bench import children, rows
from udas_tf.bench.measuring import Measured, timed, timed_steps
from udas_tf.bench.workloads import SUITES, WORKLOADS, Workload, selected
from udas_tf.errors import UserError

CEILINGS = {"float32": 1e9, "bfloat16": 4e9, "bytes": 2e9}
STEP = Workload("step", "step", "ms/step", "adapt")


def taken(*medians, work=None, memory=100):
    return [Measured([0.5 * median, median, 3 * median], work or {}, memory) for median in medians]


def test_a_row_of_ours():
    row = rows.ours_alone(STEP, taken(0.010, 0.012, 0.020, work={"float32": 2e6, "bytes": 1e6}), CEILINGS)
    assert row == {
        "workload": "step",
        "ours": pytest.approx(12.0),
        "unit": "ms/step",
        "spread": pytest.approx(10 / 12),
        "floor": pytest.approx(2.0),  # 2e6 operations at 1e9 a second; the bytes take half a millisecond
        "peak_memory_ours": 100,
    }


def test_the_floor_is_the_slower_of_arithmetic_and_copying():
    work = {"float32": 1e6, "bfloat16": 4e6, "bytes": 10e6}
    assert rows.ours_alone(STEP, taken(1.0, work=work), CEILINGS)["floor"] == pytest.approx(5.0)
    work["bytes"] = 1e6
    assert rows.ours_alone(STEP, taken(1.0, work=work), CEILINGS)["floor"] == pytest.approx(2.0)
    assert rows.ours_alone(STEP, taken(1.0), CEILINGS)["floor"] is None


def test_a_reference_that_takes_longer_gives_a_ratio_above_one():
    ours, reference = taken(0.010), taken(0.020, 0.030, memory=300)
    row = rows.beside(rows.ours_alone(STEP, ours, CEILINGS), "against", ours, reference)
    assert tuple(row) == rows.COLUMNS
    assert (row["workload"], row["reference"], row["ratio"]) == (
        "against",
        pytest.approx(25.0),
        pytest.approx(2.5),
    )
    assert (row["spread"], row["peak_memory_reference"]) == (pytest.approx(0.4), 300)


def test_without_a_reference_its_columns_are_null():
    ours = taken(0.010)
    row = rows.beside(rows.ours_alone(STEP, ours, CEILINGS), "step", ours, None)
    assert tuple(row) == rows.COLUMNS
    assert row["reference"] is row["ratio"] is row["peak_memory_reference"] is None
    assert json.loads(json.dumps(row, allow_nan=False)) == row


def test_ceilings_are_rows_too():
    first, _, last = rows.of_ceilings(CEILINGS)
    assert (first["workload"], first["ours"], first["unit"]) == ("machine_float32", 1.0, "GFLOP/s")
    assert (last["workload"], last["ours"], last["unit"]) == ("machine_bytes", 2.0, "GB/s")


def test_the_table_names_every_row_and_its_distance_from_the_floor():
    row = rows.ours_alone(STEP, taken(0.006, work={"float32": 2e6}), CEILINGS)
    lines = rows.table([*rows.of_ceilings(CEILINGS), row]).splitlines()
    assert len(lines) == 5 and lines[0].split()[0] == "workload"
    assert lines[-1].split()[0] == "step" and lines[-1].endswith("3.0 x")


def test_measurements_take_turns():
    order = []
    measures = {name: lambda name=name: order.append(name) or Measured([1.0], {}, 0) for name in "ab"}
    found = children.in_turn(measures, 2, "test")
    assert order == ["a", "b", "a", "b"] and [len(found[name]) for name in "ab"] == [2, 2]


def test_timed_warms_up_and_goes_on_until_its_time_is_over(monkeypatch):
    clock = iter(range(0, 1_000, 3))  # every call takes three seconds
    monkeypatch.setattr("udas_tf.bench.measuring.time.perf_counter", lambda: next(clock))
    calls = []
    assert timed(lambda: calls.append(1), units=2, least_seconds=7.0) == [1.5, 1.5, 1.5]
    assert len(calls) == 2 + 3


@pytest.mark.parametrize(("gpu", "steps"), [(False, 1), (True, 10)])
def test_losses_are_read_after_each_step_or_on_a_gpu_after_ten(gpu, steps):
    taken, read = iter(range(1_000)), []
    seconds = timed_steps(lambda: next(taken), read.append, gpu, least_seconds=0.0)
    assert len(seconds) == 2 and read == [steps * number - 1 for number in (1, 2, 3, 4)]


def test_a_failed_measurement_says_why(tmp_path):
    with pytest.raises(RuntimeError, match=r"No module named 'udas_tf.bench.tasks.nothing'"):
        children.ask("udas_tf.bench", "nothing", {}, children.FULL, tmp_path)


def test_selection():
    assert {workload.suite for workload in WORKLOADS} == set(SUITES)
    named = ["inference_bf16", "inference_fp32", "inference_bf16_frozen", "inference_fp32_frozen"]
    assert [workload.name for workload in selected("inference")] == named
    through_xla = [workload for workload in WORKLOADS if workload.options.get("xla")]
    assert selected(None) == [workload for workload in WORKLOADS if workload not in through_xla]
    assert selected("adapt_xla") + selected("cyclegan_xla") == through_xla and len(through_xla) == 4
    with pytest.raises(UserError, match="no suite"):
        selected("adapt")
