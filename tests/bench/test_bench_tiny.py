"""Every workload runs, at sizes that measure nothing."""

import json

import pytest

from udas_tf import cli
from udas_tf.bench import children, run
from udas_tf.bench.workloads import TINY, WORKLOADS


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: workload.name)
def test_ours_runs(workload, tmp_path):
    measured = children.ours(workload, TINY, tmp_path)
    assert measured.seconds and all(second > 0 for second in measured.seconds)
    assert all(amount > 0 for amount in measured.work.values())
    assert measured.peak_memory > 0


@pytest.mark.slow
@pytest.mark.long
def test_ceilings_are_those_of_a_machine():
    ceilings = children.ceilings()
    assert set(ceilings) == {"float32", "bfloat16", "bytes"}
    assert all(1e8 < rate < 1e16 for rate in ceilings.values())


def test_the_verb_prints_one_document(monkeypatch, capsys):
    row = {
        "workload": "evaluate",
        "ours": 2.0,
        "unit": "ms/map",
        "spread": 0.0,
        "floor": 1.0,
        "peak_memory_ours": 2**30,
    }
    given = []
    monkeypatch.setattr(run, "bench", lambda suite, repeats: given.append((suite, repeats)) or [row])
    assert cli.main(["bench", "--suite=evaluate", "--repeats=2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [row]
    assert cli.main(["bench"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        "evaluate",
        "2",
        "ms/map",
        "0",
        "%",
        "1",
        "1.00",
        "2.0",
        "x",
    ]
    assert given == [("evaluate", 2), (None, 3)]
