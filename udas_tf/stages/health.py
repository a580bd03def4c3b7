"""Warnings while a run goes on, each with its remedy: in the log, in TensorBoard, and on the page of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from udas_tf import pseudo_labels
from udas_tf.data import records
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json

WARNINGS = "warnings.json"  # of a training: [{"step", "text"}, ...]
WINNING_ACCURACY = 0.99  # of a discriminator of outputs, over a logging interval; 0.5 = it cannot tell
WINNING_LOSS = 0.01  # of a discriminator of images (least squares); 0.25 = it cannot tell


def tell(log_directory: Path, step: int, texts: Sequence[str]) -> None:
    """Warnings to the log and to TensorBoard."""
    if not texts:
        return
    writer = tf.summary.create_file_writer(str(log_directory))
    with writer.as_default(step):
        for number, text in enumerate(texts):
            logging.warning("%s", text)
            tf.summary.text(f"warnings/{number + 1}", text)
    writer.close()


def of_training(run_dir: RunDir, name: str) -> list[dict]:
    """The warnings of the training of a row, or of "translate": [{"step", "text"}, ...]."""
    file = run_dir.training(name) / WARNINGS
    return read_json(file) if file.is_file() else []


class DiscriminatorWatch(keras.callbacks.Callback):
    """Warns once for each discriminator that wins outright over a logging interval: its opponent learns nothing then.

    Args:
      directory: of the training; the warnings are kept there, so that a resumed training does not repeat them.
      log_directory: TensorBoard's.
      log_every: steps of a logging interval.
    """

    def __init__(self, directory: Path, log_directory: Path, log_every: int):
        super().__init__()
        self.file = directory / WARNINGS
        self.log_directory = log_directory
        self.log_every = log_every

    def on_epoch_end(self, epoch, logs=None):
        known = read_json(self.file) if self.file.is_file() else []
        told = {warning["name"] for warning in known}
        step = (epoch + 1) * self.log_every
        texts = {name: text for name, text in winning(logs).items() if name not in told}
        if texts:
            tell(self.log_directory, step, list(texts.values()))
            new = [{"step": step, "name": name, "text": text} for name, text in texts.items()]
            write_json(self.file, known + new)


def winning(logs: Mapping[str, float]) -> dict[str, str]:
    """Name of a logged mean -> a warning, for each discriminator that has won: `WINNING_ACCURACY`, `WINNING_LOSS`."""
    found = {}
    for name, value in logs.items():
        if name.startswith("D_accuracy") and value >= WINNING_ACCURACY:
            found[name] = (
                f"{name} is {value:.3f}: the discriminator wins outright, and the segmenter learns nothing from it; "
                "lower uda.discriminator_learning_rate or uda.discriminator_width, or raise uda.weight_adv_primary "
                "and uda.weight_adv_auxiliary"
            )
        if name in ("L_D_source", "L_D_target") and value <= WINNING_LOSS:
            found[name] = (
                f"{name} is {value:.4f}: the discriminator wins outright, and the generator learns nothing from it; "
                "lower translate.discriminator_width or translate.discriminator_layers, or lower "
                "translate.lambda_cyc, so that the generator may change more"
            )
    return found


def audit_file(run_dir: RunDir, round_number: int) -> Path:
    """Where the audit of a round's pseudo-labels lies: with them, so that whoever shares them has it, too."""
    return run_dir.pseudo_labels(round_number) / "audit.json"


def source_shares(run_dir: RunDir, classes: int) -> np.ndarray:
    """float [C], the share of each class among the labelled pixels of the source; zeros before it is prepared."""
    directory = run_dir.data("source_train")
    if not is_finished(directory):
        return np.zeros(classes)
    pixels = np.array(records.read_manifest(directory)["class_pixels"][:classes], float)
    return pixels / max(pixels.sum(), 1.0)


def vanished_classes(
    round_number: int, shares: np.ndarray, before: Mapping[str, np.ndarray], classes: Sequence[str]
) -> list[str]:
    """The warning, if there is any, of the classes that the pseudo-labels of a round have lost.

    Args:
      shares: float [C], of each class among the pixels kept.
      before: what to compare with in words -> shares; a class is told of once, for the first it was lost since.
    """
    lost = {}
    for what, earlier in before.items():
        for number in np.flatnonzero(pseudo_labels.vanished(shares, earlier)):
            lost.setdefault(number, (what, earlier[number]))
    if not lost:
        return []
    told = ", ".join(
        f"{classes[number]} ({_per_cent(shares[number])} of the pixels kept, {_per_cent(earlier)} in {what})"
        for number, (what, earlier) in sorted(lost.items())
    )
    text = (
        f"vanishing from the pseudo-labels of round {round_number}: {told}; raise pseudo_label.class_share or "
        "student.class_balance, set student.mix_pseudo=true or lower pseudo_label.threshold"
    )
    return [text]


def stop_reason(config, run_dir: RunDir, round_number: int) -> str | None:
    """Why the students of a round, and of those after it, are not to be trained; None where nothing stands against it.

    With `student.stop_rule`, the rounds end before the first one whose pseudo-labels score lower than those of the
    round before (`audit.score`: on the labelled images of the budget, or without any by the agreement of the views).
    """
    if not config.student.stop_rule:
        return None
    for number in range(2, round_number + 1):
        files = [audit_file(run_dir, number - 1), audit_file(run_dir, number)]
        if not all(file.is_file() for file in files):
            return None
        before, now = (read_json(file)["score"] for file in files)
        if before and now and before["what"] == now["what"] and now["value"] < before["value"]:
            return (
                f"the rounds stop before student_{number}: the pseudo-labels of student_{number - 1} have a lower "
                f"{now['what']} than those of round {number - 1}, {_per_cent(now['value'])} after "
                f"{_per_cent(before['value'])}; take student_{number - 1}'s teacher or student_{number - 1}, whichever "
                "scores higher, or set student.stop_rule=false to go on"
            )
    return None


def _per_cent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"
