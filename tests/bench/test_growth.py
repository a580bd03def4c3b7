"""The cost-growth table, from processes of its own at a size that takes seconds."""

import dataclasses

import pytest

from benchmarks import growth
from udas_tf.bench.workloads import TINY
from udas_tf.data import class_file


@pytest.mark.long
@pytest.mark.parametrize("axis", ["classes", "replicas", "K"])
def test_rows_of_an_axis(axis, monkeypatch):
    sizes = growth.AXES[axis].sizes[:2]
    monkeypatch.setitem(growth.AXES, axis, dataclasses.replace(growth.AXES[axis], sizes=sizes))
    rows = growth.grow(axis, 1, dataclasses.replace(TINY, batch=4))
    assert [row["size"] for row in rows] == list(sizes)
    assert rows[0]["growth"] == rows[0]["linear"] == 1.0
    assert rows[1]["growth"] == pytest.approx(rows[1]["ms"] / rows[0]["ms"])
    assert all(row["peak_memory"] > 2**27 for row in rows)
    assert len(growth.table(rows).splitlines()) == len(rows)


def test_a_set_of_many_classes_can_be_read(tmp_path):
    assert len(class_file.class_set(growth._classes(76, tmp_path)["classes"])) == 76
