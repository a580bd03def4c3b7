"""Every score of a row by its name: the last one, the best on the way, other views, full resolution, other seeds.

The score of a row is the last checkpoint's, of plain images at the resolution of training. The others stand beside it
so that nobody has to guess which one a table shows.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.inference import VIEWS
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import rounds
from udas_tf.stages.evaluate import METRICS, RESOLUTIONS, TARGET, metrics_path, score_row

SCORES = "scores.json"  # of a training on the way: [{"step", "miou", "pixel_accuracy"}, ...]
TAGS = {"validation/mIoU": "miou", "validation/pixel_accuracy": "pixel_accuracy"}  # TensorBoard's
SEEDS = ("seed", "data.target.label_seed")  # keys in which runs may differ whose mean is taken


class ScoresOnTheWay(keras.callbacks.Callback):
    """Scores the segmenter every `evaluate.every` steps before the last; training itself does not notice."""

    def __init__(self, config, run_dir: RunDir, row: rounds.Row):
        super().__init__()
        self.config, self.run_dir, self.row = config, run_dir, row
        self.section = config[row.stage]
        self.writer = tf.summary.create_file_writer(str(run_dir.tensorboard(row.name)))

    def on_epoch_end(self, epoch, logs=None):
        step = (epoch + 1) * self.section.log_every
        if step % self.config.evaluate.every or step == self.section.steps:
            return
        result = score_row(self.config, self.run_dir, self.row, self.model.segmenter, step)
        file = self.run_dir.training(self.row.name) / SCORES
        # A resumed training comes by some steps again.
        known = [score for score in _read(file) if score["step"] < step]
        write_json(file, [*known, {key: result[key] for key in ("step", "miou", "pixel_accuracy")}])
        write_scalars(self.writer, step, {tag: result[key] for tag, key in TAGS.items()})

    def on_train_end(self, logs=None):
        self.writer.close()


def write_scalars(writer: tf.summary.SummaryWriter, step: int, scores: Mapping[str, float | None]) -> None:
    """Scores by their tag for TensorBoard, without those that no label gives."""
    with writer.as_default(step):
        for tag, value in scores.items():
            if value is not None:
                tf.summary.scalar(tag, value)


def card(run_dir: RunDir, rows: Sequence[rounds.Row], others: Sequence[RunDir] = ()) -> list[dict]:
    """The scores of finished rows that exist.

    Args:
      others: runs of the same config with other seeds, see `same_but_for_the_seed`.

    Returns:
      [{"name", "last": mIoU, "step", "best": {"step", "miou"} or None without `evaluate.every`,
        "views": {"flip" | "multi_scale" | "plain, full resolution" | ...: mIoU},
        "seeds": {"runs": how many finished the row, "mean", "deviation": sample standard} or None}, ...]; fractions.
    """
    return [_of_row(run_dir, row, others) for row in rows]


def _of_row(run_dir: RunDir, row: rounds.Row, others: Sequence[RunDir]) -> dict:
    directory = run_dir.training(row.name)
    last = read_json(directory / METRICS)
    scores = [score for score in [*_read(directory / SCORES), last] if score["miou"] is not None]
    best = max(scores, key=lambda score: score["miou"], default=None) if len(scores) > 1 else None
    return {
        "name": row.name,
        "last": last["miou"],
        "step": last["step"],
        "best": best and {key: best[key] for key in ("step", "miou")},
        "views": _other_views(run_dir, row.name),
        "seeds": _over_seeds(row.name, [run_dir, *others]) if others else None,
    }


def _other_views(run_dir: RunDir, name: str) -> dict[str, float | None]:
    """mIoU by views and resolution, of what `evaluate` was asked for besides the score itself."""
    found = {}
    for resolution in RESOLUTIONS:
        for views in VIEWS:
            file = metrics_path(run_dir, name, TARGET, views, resolution)
            if file.name != METRICS and file.is_file():
                told = views.replace("_", "-") + (", full resolution" if resolution == "full" else "")
                found[told] = read_json(file)["miou"]
    return found


def _over_seeds(name: str, runs: Sequence[RunDir]) -> dict | None:
    finished = [run.training(name) for run in runs if is_finished(run.training(name))]
    scores = [read_json(directory / METRICS)["miou"] for directory in finished]
    scores = [score for score in scores if score is not None]
    if not scores:
        return None
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return {"runs": len(scores), "mean": statistics.mean(scores), "deviation": deviation}


def same_but_for_the_seed(config, run_dir: RunDir, paths: Sequence[str]) -> list[RunDir]:
    """The runs in `paths` other than `run_dir` itself; UserError unless they differ from it in their seeds alone."""
    others = [RunDir(path) for path in paths if RunDir(path).path.resolve() != run_dir.path.resolve()]
    seeds = {config.seed: run_dir.path}
    for other in others:
        if not other.config.is_file():
            raise UserError(f"--runs: {other.path} holds no run; give the directories of finished runs")
        saved = configs.load(other.config)
        if saved.seed in seeds:
            raise UserError(f"--runs: {other.path} has the seed of {seeds[saved.seed]}; give each seed once")
        seeds[saved.seed] = other.path
        changes = [line for line in configs.differences(saved, config) if line.split(":")[0] not in SEEDS]
        if changes:
            raise UserError(f"--runs: {other.path} differs in more than its seed: {changes[0]}")
    return others


def _read(file: Path) -> list[dict]:
    return read_json(file) if file.is_file() else []
