import pytest

from udas_tf import config as configs
from udas_tf.config import base_config, override
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish, read_json, write_json
from udas_tf.stages import rounds, score_card
from udas_tf.stages.evaluate import metrics_path

ROWS = [rounds.Row("no_adaptation", "source"), rounds.Row("adaptation", "uda")]


def trained(run_dir, name, miou, on_the_way=(), **others):
    directory = run_dir.training(name)
    write_json(directory / "metrics.json", {"step": 300, "miou": miou, "pixel_accuracy": 0.5})
    if on_the_way:
        scores = [{"step": step, "miou": value, "pixel_accuracy": 0.5} for step, value in on_the_way]
        write_json(directory / score_card.SCORES, scores)
    for file, value in others.items():
        write_json(directory / f"{file}.json", {"miou": value})
    finish(directory, {})


def saved(tmp_path, name, **keys):
    run_dir = RunDir(tmp_path / name)
    config = override(base_config(), {key.replace("__", "."): str(value) for key, value in keys.items()})
    configs.save(config, run_dir.config)
    return run_dir


def test_each_score_by_its_name(tmp_path):
    run = RunDir(tmp_path)
    trained(run, "no_adaptation", 0.25, [(100, 0.2), (200, 0.3)], metrics_flip=0.27, metrics_on_source=0.9)
    trained(
        run, "adaptation", 0.35, metrics_multi_scale=0.36, metrics_full_size=0.33, metrics_flip_full_size=0.34
    )
    card = score_card.card(run, ROWS)
    assert card == [
        {
            "name": "no_adaptation",
            "last": 0.25,
            "step": 300,
            "best": {"step": 200, "miou": 0.3},
            "views": {"flip": 0.27},
            "seeds": None,
        },
        {
            "name": "adaptation",
            "last": 0.35,
            "step": 300,
            "best": None,
            "views": {"multi-scale": 0.36, "plain, full resolution": 0.33, "flip, full resolution": 0.34},
            "seeds": None,
        },
    ]


def test_the_last_checkpoint_may_be_the_best(tmp_path):
    run = RunDir(tmp_path)
    trained(run, "no_adaptation", 0.35, [(100, 0.2), (200, 0.3)])
    assert score_card.card(run, ROWS[:1])[0]["best"] == {"step": 300, "miou": 0.35}


def test_the_mean_over_seeds_counts_the_runs_that_have_the_row(tmp_path):
    runs = [saved(tmp_path, str(seed), seed=seed, data__target__label_seed=seed) for seed in range(3)]
    for run, miou in zip(runs, (0.2, 0.3, 0.4), strict=True):
        trained(run, "no_adaptation", miou)
    trained(runs[0], "adaptation", 0.5)
    config = configs.load(runs[0].config)
    others = score_card.same_but_for_the_seed(config, runs[0], [str(run.path) for run in runs])
    assert [other.path for other in others] == [runs[1].path, runs[2].path]  # itself is one of them
    card = score_card.card(runs[0], ROWS, others)
    assert card[0]["seeds"] == {"runs": 3, "mean": pytest.approx(0.3), "deviation": pytest.approx(0.1)}
    assert card[1]["seeds"] == {"runs": 1, "mean": 0.5, "deviation": 0.0}
    assert card[0]["last"] == 0.2


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"seed": 1, "uda__steps": 100}, "differs in more than its seed: uda.steps: 100 in the run"),
        ({"seed": 0}, "has the seed of"),
    ],
)
def test_runs_that_are_no_other_seed_are_refused(tmp_path, keys, message):
    run, other = saved(tmp_path, "mine"), saved(tmp_path, "other", **keys)
    with pytest.raises(UserError, match=message):
        score_card.same_but_for_the_seed(configs.load(run.config), run, [str(other.path)])


def test_a_directory_without_a_run_is_named(tmp_path):
    with pytest.raises(UserError, match="nowhere holds no run"):
        score_card.same_but_for_the_seed(base_config(), RunDir(tmp_path), [str(tmp_path / "nowhere")])


def test_scores_on_the_way_leave_out_the_last_step_and_are_made_once(tmp_path, monkeypatch):
    class Method:
        segmenter = None

    monkeypatch.setattr(
        score_card,
        "score_row",
        lambda config, run_dir, row, segmenter, step: {
            "step": step,
            "miou": step / 1000,
            "pixel_accuracy": 0.5,
        },
    )
    keys = {"evaluate.every": "200", "source.steps": "600", "source.log_every": "100"}
    config, run = override(base_config(), keys), RunDir(tmp_path)
    for epochs in (range(4), range(2, 6)):  # interrupted after step 400, resumed from 200
        callback = score_card.ScoresOnTheWay(config, run, ROWS[0])
        callback.set_model(Method())
        for epoch in epochs:
            callback.on_epoch_end(epoch, {})
        callback.on_train_end()
    scores = read_json(run.training("no_adaptation") / score_card.SCORES)
    assert [(score["step"], score["miou"]) for score in scores] == [(200, 0.2), (400, 0.4)]


def test_files_of_scores_do_not_collide():
    run = RunDir("run")
    files = {
        metrics_path(run, "supervised", on, views, resolution)
        for on in ("target", "source", "translated")
        for views in ("plain", "flip", "multi_scale")
        for resolution in ("training", "full")
    }
    own = {file for file in files if file.parent == run.training("supervised")}
    assert len(files) == 18 and len(own) == 6 and run.training("supervised") / "metrics.json" in own


def test_scores_on_sets_of_a_run_stay_with_it_where_the_training_is_shared(tmp_path):
    one, other = RunDir(tmp_path / "one"), RunDir(tmp_path / "other")
    one.training("supervised").mkdir(parents=True)
    other.training("supervised").parent.mkdir(parents=True)
    other.training("supervised").symlink_to(one.training("supervised"))
    for on in ("source", "translated"):
        paths = {metrics_path(run, "supervised", on, "plain", "training").resolve() for run in (one, other)}
        assert len(paths) == 2
