"""The order in which a run does things."""

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir
from udas_tf.runs import everything, pool, rows, training

TINY = "tests/end_to_end/tiny.py"


def run_all(path, config, keys=None):
    return everything.run_all(
        open_run(configs.override(configs.load(config), {"jobs": 1} | (keys or {})), RunDir(path))
    )


@pytest.fixture
def order(monkeypatch):
    """What a run does, as it does it."""
    done = []
    monkeypatch.setattr(everything.records, "prepare", lambda run: done.append("data"))
    monkeypatch.setattr(pool, "train", lambda run, row: done.append(row.name))
    monkeypatch.setattr(pool, "translate", lambda run: done.append("translated"))
    monkeypatch.setattr(everything, "report", lambda run: done.append("report"))
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
    run_all(tmp_path, f"configs/methods/{method}.py:{TINY}")
    assert order == ["data", *expected, "report"]


def test_a_row_of_ones_own_is_trained_in_its_turn(order, tmp_path):
    own = {"row.mine.stage": "student", "row.mine.teacher": "no_adaptation", "rows": "no_adaptation,mine,supervised"}
    run_all(tmp_path, TINY, own)
    assert order == ["data", "no_adaptation", "mine", "supervised", "report"]


@pytest.mark.parametrize("key", ["translate.weight_semantic", "translated.max_disagreement"])
def test_what_judges_translations_is_trained_though_it_is_no_row(order, tmp_path, key):
    run_all(tmp_path, TINY, {key: 1, "rows": "translation"})
    assert order == ["data", "no_adaptation", "translate", "translated", "translation", "report"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"supervised.steps": 7}, "supervised.steps=7 is not a multiple of supervised.log_every=2"),
        ({"translate.crop": "64,64"}, "translate.crop=.64, 64. is larger than data.size=.48, 96."),
        ({"rows": "student"}, "student_1 needs cutmix, which is not among the config's rows"),
    ],
)
def test_a_run_that_would_stop_on_its_way_does_not_begin(order, tmp_path, keys, message):
    with pytest.raises(UserError, match=message):
        run_all(tmp_path, TINY, keys)
    assert order == [] and not list(tmp_path.iterdir())


def test_semantic_consistency_without_its_network_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr(RunDir, "data", lambda self, name: self.path)
    (tmp_path / "manifest.json").write_text("{}")
    config = configs.override(configs.load(TINY), {"translate.weight_semantic": 1})
    with pytest.raises(UserError, match=r"the no_adaptation segmenter not found.* train --name=no_adaptation"):
        training.train(open_run(config, RunDir(tmp_path)), rows.find(config, "translate", None, None))
    assert rows.find(config, None, None, "no_adaptation").name == "no_adaptation"  # the command means that row
