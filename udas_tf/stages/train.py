"""Trains one stage: a segmenter of the table, or the translation networks."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.methods.method import Method
from udas_tf.run_dir import RunDir, finish, is_finished, write_json
from udas_tf.stages import health, networks, pictures, pseudo_label, rounds, score_card, trainings
from udas_tf.stages.checks import check
from udas_tf.stages.evaluate import METRICS, score_row
from udas_tf.stages.fit import fit, split_cpu, stage, through_xla


def train(
    config, run_dir: RunDir, stage_name: str, round_number: int | None = None, name: str | None = None
) -> None:
    """Trains what `--stage`, `--round` and `--name` mean, unless it is finished, and scores it.

    A student's round writes its pseudo-labels first if they are not there yet.
    """
    if stage_name == "translate":
        if round_number is not None or name is not None:
            raise UserError("--stage=translate takes neither --round nor --name")
        train_translation(config, run_dir)
    else:
        train_row(config, run_dir, rounds.find(config, stage_name, round_number, name))


def train_row(config, run_dir: RunDir, row: rounds.Row) -> None:
    directory = run_dir.training(row.name)
    if is_finished(directory):
        logging.info("%s is trained already: %s", row.name, directory)
        return
    check(config, row.stage)
    split_cpu(config.replicas)
    inputs = _inputs(run_dir, row)
    if row.stage == "student":
        if _stopped(config, run_dir, row.round - 1):
            return
        teacher = rounds.teacher(config, row.round)
        run_dir.require(run_dir.training(teacher.name), f"the teacher of round {row.round}", teacher.command)
        pseudo_label.pseudo_label(config, run_dir, row.round)
        if _stopped(config, run_dir, row.round):
            return
        inputs["pseudo"] = run_dir.pseudo_labels(row.round)
    section = config[row.stage]
    with stage(config, section.batch_size, networks.precision(config, row.stage)) as strategy:
        method = _method(config, run_dir, row)
        method.jit_compile = through_xla(config, strategy)
        batches = _batches(config, run_dir, row, inputs)
        log_directory = run_dir.tensorboard(row.name)
        shown = pictures.StagePictures(config, run_dir, row, batches(0))
        callbacks = [shown]
        if config.evaluate.every:
            callbacks.append(score_card.ScoresOnTheWay(config, run_dir, row))
        fit(method, batches, section, directory, log_directory, list(inputs.values()), callbacks)
        networks.save(method.segmenter, directory / networks.WEIGHTS)
        result = score_row(config, run_dir, row, method.segmenter, section.steps)
    write_json(directory / METRICS, result)
    shown.write_scores(result)
    _finish(directory, networks.WEIGHTS, {"row": row.name, "stage": row.stage, "round": row.round}, section)
    print(
        f"{row.name}: mIoU {100 * result['miou']:.1f} %, pixel accuracy {100 * result['pixel_accuracy']:.1f} %"
    )


def _stopped(config, run_dir: RunDir, round_number: int) -> bool:
    """Whether `student.stop_rule` has ended the rounds by this one; says so."""
    reason = health.stop_reason(config, run_dir, round_number)
    if reason:
        logging.warning("%s", reason)
    return reason is not None


def train_translation(config, run_dir: RunDir) -> None:
    directory = run_dir.training("translate")
    if is_finished(directory):
        logging.info("the generator is trained already: %s", directory)
        return
    check(config, "translate")
    split_cpu(config.replicas)
    source = run_dir.require(run_dir.data("source_train"), "the source set", "data prepare")
    target = run_dir.require(run_dir.data("target_unlabelled"), "the unlabelled target set", "data prepare")
    section = config.translate
    with stage(config, section.batch_size) as strategy:
        semantic = rounds.semantic(config)
        segmenter = None
        if semantic:
            segmenter = networks.trained_segmenter(config, run_dir, semantic, config.precision)
        method = trainings.image_translation(config, segmenter)
        method.jit_compile = through_xla(config, strategy)
        batches = functools.cache(
            lambda start: pipeline.unpaired(
                _loading(config, section, start), source, target, tuple(section.crop)
            )
        )
        shown = pictures.TranslationPictures(run_dir, batches(0))
        fit(method, batches, section, directory, run_dir.tensorboard("translate"), [source, target], [shown])
        networks.save(method.generators["G"], directory / networks.GENERATOR_WEIGHTS)
    _finish(directory, networks.GENERATOR_WEIGHTS, {"stage": "translate"}, section)


def _inputs(run_dir: RunDir, row: rounds.Row) -> dict[str, Path]:
    """The finished sets of records a row trains on, by the part they play."""
    inputs = {}
    if row.stage != "supervised":
        if row.translated:
            inputs["source"] = run_dir.require(run_dir.translated, "the translated source set", "translate")
        else:
            inputs["source"] = run_dir.require(run_dir.data("source_train"), "the source set", "data prepare")
    if row.mixed or row.stage == "supervised":
        labelled = run_dir.data("target_labelled")
        inputs["labelled"] = run_dir.require(labelled, "the labelled target set", "data prepare")
    if row.stage == "uda":
        unlabelled = run_dir.data("target_unlabelled")
        inputs["target"] = run_dir.require(unlabelled, "the unlabelled target set", "data prepare")
    return inputs


def _loading(config, section, start: int, **augmentation) -> pipeline.Loading:
    data = config.data
    return pipeline.Loading(
        section.batch_size,
        config.seed,
        start,
        data.shuffle_images,
        data.cache,
        repeat_below=data.repeat_below,
        **augmentation,
    )


def _batches(config, run_dir: RunDir, row: rounds.Row, inputs: dict[str, Path]):
    """Start step -> the dataset of a row."""
    section = config[row.stage]

    @functools.cache  # the pictures look at the first batch of the very pipeline that trains
    def batches(start: int) -> tf.data.Dataset:
        loading = _loading(config, section, start, auto_share=section.auto_share, scale=tuple(section.scale))
        match row.stage:
            case "source":
                return pipeline.labelled(loading, inputs["source"], section.augment)
            case "supervised":
                return pipeline.labelled(loading, inputs["labelled"], section.augment)
            case "uda":
                return pipeline.adaptation(
                    loading,
                    inputs["source"],
                    inputs["target"],
                    inputs.get("labelled"),
                    section.augment,
                    section.augment_mixed,
                )
            case "student":
                return pipeline.self_training(
                    loading,
                    inputs["source"],
                    inputs.get("labelled"),
                    inputs["pseudo"],
                    pseudo_label.thresholds(config, run_dir, row.round),
                    section.augment_mixed,
                    section.augment_pseudo,
                    section.mix_pseudo,
                )

    return batches


def _method(config, run_dir: RunDir, row: rounds.Row) -> Method:
    def trained(other: rounds.Row) -> keras.Model:
        return networks.trained_segmenter(config, run_dir, other, networks.precision(config, row.stage))

    start = rounds.start(config, row)
    segmenter = trained(start) if start else networks.segmenter(config)
    match row.stage:
        case "uda":
            return trainings.output_adaptation(config, segmenter)
        case "student":
            teacher = (
                trained(rounds.teacher(config, row.round)) if config.student.weight_consistency else None
            )
            class_weights = pseudo_label.class_weights(config, run_dir, row.round)
            return trainings.self_training(config, segmenter, teacher, class_weights)
        case _:
            return trainings.supervised(config[row.stage], segmenter)


def _finish(directory: Path, weights: str, what: dict, section) -> None:
    digest = hashlib.sha256((directory / weights).read_bytes()).hexdigest()
    finish(directory, {**what, "step": section.steps, "weights": weights, "weights_sha256": digest})
