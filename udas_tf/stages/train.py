"""Trains one stage: a segmenter of the table, or the translation networks."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from udas_tf import inference
from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.methods import optimizers
from udas_tf.methods.image_translation import ImagePool, ImageTranslation
from udas_tf.methods.method import Method
from udas_tf.methods.output_adaptation import OutputAdaptation
from udas_tf.methods.self_training import SelfTraining
from udas_tf.methods.supervised import Supervised
from udas_tf.run_dir import RunDir, finish, is_finished, write_json
from udas_tf.stages import networks, pictures, pseudo_label, rounds
from udas_tf.stages.evaluate import METRICS, score_row
from udas_tf.stages.fit import fit, stage


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
    inputs = _inputs(run_dir, row)
    if row.stage == "student":
        teacher = rounds.teacher(config, row.round)
        run_dir.require(run_dir.training(teacher.name), f"the teacher of round {row.round}", teacher.command)
        pseudo_label.pseudo_label(config, run_dir, row.round)
        inputs["pseudo"] = run_dir.pseudo_labels(row.round)
    section = config[row.stage]
    with stage(config) as strategy:
        _check_batch(section, strategy)
        method = _method(config, run_dir, row)
        batches = _batches(config, run_dir, row, inputs)
        log_directory = run_dir.tensorboard(row.name)
        shown = pictures.StagePictures(config, run_dir, row, batches(0))
        fit(method, batches, section, directory, log_directory, list(inputs.values()), [shown])
        networks.save(method.segmenter, directory / networks.WEIGHTS)
        result = score_row(config, run_dir, row, method.segmenter, section.steps)
    write_json(directory / METRICS, result)
    shown.write_scores(result)
    _finish(directory, networks.WEIGHTS, {"row": row.name, "stage": row.stage, "round": row.round}, section)
    print(
        f"{row.name}: mIoU {100 * result['miou']:.1f} %, pixel accuracy {100 * result['pixel_accuracy']:.1f} %"
    )


def train_translation(config, run_dir: RunDir) -> None:
    directory = run_dir.training("translate")
    if is_finished(directory):
        logging.info("the generator is trained already: %s", directory)
        return
    source = run_dir.require(run_dir.data("source_train"), "the source set", "data prepare")
    target = run_dir.require(run_dir.data("target_unlabelled"), "the unlabelled target set", "data prepare")
    section = config.translate
    with stage(config) as strategy:
        _check_batch(section, strategy)
        method = _image_translation(config)
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
        section.batch_size, config.seed, start, data.shuffle_images, data.cache, **augmentation
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
    section = config[row.stage]
    start = rounds.start(config, row)
    segmenter = networks.trained_segmenter(config, run_dir, start) if start else networks.segmenter(config)
    optimizer = optimizers.segmenter_optimizer(section, segmenter)
    if row.stage == "uda":
        return _output_adaptation(config, segmenter, optimizer)
    if row.stage == "student":
        weights = {
            "L_seg_p": 1.0,
            "L_seg_a": section.lambda_seg,
            "L_pseudo_p": section.weight_pseudo,
            "L_pseudo_a": section.weight_pseudo * section.lambda_seg,
            "L_consistency": section.weight_consistency,
        }
        teacher = networks.trained_segmenter(config, run_dir, rounds.teacher(config, row.round))
        weights = _of_levels(weights, segmenter)
        class_weights = pseudo_label.class_weights(config, run_dir, row.round)
        return SelfTraining(
            segmenter, teacher, optimizer, weights, class_weights, section.consistency_views, config.seed
        )
    return Supervised(segmenter, optimizer, section.lambda_seg)


def _of_levels(weights: dict[str, float], segmenter: keras.Model) -> dict[str, float]:
    """Leaves the auxiliary classifier's terms, and L_kl between both, out where the network has the primary alone."""
    if "auxiliary" in inference.levels(segmenter):
        return weights
    return {name: weight for name, weight in weights.items() if not name.endswith("_a") and name != "L_kl"}


def _output_adaptation(
    config, segmenter: keras.Model, optimizer: keras.optimizers.Optimizer
) -> OutputAdaptation:
    section = config.uda
    discriminators = networks.output_discriminators(config, inference.levels(segmenter))
    schedule = optimizers.poly(
        section.discriminator_learning_rate, section.schedule_steps, section.poly_power
    )
    discriminator_optimizer = optimizers.built(
        optimizers.TorchAdam(schedule, beta_1=0.9, beta_2=0.99),
        [variable for network in discriminators.values() for variable in network.trainable_variables],
    )
    weights = {
        "L_seg_p": 1.0,
        "L_seg_a": section.lambda_seg,
        "L_adv_p": section.weight_adv_primary,
        "L_adv_a": section.weight_adv_auxiliary,
        "L_kl": section.weight_kl,
    }
    kl_from_step = round(section.kl_warmup * section.steps)
    return OutputAdaptation(
        segmenter,
        discriminators,
        optimizer,
        discriminator_optimizer,
        _of_levels(weights, segmenter),
        section.adversarial_loss,
        kl_from_step,
    )


def _image_translation(config) -> ImageTranslation:
    section = config.translate
    generators = {name: networks.generator(config) for name in ("G", "F")}
    discriminators = {domain: networks.image_discriminator(config) for domain in ("source", "target")}
    constant = round(section.decay_from * section.steps)
    optimizer_pair = []
    for pair in (generators, discriminators):
        schedule = optimizers.ConstantThenLinear(section.learning_rate, constant, section.steps)
        variables = [variable for network in pair.values() for variable in network.trainable_variables]
        optimizer_pair.append(
            optimizers.built(optimizers.TorchAdam(schedule, beta_1=section.beta_1, beta_2=0.999), variables)
        )
    size = tuple(section.crop) if tuple(section.crop) != (0, 0) else tuple(config.data.size)
    pools = {
        domain: ImagePool(section.pool_size, (*size, 3), seed=2 * config.seed + number)
        for number, domain in enumerate(discriminators)
    }
    return ImageTranslation(
        generators, discriminators, *optimizer_pair, pools, section.lambda_cyc, section.lambda_identity
    )


def _check_batch(section, strategy: tf.distribute.Strategy) -> None:
    if section.batch_size % strategy.num_replicas_in_sync:
        raise UserError(
            f"batch_size={section.batch_size} cannot be shared by {strategy.num_replicas_in_sync} replicas; "
            "choose a multiple"
        )


def _finish(directory: Path, weights: str, what: dict, section) -> None:
    digest = hashlib.sha256((directory / weights).read_bytes()).hexdigest()
    finish(directory, {**what, "step": section.steps, "weights": weights, "weights_sha256": digest})
