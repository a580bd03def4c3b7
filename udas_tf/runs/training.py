"""Trains one row of the table, or a method that is no row, such as the translation."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import keras
import tensorflow as tf
from absl import logging

from udas_tf import plugins, typed_json
from udas_tf.config import METHODS
from udas_tf.errors import UserError
from udas_tf.evaluation.evaluate import METRICS, score_row
from udas_tf.evaluation.score_card import ScoresDuringTraining
from udas_tf.evaluation.scores import Scores
from udas_tf.networks import TrainingManifest, digest, save, segmenter, trained_segmenter
from udas_tf.pseudo_labels import audit, labelling, stop_rule
from udas_tf.report.tensorboard import TrainingPictures, TranslationPictures
from udas_tf.run import Run
from udas_tf.run_dir import finish, is_finished
from udas_tf.runs import rows
from udas_tf.runs.plan import name_of_set, plan
from udas_tf.runs.rows import Row
from udas_tf.training.loop import fit, on_devices, precision, split_cpu, through_xla
from udas_tf.training.method import Method
from udas_tf.training.task import Task

Batches = Callable[[int], tf.data.Dataset]  # of a start step


def train(run: Run, row: Row) -> None:
    """Trains a row unless it is finished, and scores it where its network is a segmenter.

    A row that learns from pseudo-labels has them written first, if they are not there yet.
    """
    directory = run.dir.training(row.name)
    if is_finished(directory):
        logging.info("%s is trained already: %s", row.name, directory)
        return
    method = plugins.load(METHODS, row.stage, "stage")
    method.check(run.config)
    split_cpu(run.config.replicas)
    if "pseudo_labels" in row.reads and not _label(run, row):
        return
    sets = sets_of(run, row)
    shutil.rmtree(run.dir.scores(row.name), ignore_errors=True)  # the scores of a network that has been removed
    _train(run, row, method, sets)


def label(run: Run, row: Row) -> None:
    """Writes the pseudo-labels that a row learns from, and their audit, unless they are there."""
    if "pseudo_labels" not in row.reads or row.teacher is None:
        raise UserError(f"{row.name} learns from no pseudo-labels; name a row with a teacher, such as --round=1")
    teacher = rows.named(run.config, row.teacher)
    run.dir.require(run.dir.training(teacher.name), f"the teacher of {row.name}", teacher.command)
    labelling.label(run, row.name, teacher.name, row.round or 1)
    audit_rounds(run, row)


def audit_rounds(run: Run, row: Row) -> None:
    """Writes the audits of a row's pseudo-labels and of the rounds before it, where they are missing.

    Pseudo-labels that are linked from another run come without an audit, which depends on the label budget.
    """
    before = None
    for number in range(1, (row.round or 1) + 1):
        name = row.name if row.round is None else f"{row.definition}_{number}"
        if is_finished(run.dir.pseudo_labels(name)):
            audit.audit(run, name, number, before)
        before = name


def _label(run: Run, row: Row) -> bool:
    """Writes the pseudo-labels of a row unless the stop rule has ended the rounds; returns whether to train the row."""
    audit_rounds(run, row)
    if _stopped(run, row, (row.round or 1) - 1):
        return False
    label(run, row)
    return not _stopped(run, row, row.round or 1)


def _stopped(run: Run, row: Row, last: int) -> bool:
    """Whether the stop rule ends the rounds by number `last`; says so."""
    reason = stop_reason(run, row, last)
    if reason is not None:
        logging.warning("%s", reason)
    return reason is not None


def stop_reason(run: Run, row: Row, last: int) -> str | None:
    """Why the stop rule ends a row's rounds by number `last`; None where it does not, or is off."""
    if row.round is None or not run.config[row.stage].get("stop_rule"):
        return None
    return stop_rule.stop_reason(run.dir, [f"{row.definition}_{number}" for number in range(1, last + 1)])


def sets_of(run: Run, row: Row) -> dict[str, Path]:
    """Role -> finished set of records, for the roles that the row has."""
    artefacts = plan(run, [row] if row.in_table else ())
    sets = {}
    for role in row.reads:
        name = name_of_set(row, role)
        if name is not None:
            made = artefacts[name]
            sets[role] = run.dir.require(run.dir.path / made.path, f"{made.kind.value} {name}", made.command)
    return sets


def _train(run: Run, row: Row, method: ModuleType, sets: dict[str, Path]) -> None:
    directory, section = run.dir.training(row.name), run.config[row.stage]
    with on_devices(run.config, row.stage) as strategy:
        task = task_of(run, row, sets)
        model: Method = method.build(task)
        model.jit_compile = through_xla(run.config, strategy)
        # The pictures look at the first batch of the very pipeline that trains.
        batches: Batches = functools.cache(functools.partial(method.batches, task))
        pictures = _pictures(run, row, batches(0))
        callbacks = [pictures, *_scores_on_the_way(run, row)]
        fit(model, batches, section, directory, run.dir.tensorboard(row.name), list(sets.values()), callbacks)
        save(model.product, directory / model.WEIGHTS)
        manifest = TrainingManifest(
            row=row.name,
            stage=row.stage,
            round=row.round,
            step=section.steps,
            weights=model.WEIGHTS,
            weights_sha256=digest(directory / model.WEIGHTS),
            precision=precision(run.config, row.stage),
            saw_source=any("source" in role for role in row.reads),
        )
        if isinstance(pictures, TrainingPictures):
            scores = score_row(run, manifest, model.product)
            typed_json.write(directory / METRICS, scores)
            pictures.write_scores(scores)
            _log(scores)
    finish(directory, manifest)


def _pictures(run: Run, row: Row, batches: tf.data.Dataset) -> TrainingPictures | TranslationPictures:
    if row.in_table:
        return TrainingPictures(run, row.name, run.config[row.stage].steps, batches)
    return TranslationPictures(run, row.name, batches)


def _scores_on_the_way(run: Run, row: Row) -> list[keras.callbacks.Callback]:
    if row.in_table and run.config.evaluate.every is not None:
        return [ScoresDuringTraining(run, row.name, run.config[row.stage])]
    return []


def _log(scores: Scores) -> None:
    miou, accuracy = (
        "-" if value is None else f"{100 * value:.1f} %" for value in (scores.miou, scores.pixel_accuracy)
    )
    logging.info("%s: mIoU %s, pixel accuracy %s", scores.name, miou, accuracy)


def task_of(run: Run, row: Row, sets: dict[str, Path]) -> Task:
    """What the method of a row trains with. Networks are made, and weights loaded, when the method asks for them.

    Args:
      sets: as `sets_of` returns them.
    """

    def trained(name: str) -> keras.Model:
        return trained_segmenter(run, name, precision(run.config, row.stage))

    def initial() -> keras.Model:
        return trained(row.start) if row.start else segmenter(run.config, len(run.classes))

    networks = {"initial": initial}
    if row.teacher is not None:
        networks["teacher"] = functools.partial(trained, row.teacher)
    judge = run.config[row.stage].get("judge")
    if judge is not None:
        networks["judge"] = functools.partial(trained, judge)
    histogram = None
    if "pseudo_labels" in sets:
        histogram = functools.cache(functools.partial(labelling.histogram, sets["pseudo_labels"]))
    return Task(run.config, row.stage, run.classes, sets, networks, histogram)
