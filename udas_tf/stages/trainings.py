"""Trainings as the config asks for them: a method with its networks, optimisers and term weights.

A term whose weight is 0 is left out, and with it the network or discriminator that only it needs.
"""

from __future__ import annotations

from collections.abc import Iterable

import keras
import numpy as np

from udas_tf import inference
from udas_tf.errors import UserError
from udas_tf.methods import optimizers
from udas_tf.methods.image_translation import ImagePool, ImageTranslation
from udas_tf.methods.output_adaptation import OutputAdaptation, classifier_features
from udas_tf.methods.self_training import SelfTraining
from udas_tf.methods.supervised import Supervised
from udas_tf.stages import networks


def supervised(section, segmenter: keras.Model) -> Supervised:
    """Supervised training by a section of the config: source or supervised."""
    return Supervised(segmenter, optimizers.segmenter_optimizer(section, segmenter), section.lambda_seg)


def output_adaptation(config, segmenter: keras.Model) -> OutputAdaptation:
    """Stage uda."""
    section = config.uda
    weights = _used(
        {
            "L_seg_p": 1.0,
            "L_seg_a": section.lambda_seg,
            "L_adv_p": section.weight_adv_primary,
            "L_adv_a": section.weight_adv_auxiliary,
            "L_ent_p": section.weight_entropy_primary,
            "L_ent_a": section.weight_entropy_auxiliary,
            "L_kl": section.weight_kl,
        },
        segmenter,
    )
    judged = [level for level, short in inference.LEVELS.items() if f"L_adv_{short}" in weights]
    channels = _feature_channels(config, segmenter, judged) if section.adversary == "features" else None
    discriminators = networks.output_discriminators(config, judged, channels)
    return OutputAdaptation(
        segmenter,
        discriminators,
        optimizers.segmenter_optimizer(section, segmenter),
        _discriminator_optimizer(section, discriminators.values()) if discriminators else None,
        weights,
        section.adversarial_loss,
        kl_from_step=round(section.kl_warmup * section.steps),
        kl=section.kl,
        adversary=section.adversary,
        adversary_above=section.adversary_above if discriminators else 0.0,
    )


def self_training(
    config, segmenter: keras.Model, teacher: keras.Model | None, class_weights: np.ndarray
) -> SelfTraining:
    """Stage student; the teacher is needed where `student.weight_consistency` is not 0."""
    section = config.student
    if section.rectify and "auxiliary" not in inference.levels(segmenter):
        raise UserError(
            "student.rectify compares two classifiers; set model.auxiliary=true on a network with both"
        )
    weights = {
        "L_seg_p": section.weight_labelled,
        "L_seg_a": section.weight_labelled * section.lambda_seg,
        "L_pseudo_p": section.weight_pseudo,
        "L_pseudo_a": section.weight_pseudo * section.lambda_seg,
        "L_consistency": section.weight_consistency,
    }
    return SelfTraining(
        segmenter,
        teacher,
        optimizers.segmenter_optimizer(section, segmenter),
        _used(weights, segmenter),
        class_weights,
        section.consistency_views,
        config.seed,
        section.rectify,
    )


def image_translation(config, segmenter: keras.Model | None) -> ImageTranslation:
    """Stage translate; the segmenter, trained on the source, is needed where `translate.weight_semantic` is not 0."""
    section = config.translate
    generators = {name: networks.generator(config) for name in ("G", "F")}
    discriminators = {domain: networks.image_discriminator(config) for domain in ("source", "target")}
    constant = round(section.decay_from * section.steps)
    optimizer_pair = []
    for pair in (generators, discriminators):
        schedule = optimizers.ConstantThenLinear(section.learning_rate, constant, section.steps)
        optimizer = optimizers.TorchAdam(schedule, beta_1=section.beta_1, beta_2=0.999)
        optimizer_pair.append(optimizers.built(optimizer, _trainable(pair.values())))
    size = translation_size(config)
    pools = {
        domain: ImagePool(section.pool_size, (*size, 3), seed=2 * config.seed + number)
        for number, domain in enumerate(discriminators)
    }
    return ImageTranslation(
        generators,
        discriminators,
        *optimizer_pair,
        pools,
        section.lambda_cyc,
        section.lambda_identity,
        segmenter,
        section.weight_semantic,
    )


def translation_size(config) -> tuple[int, int]:
    """Height and width of what CycleGAN trains on: its crops, or whole images."""
    crop = tuple(config.translate.crop)
    return crop if crop != (0, 0) else tuple(config.data.size)


def _used(weights: dict[str, float], segmenter: keras.Model) -> dict[str, float]:
    """The weights that are not 0, without those of the auxiliary classifier where the network has the primary alone."""
    both = "auxiliary" in inference.levels(segmenter)
    return {
        name: weight
        for name, weight in weights.items()
        if weight != 0.0 and (both or not name.endswith("_a") and name != "L_kl")
    }


def _feature_channels(config, segmenter: keras.Model, levels: Iterable[str]) -> dict[str, int]:
    if config.model.network not in ("deeplab_v2", "seg_uncertainty"):
        raise UserError(
            f"uda.adversary='features' cannot be had of model.network={config.model.network!r}; "
            "expected deeplab_v2 or seg_uncertainty"
        )
    return {level: classifier_features(segmenter, level).shape[-1] for level in levels}


def _discriminator_optimizer(section, discriminators: Iterable[keras.Model]) -> keras.optimizers.Optimizer:
    schedule = optimizers.poly(
        section.discriminator_learning_rate, section.schedule_steps, section.poly_power
    )
    if section.discriminator_optimizer == "sgd":
        optimizer = optimizers.SegmenterSGD(schedule, section.momentum, section.weight_decay, factors={})
    else:
        optimizer = optimizers.TorchAdam(schedule, beta_1=0.9, beta_2=0.99)
    return optimizers.built(optimizer, _trainable(discriminators))


def _trainable(models: Iterable[keras.Model]) -> list[keras.Variable]:
    return [variable for model in models for variable in model.trainable_variables]
