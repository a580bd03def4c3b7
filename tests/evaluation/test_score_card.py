import finished
import pytest

from udas_tf import config as configs
from udas_tf import typed_json
from udas_tf.config import base_config, override
from udas_tf.errors import UserError
from udas_tf.evaluation import score_card
from udas_tf.evaluation.evaluate import METRICS, scores_path
from udas_tf.evaluation.scores import Card, OverSeeds, ScoreAtStep
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish

ROWS = ["no_adaptation", "adaptation"]


def trained(run_dir, name, miou, before_the_end=()):
    directory = run_dir.training(name)
    typed_json.write(directory / METRICS, finished.scores(name, miou, step=300, pixel_accuracy=0.5))
    if before_the_end:
        scores = [ScoreAtStep(step, value, 0.5) for step, value in before_the_end]
        typed_json.write(directory / score_card.SCORES, scores)
    finish(directory, {})


def evaluated(run_dir, name, miou, on="target", tta="none", resolution="training"):
    typed_json.write(scores_path(run_dir, name, on, tta, resolution), finished.scores(name, miou))


def saved(tmp_path, name, **keys):
    run_dir = RunDir(tmp_path / name)
    config = override(base_config(), {key.replace("__", "."): str(value) for key, value in keys.items()})
    configs.save(config, run_dir.config)
    return run_dir


def test_each_score_by_its_name(tmp_path):
    run_dir = RunDir(tmp_path)
    trained(run_dir, "no_adaptation", 0.25, [(100, 0.2), (200, 0.3)])
    evaluated(run_dir, "no_adaptation", 0.27, tta="flip")
    evaluated(run_dir, "no_adaptation", 0.9, on="source")
    evaluated(run_dir, "no_adaptation", 0.25)  # the score itself, measured again
    trained(run_dir, "adaptation", 0.35)
    evaluated(run_dir, "adaptation", 0.36, tta="multi_scale")
    evaluated(run_dir, "adaptation", 0.33, resolution="full")
    evaluated(run_dir, "adaptation", 0.34, tta="flip", resolution="full")
    assert score_card.cards(run_dir, ROWS) == [
        Card("no_adaptation", 0.25, 300, ScoreAtStep(200, 0.3, 0.5), {"flip": 0.27}, None),
        Card(
            "adaptation",
            0.35,
            300,
            None,
            {"multi-scale": 0.36, "plain, full resolution": 0.33, "flip, full resolution": 0.34},
            None,
        ),
    ]


def test_the_last_checkpoint_may_be_the_best(tmp_path):
    run_dir = RunDir(tmp_path)
    trained(run_dir, "no_adaptation", 0.35, [(100, 0.2), (200, 0.3)])
    assert score_card.cards(run_dir, ROWS[:1])[0].best == ScoreAtStep(300, 0.35, 0.5)


def test_without_labels_no_score_is_the_best(tmp_path):
    run_dir = RunDir(tmp_path)
    trained(run_dir, "no_adaptation", None, [(100, None), (200, None)])
    (card,) = score_card.cards(run_dir, ROWS[:1], [RunDir(tmp_path / "other")])
    assert (card.last, card.best, card.seeds) == (None, None, None)


def test_the_mean_over_seeds_counts_the_runs_that_have_the_row(tmp_path):
    runs = [saved(tmp_path, str(seed), seed=seed, data__target__label_seed=seed) for seed in range(3)]
    for run, miou in zip(runs, (0.2, 0.3, 0.4), strict=True):
        trained(run, "no_adaptation", miou)
    trained(runs[0], "adaptation", 0.5)
    config = configs.load(runs[0].config)
    others = score_card.same_but_for_the_seed(config, runs[0], [str(run.path) for run in runs])
    assert [other.path for other in others] == [runs[1].path, runs[2].path]  # itself is one of them
    first, second = score_card.cards(runs[0], ROWS, others)
    assert first.seeds == OverSeeds(3, pytest.approx(0.3), pytest.approx(0.1))
    assert second.seeds == OverSeeds(1, 0.5, 0.0)
    assert first.last == 0.2


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


def test_scores_during_training_leave_out_the_last_step_and_are_made_once(tmp_path, monkeypatch):
    class Method:
        segmenter = None

    keys = {"evaluate.every": "200", "source.steps": "600", "source.log_every": "100"}
    run = open_run(override(base_config(), keys), RunDir(tmp_path))
    sets, steps = [], []

    def score(run, segmenter, directory):
        sets.append(directory)
        return {"miou": steps[-1] / 1000, "pixel_accuracy": 0.5}

    monkeypatch.setattr(score_card, "score", score)
    for epochs in (range(4), range(2, 6)):  # interrupted after step 400, resumed from 200
        callback = score_card.ScoresDuringTraining(run, "no_adaptation", run.config.source)
        callback.set_model(Method())
        for epoch in epochs:
            steps.append(100 * (epoch + 1))
            callback.on_epoch_end(epoch, {})
        callback.on_train_end()
    scores = typed_json.read(run.dir.training("no_adaptation") / score_card.SCORES, list[ScoreAtStep])
    assert scores == [ScoreAtStep(200, 0.2, 0.5), ScoreAtStep(400, 0.4, 0.5)]
    assert set(sets) == {run.dir.data("target_val")} and len(sets) == 3  # step 400 twice


def test_scores_on_sets_of_a_run_stay_with_it_where_the_training_is_shared(tmp_path):
    one, other = RunDir(tmp_path / "one"), RunDir(tmp_path / "other")
    one.training("supervised").mkdir(parents=True)
    other.training("supervised").parent.mkdir(parents=True)
    other.training("supervised").symlink_to(one.training("supervised"))
    for on in ("target", "source", "translated"):
        paths = {scores_path(run_dir, "supervised", on, "none", "training").resolve() for run_dir in (one, other)}
        assert len(paths) == 2


def test_damaged_scores_name_the_file_and_the_key(tmp_path):
    run_dir = RunDir(tmp_path)
    trained(run_dir, "no_adaptation", 0.35)
    file = run_dir.training("no_adaptation") / score_card.SCORES
    file.write_text('[{"step": 100, "miou": 0.2, "pixel_accuracy": 0.5}, {"step": 200, "miou": 0.3}]')
    with pytest.raises(UserError, match=r"no_adaptation/scores\.json is damaged \(.*`pixel_accuracy` - at `\$\[1\]`"):
        score_card.cards(run_dir, ROWS[:1])
    file.unlink()
    flip = scores_path(run_dir, "no_adaptation", "target", "flip", "training")
    flip.parent.mkdir(parents=True)
    flip.write_text("{not JSON")
    with pytest.raises(UserError, match=r"scores/no_adaptation/target_flip\.json is damaged \(JSON is malformed"):
        score_card.cards(run_dir, ROWS[:1])
