"""Keras callbacks of every training: progress, TensorBoard's scalars, checkpoints, and a watch on discriminators."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from udas_tf import progress, typed_json
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir
from udas_tf.training.checkpoints import CheckpointDirectory
from udas_tf.training.optimizers import current_learning_rate

WARNINGS = "warnings.json"  # in the directory of a training: list[Warned]
WINNING_ACCURACY = 0.99  # of a discriminator of outputs, over a logging interval; 0.5 = it cannot tell
WINNING_LOSS = 0.01  # of a discriminator of images (least squares); 0.25 = it cannot tell

Logs = Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True)
class Warned:
    """A warning of a training: its step, the logged mean that it is about, and its text."""

    step: int
    name: str
    text: str


def warnings_of(run_dir: RunDir, name: str) -> list[Warned]:
    """The warnings of the training `name` so far."""
    return _read(run_dir.training(name) / WARNINGS)


def _read(file: Path) -> list[Warned]:
    return typed_json.read(file, list[Warned]) if file.is_file() else []


class Progress(keras.callbacks.Callback):
    """A progress bar over the whole training: rate, time left, the terms' means."""

    def __init__(self, name: str, start: int, steps: int) -> None:
        super().__init__()
        self.bar = progress.bar(steps, name, "step", initial=start)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        self.bar.update()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        losses = {name: f"{value:.3f}" for name, value in (logs or {}).items() if name.startswith("L_")}
        self.bar.set_postfix(losses, refresh=False)

    def on_train_end(self, logs: Logs = None) -> None:
        self.bar.close()


class Scalars(keras.callbacks.Callback):
    """Writes every term and the learning rates to TensorBoard; stops a training whose losses are not finite.

    Raises:
      UserError: at the end of an interval in which a term was not finite.
    """

    def __init__(self, log_directory: Path, log_every: int) -> None:
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(log_directory))
        self.log_every = log_every

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        step, logs = (epoch + 1) * self.log_every, logs or {}
        with self.writer.as_default(step):
            for name, value in logs.items():
                tf.summary.scalar(f"{'losses' if name.startswith('L_') else 'discriminators'}/{name}", value)
            tf.summary.scalar("learning_rate/networks", current_learning_rate(self.model.optimizer))
            other = getattr(self.model, "discriminator_optimizer", None)
            if other is not None:
                tf.summary.scalar("learning_rate/discriminators", current_learning_rate(other))
        not_finite = [name for name, value in logs.items() if not math.isfinite(value)]
        if not_finite:
            raise _not_finite(", ".join(not_finite), step - self.log_every, step)

    def on_train_end(self, logs: Logs = None) -> None:
        self.writer.close()


def _not_finite(what: str, before: int, step: int) -> UserError:
    return UserError(
        f"{what} not finite between steps {before} and {step}; lower the learning rate or use "
        "--config.precision=float32, then run the same command: it goes on from the last checkpoint"
    )


class Checkpoints(keras.callbacks.Callback):
    """Saves everything that training changes: networks, optimizers, pools, the step.

    Raises:
      UserError: a variable is not finite; then nothing is saved.
    """

    def __init__(self, directory: CheckpointDirectory, section: ConfigDict) -> None:
        super().__init__()
        self.directory = directory
        self.section = section

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        step = (epoch + 1) * self.section.log_every
        if step % self.section.checkpoint_every == 0 or step == self.section.steps:
            # The means of the terms do not show what the last step did to the variables.
            for variable in self.model.trainable_variables:
                if not tf.reduce_all(tf.math.is_finite(variable)):
                    raise _not_finite(variable.path, step - self.section.log_every, step)
            self.directory.save(step)
            logging.debug("checkpoint at step %d", step)


class DiscriminatorWatch(keras.callbacks.Callback):
    """Warns once for each discriminator that wins outright over a logging interval: then its opponent learns nothing.

    Args:
      directory: of the training. The warnings are saved there, so that a resumed training does not repeat them.
      log_directory: TensorBoard's.
      log_every: steps of a logging interval.
    """

    def __init__(self, directory: Path, log_directory: Path, log_every: int) -> None:
        super().__init__()
        self.file = directory / WARNINGS
        self.log_directory = log_directory
        self.log_every = log_every

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        known = _read(self.file)
        warned = {warning.name for warning in known}
        step = (epoch + 1) * self.log_every
        texts = {name: text for name, text in winning(logs or {}).items() if name not in warned}
        if texts:
            warn(self.log_directory, step, list(texts.values()))
            new = [Warned(step, name, text) for name, text in texts.items()]
            typed_json.write(self.file, known + new)


def winning(logs: Mapping[str, float]) -> dict[str, str]:
    """Name of a logged mean -> warning, for each discriminator beyond WINNING_ACCURACY or WINNING_LOSS."""
    texts = {}
    for name, value in logs.items():
        if name.startswith("D_accuracy") and value >= WINNING_ACCURACY:
            texts[name] = (
                f"{name} is {value:.3f}: the discriminator wins outright, and the segmenter learns nothing from it; "
                "lower uda.discriminator_learning_rate or uda.discriminator_width, or raise uda.weight_adv_primary "
                "and uda.weight_adv_auxiliary"
            )
        if name in ("L_D_source", "L_D_target") and value <= WINNING_LOSS:
            texts[name] = (
                f"{name} is {value:.4f}: the discriminator wins outright, and the generator learns nothing from it; "
                "lower translate.discriminator_width or translate.discriminator_layers, or lower "
                "translate.weight_cycle, so that the generator may change more"
            )
    return texts


def warn(log_directory: Path, step: int, texts: Sequence[str]) -> None:
    """Writes warnings to the log and to TensorBoard; without any, nothing."""
    if not texts:
        return
    writer = tf.summary.create_file_writer(str(log_directory))
    with writer.as_default(step):
        for number, text in enumerate(texts):
            logging.warning("%s", text)
            tf.summary.text(f"warnings/{number + 1}", text)
    writer.close()
