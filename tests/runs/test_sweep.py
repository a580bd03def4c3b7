"""The sweep without its trainings: which runs there are, what they share, what a second start does, what is written."""

import json
import threading
from fractions import Fraction

import pytest

from udas_tf import config as configs
from udas_tf import typed_json
from udas_tf.data import records
from udas_tf.errors import UserError
from udas_tf.evaluation.scores import Scores
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.runs import pool, rows, study, sweep
from udas_tf.runs.records import prepare

ALL = Fraction(1)


def make_config(keys=None):
    of_study = {
        "data.target.images": 12,
        "row.student.rounds": 2,
        "row.adaptation.start": "no_adaptation",
        "row.translation_adaptation.start": "translation",
        "row.cutmix.start": "translation",
    }
    return configs.override(configs.base_config(), of_study | (keys or {}))


@pytest.fixture
def made(studied):
    """What is made, in order; of 12 labelled images each is worth a point."""

    def score(config, row):
        labels = 12 if config.data.target.labelled is None else config.data.target.labelled
        points = {"student_1": 1, "student_2": 2, "supervised": -10}.get(row.name, -15)
        return {"images": 5, "miou": 0.3 + (points + labels * (row.name != "no_adaptation")) / 100}

    return studied(score)


def run_sweep(workdir, labels, seeds=(1,), config=None, **options):
    config = config or make_config()
    configs.save(config, RunDir(workdir).config)
    return sweep.sweep(open_run(config, RunDir(workdir)), labels, seeds, **options)


def test_what_labels_do_not_change_is_made_once_a_seed(made, tmp_path):
    run_sweep(tmp_path, [Fraction(1, 3), ALL, 0], seeds=(1, 2))
    once = [
        "data/source_train",
        "training/translate",
        "translated",
        "training/no_adaptation",
        "training/translation",
    ]
    for path in once:
        assert [name for name in made if name.endswith(f" {path}")] == 2 * [f"labels-12 {path}"]
    for row in ("supervised", "cutmix"):
        expected = 2 * [f"labels-12 training/{row}", f"labels-4 training/{row}"]
        assert [name for name in made if name.endswith(f" training/{row}")] == expected
    students = [name for name in made if name.endswith(" training/student_2")]
    assert students == 2 * [f"labels-{count} training/student_2" for count in (12, 4, 0)]
    # Without labels the teacher mixes nothing in; with them, only the one that does is trained.
    assert [name for name in made if "translation_adaptation" in name] == 2 * [
        "labels-0 training/translation_adaptation"
    ]
    assert not any(name.endswith("training/adaptation") for name in made)


def test_each_run_is_a_run_of_its_own(made, tmp_path):
    run_sweep(tmp_path, [ALL, 4, 0], seeds=(7,))
    for name, labelled in (("labels-12", None), ("labels-4", 4), ("labels-0", 0)):
        run = RunDir(tmp_path / "seed-7" / name)
        config = configs.load(run.config)
        assert (config.seed, config.data.target.label_seed, config.data.target.labelled) == (7, 7, labelled)
        assert all(is_finished(run.training(row.name)) for row in rows.rows(config))
        assert study.last_row(config).name == "student_2"


def test_a_second_start_does_only_what_is_missing(made, tmp_path, monkeypatch):
    run_sweep(tmp_path, [4, 0])
    before = len(made)
    expected = run_sweep(tmp_path, [4, 0])
    assert len(made) == before
    # A run that was killed: what it has finished stays, and a report made on the way does not pass for the whole.
    killed = RunDir(tmp_path / "seed-1" / "labels-4")
    (killed.path / study.RESULT).unlink()
    (killed.training("student_2") / "manifest.json").unlink()
    assert run_sweep(tmp_path, [4, 0]) == expected
    assert made[before:] == ["labels-4 training/student_2"]


def test_later_budgets_and_seeds_join_in(made, tmp_path):
    run_sweep(tmp_path, [4])
    before = len(made)
    result = run_sweep(tmp_path, [4, 0], seeds=(1, 3))
    assert not any(name.startswith("labels-0 training/trans") and "adapt" not in name for name in made[before:])
    assert result["seeds"] == [1, 3] and [budget["labels"] for budget in result["budgets"]] == [0, 4]


def test_a_run_of_another_config_is_not_taken_for_finished(made, tmp_path):
    run_sweep(tmp_path, [4])
    before = len(made)
    run_sweep(tmp_path, [4], config=make_config({"row.student.rounds": 3}))
    assert made[before:] == ["labels-4 pseudo_labels/student_3", "labels-4 training/student_3"]


def test_other_runs_can_be_reused(made, tmp_path):
    run_sweep(tmp_path / "first", [4])
    before = len(made)
    run_sweep(tmp_path / "second", [4, 0], reuse=[tmp_path / "first"])
    assert not any(name.startswith("labels-4 ") for name in made[before:])
    assert (tmp_path / "second/seed-1/labels-4/training/cutmix").resolve().is_relative_to(tmp_path / "first")


