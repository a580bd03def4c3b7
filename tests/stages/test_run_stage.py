"""The order in which a run does things."""

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir
from udas_tf.stages import jobs, train
from udas_tf.stages import run as stage

TINY = "tests/end_to_end/tiny.py"


@pytest.fixture
def order(monkeypatch):
    """What a run does, as it does it."""
    done = []
    monkeypatch.setattr(stage.data, "prepare", lambda *_: done.append("data"))
    monkeypatch.setattr(jobs, "train_row", lambda config, run_dir, row: done.append(row.name))
    monkeypatch.setattr(jobs, "train_translation", lambda *_: done.append("translate"))
    monkeypatch.setattr(jobs, "translate", lambda *_: done.append("translated"))
    monkeypatch.setattr(stage, "report", lambda *_: done.append("report"))
    return done


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("minent", ["no_adaptation", "adaptation"]),
        ("seg_uncertainty", ["no_adaptation", "adaptation", "student_1"]),
        ("cycada", ["no_adaptation", "translate", "translated", "translation", "translation_adaptation"]),
    ],
)
def test_a_system_trains_what_it_needs_and_no_more(order, tmp_path, method, expected):
    config = configs.override(configs.load(f"configs/methods/{method}.py:{TINY}"), {"jobs": "1"})
    stage.run(config, RunDir(tmp_path))
    assert order == ["data", *expected, "report"]


def test_no_training_at_a_time_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match="jobs=0; expected at least 1"):
        stage.run(configs.override(configs.load(TINY), {"jobs": "0"}), RunDir(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["weight_semantic", "max_disagreement"])
def test_what_judges_translations_is_trained_though_it_is_no_row(order, tmp_path, key):
    changes = {f"translate.{key}": "1", "rows": "translation", "student.rounds": "0", "jobs": "1"}
    stage.run(configs.override(configs.load(TINY), changes), RunDir(tmp_path))
    assert order == ["data", "no_adaptation", "translate", "translated", "translation", "report"]


def test_semantic_consistency_without_its_network_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(RunDir, "data", lambda self, name: self.path)
    (tmp_path / "manifest.json").write_text("{}")
    config = configs.override(configs.load(TINY), {"translate.weight_semantic": "1"})
    with pytest.raises(
        UserError, match="the no_adaptation segmenter not found.* train --stage=source --workdir"
    ):
        train.train_translation(config, RunDir(tmp_path))
