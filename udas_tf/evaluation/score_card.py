"""The score card of a row: last checkpoint, best checkpoint, test-time augmentation, full resolution, other seeds.

The score of a row is that of the last checkpoint, on plain images at the resolution of training. The score card shows
the others beside it, each under its name, so that a table leaves no doubt which score it holds.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import typed_json
from udas_tf.errors import UserError
from udas_tf.evaluation.evaluate import score, scores_path, sealed_score
from udas_tf.evaluation.scores import RESOLUTIONS, TARGET, Card, OverSeeds, ScoreAtStep, Scores
from udas_tf.inference import TTA
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.training.callbacks import Logs

SCORES = "scores.json"  # in the directory of a training: list[ScoreAtStep]
TAGS = {"validation/mIoU": "miou", "validation/pixel_accuracy": "pixel_accuracy"}  # TensorBoard's
SEEDS = ("seed", "data.target.label_seed")  # keys that may differ between runs of which the mean is taken


class ScoresDuringTraining(keras.callbacks.Callback):
    """Scores the segmenter every `evaluate.every` steps except at the last; the training stays the same.

    Args:
      run: the run in training.
      name: of the row.
      section: of the config, with `steps` and `log_every` of the training.
    """

    def __init__(self, run: Run, name: str, section: ConfigDict) -> None:
        super().__init__()
        self.run, self.section = run, section
        self.file = run.dir.training(name) / SCORES
        self.writer = tf.summary.create_file_writer(str(run.dir.tensorboard(name)))

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        step = (epoch + 1) * self.section.log_every
        if step % self.run.config.evaluate.every or step == self.section.steps:
            return
        measured = score(self.run, self.model.segmenter, self.run.dir.data("target_val"))
        now = ScoreAtStep(step, measured["miou"], measured["pixel_accuracy"])
        # A resumed training repeats the steps after its last checkpoint.
        typed_json.write(self.file, [*(known for known in _read(self.file) if known.step < step), now])
        write_scalars(self.writer, step, {tag: getattr(now, key) for tag, key in TAGS.items()})

    def on_train_end(self, logs: Logs = None) -> None:
        self.writer.close()


def write_scalars(writer: tf.summary.SummaryWriter, step: int, scores: Mapping[str, float | None]) -> None:
    """Writes scores, tag -> fraction, for TensorBoard; None is left out."""
    with writer.as_default(step):
        for tag, value in scores.items():
            if value is not None:
                tf.summary.scalar(tag, value)


def cards(run_dir: RunDir, names: Sequence[str], others: Sequence[RunDir] = ()) -> list[Card]:
    """The score cards of finished rows.

    Args:
      run_dir: of the run.
      names: of the rows.
      others: runs of the same config with other seeds (`same_but_for_the_seed`).

    Raises:
      UserError: a file of scores is damaged.
    """
    return [_card(run_dir, name, others) for name in names]


def _card(run_dir: RunDir, name: str, others: Sequence[RunDir]) -> Card:
    last = sealed_score(run_dir, name)
    at_last = ScoreAtStep(last.step, last.miou, last.pixel_accuracy)
    scores = [one for one in [*_read(run_dir.training(name) / SCORES), at_last] if one.miou is not None]
    best = max(scores, key=lambda one: one.miou or 0.0) if len(scores) > 1 else None
    return Card(
        name=name,
        last=last.miou,
        step=last.step,
        best=best,
        others=_other_scores(run_dir, name),
        seeds=_over_seeds(name, [run_dir, *others]) if others else None,
    )


def _other_scores(run_dir: RunDir, name: str) -> dict[str, float | None]:
    """The mIoUs that `evaluate` measured on the validation set, but not the plain one at the training's resolution."""
    others = {}
    for resolution in RESOLUTIONS:
        for tta in TTA:
            file = scores_path(run_dir, name, TARGET, tta, resolution)
            if (tta, resolution) != ("none", "training") and file.is_file():
                words = "plain" if tta == "none" else tta.replace("_", "-")
                words += ", full resolution" if resolution == "full" else ""
                others[words] = typed_json.read(file, Scores).miou
    return others


def _over_seeds(name: str, runs: Sequence[RunDir]) -> OverSeeds | None:
    """The mIoU over those runs that have the row; None where none has."""
    finished = [run_dir for run_dir in runs if is_finished(run_dir.training(name))]
    scores = [miou for run_dir in finished if (miou := sealed_score(run_dir, name).miou) is not None]
    if not scores:
        return None
    deviation = statistics.stdev(scores) if len(scores) > 1 else 0.0
    return OverSeeds(len(scores), statistics.mean(scores), deviation)


def same_but_for_the_seed(config: ConfigDict, run_dir: RunDir, paths: Sequence[str]) -> list[RunDir]:
    """The runs in `paths`, without `run_dir` itself; UserError unless they differ from it in their seeds alone.

    Args:
      config: of the run in `run_dir`.
      run_dir: the run to compare with.
      paths: directories of runs.
    """
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


def _read(file: Path) -> list[ScoreAtStep]:
    return typed_json.read(file, list[ScoreAtStep]) if file.is_file() else []