def test_what_is_written(made, tmp_path):
    result = run_sweep(tmp_path, [ALL, 4, 0], seeds=(1, 2))
    directory = tmp_path / sweep.RESULTS
    assert json.loads((directory / "sweep.json").read_text()) == result
    assert {file.name for file in directory.iterdir()} == {
        "table.txt",
        "table.md",
        "table.csv",
        "sweep.json",
        "curve.png",
    }
    scores = {budget["labels"]: budget for budget in result["budgets"]}
    assert scores[4]["udas"]["mean"] == pytest.approx(0.3 + 0.06) and scores[4]["method"] == "student_2"
    assert scores[4]["supervised"]["mean"] == pytest.approx(0.3 - 0.06)
    assert scores[0]["supervised"] is None
    assert result["no_adaptation"]["mean"] == pytest.approx(0.15)
    assert result["available"] == 12
    assert result["sentence"] in (directory / "table.txt").read_text()


WITHOUT_STUDENTS = "no_adaptation,translation,adaptation,translation_adaptation,cutmix,supervised"


def test_without_students_the_adapted_network_is_the_method(made, tmp_path):
    result = run_sweep(tmp_path, [4, 0], config=make_config({"rows": WITHOUT_STUDENTS}))
    assert [budget["method"] for budget in result["budgets"]] == ["translation_adaptation", "cutmix"]


def test_the_rows_of_a_run_keep_the_order_of_the_config(made, tmp_path):
    run_sweep(tmp_path, [4, 0])
    expected = {"labels-4": "no_adaptation,translation,cutmix,student,supervised"}
    expected |= {"labels-0": "no_adaptation,translation,translation_adaptation,student,supervised"}
    for name, order in expected.items():
        assert configs.load(RunDir(tmp_path / "seed-1" / name).config).rows == tuple(order.split(","))


def test_the_last_row_may_be_ones_own(made, tmp_path):
    """It is the whole method then, and what it does not need is not trained."""
    own = {"row.mine.stage": "student", "row.mine.teacher": "adaptation"}
    config = make_config(own | {"rows": f"{WITHOUT_STUDENTS},student,mine"})
    assert [budget["method"] for budget in run_sweep(tmp_path, [4], config=config)["budgets"]] == ["mine"]
    trained = [name.rpartition("/")[2] for name in made if "training/" in name]
    assert sorted(trained) == ["adaptation", "mine", "no_adaptation", "supervised"]


def test_a_table_that_adapts_nothing_is_refused(made, tmp_path):
    with pytest.raises(UserError, match="rows=supervised adapts no network"):
        run_sweep(tmp_path, [4], config=make_config({"rows": "supervised"}))


def test_mistakes_are_told_before_anything_is_made(made, tmp_path):
    with pytest.raises(UserError, match="label budget 13"):
        run_sweep(tmp_path, [4, 13])
    with pytest.raises(UserError, match="nowhere holds no run"):
        run_sweep(tmp_path / "other", [4], reuse=[tmp_path / "nowhere"])
    assert made == []


def test_a_failed_run_is_named(tmp_path, capfd):
    """In a process of its own, which tells why on standard error."""
    configs.save(make_config({"data.target.labelled": 100}), RunDir(tmp_path).config)
    with pytest.raises(UserError, match=f"the run in {tmp_path} ended with exit code 2"):
        study.run_alone(RunDir(tmp_path))
    captured = capfd.readouterr()
    assert captured.out == "" and "udas: data.target.labelled=100, and 12 images have labels" in captured.err


def test_runs_go_side_by_side_on_their_shares_of_the_cores(tmp_path, monkeypatch):
    together, begun = threading.Barrier(2, timeout=60), []

    def score(name):
        return Scores(name=name, stage="uda", round=None, step=1, images=1, miou=0.5, pixel_accuracy=0.5, iou={})

    def run_alone(run_dir, threads, line):
        together.wait()
        begun.append((run_dir.path.name, threads, line))
        typed_json.write(run_dir.report / "report.json", study.Result([score(run_dir.path.name)]))
        together.wait()

    monkeypatch.setattr(study, "run_alone", run_alone)
    monkeypatch.setattr(study, "cores", lambda: 6)
    monkeypatch.setattr(pool, "cores", lambda: 6)
    runs = [(make_config({"jobs": 2}), RunDir(tmp_path / name)) for name in "abcd"]
    assert study.side_by_side(runs, [tmp_path]) == [[score(name)] for name in "abcd"]
    assert sorted(begun[:2]) == [("a", 3, 0), ("b", 3, 1)] and {name for name, *_ in begun[2:]} == {"c", "d"}
    assert {line for *_, line in begun[2:]} == {0, 1}


def test_budgets_are_nested(tmp_path):
    """The labelled images of a budget are among those of the next, and another seed draws others."""
    config = make_config({"data.size": "32,64", "data.source.images": 1, "data.target.val_images": 1})
    labelled = {}
    for seed in (1, 2):
        for count, run_config, _ in sweep._runs(open_run(config, RunDir(tmp_path)), seed, [3, 6, ALL]):
            run = open_run(run_config, RunDir(tmp_path / f"{seed}-{count}"))
            prepare(run)
            manifest = records.read_manifest(run.dir.data("target_labelled"))
            labelled[seed, count] = set(manifest.labelled_ids)
            assert len(labelled[seed, count]) == count
            assert records.read_manifest(run.dir.data("target_unlabelled")).count == 12
    for seed in (1, 2):
        assert labelled[seed, 3] < labelled[seed, 6] < labelled[seed, 12]
    assert labelled[1, 6] != labelled[2, 6]
