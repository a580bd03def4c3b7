"""Adversarial adaptation of one or two classifiers, and their agreement (docs/equations.md section 2).

AdaptSegNet, AdvEnt, MinEnt, the first stage of Seg-Uncertainty and the second stage of CyCADA are settings of it
(configs/methods).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Literal

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import inference, plugins, schema
from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.inference import LEVELS
from udas_tf.losses import adversarial, entropy
from udas_tf.losses.adversarial import SOURCE
from udas_tf.losses.reduction import sum_over_replicas
from udas_tf.losses.segmentation import AGREEMENTS, cross_entropy
from udas_tf.models import discriminators
from udas_tf.models.segmenter import BACKBONES
from udas_tf.taxonomy import ClassSet
from udas_tf.training import optimizers
from udas_tf.training.checks import check_segmenter_training
from udas_tf.training.method import Method, minimize, weighted_sum
from udas_tf.training.task import Task

READS = ("source", "mixed", "target")
LEARNS = "{source}; adversarially adapted to the unlabelled target images"
COLOUR = "#5b8db8"
NETWORKS = ("output_discriminator",)

Batch = dict[str, dict[str, tf.Tensor]]
Maps = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(schema.SegmenterTraining):
    """Section `uda`."""

    augment_mixed: schema.Augmentation = "auto"  # augmentation of the Domain CutMix batch
    adversarial_loss: Literal["bce", "least_squares"] = "bce"  # loss of the discriminators, and of L_adv
    # softmax maps, AdvEnt's weighted self-information, or the features that the classifier reads (CyCADA)
    discriminator_input: Literal["softmax", "self_information", "features"] = "softmax"
    # the network: AdaptSegNet's, Seg-Uncertainty's, or CyCADA's for features
    discriminator: Literal["fully_convolutional", "multi_scale", "pixelwise"] = "fully_convolutional"
    # filters of the first convolution; 64 in fully_convolutional, 32 in multi_scale, 512 in pixelwise as published
    discriminator_width: schema.Positive = 64
    # adam with betas 0.9 and 0.99; sgd with the segmenter's momentum and weight decay
    discriminator_optimizer: Literal["adam", "sgd"] = "adam"
    discriminator_learning_rate: float = 1e-4  # learning rate at step 0; it decays as the segmenter's
    weight_adv_primary: schema.Weight = 1e-3  # weight of L_adv^p; 0 = without that discriminator
    weight_adv_auxiliary: schema.Weight = 2e-4  # weight of L_adv^a; 0 = without that discriminator
    # L_adv counts while the discriminators' accuracy, a mean over some 100 steps, is above this; None = always
    adversarial_above_accuracy: schema.Threshold | None = None
    weight_entropy_primary: schema.Weight = 0.0  # weight of L_ent^p, the entropy on the target (MinEnt)
    weight_entropy_auxiliary: schema.Weight = 0.0  # weight of L_ent^a
    weight_kl: schema.Weight = 0.1  # weight of L_kl
    # symmetric = between the two classifiers; memory = from both to their mean, as Seg-Uncertainty's code
    kl: Literal["symmetric", "memory"] = "symmetric"
    kl_warmup: schema.Share = 0.15  # fraction of the steps before L_kl counts


# Input of the discriminators -> how it is computed from logits. "features" are computed by the segmenter.
DISCRIMINATOR_INPUTS = {"softmax": tf.nn.softmax, "self_information": entropy.self_information}
SMALLEST_MAP = 32  # pixels a side that the fully convolutional discriminator needs: it halves maps five times
FOLLOWED_STEPS = 100  # of the running mean of the discriminators' accuracy, as in CyCADA's code


def classifier_features(segmenter: keras.Model, level: str) -> keras.KerasTensor:
    """The feature map that the classifier of a level reads; UserError for a head without parallel convolutions."""
    try:
        return segmenter.get_layer(f"{level}_classifier_0").input
    except ValueError as error:
        raise UserError(
            f"uda.discriminator_input='features' is not supported by the head {segmenter.name}, which has no "
            "convolutions side by side; choose model.head=deeplab_v2 or seg_uncertainty"
        ) from error


class OutputAdaptation(Method):
    """Trains a segmenter with L_seg + L_adv + L_kl against one discriminator a level, or with L_seg + L_ent.

    The loss has the terms that `term_weights` names. The source batch may be plain, translated, or mixed with labelled
    target images: the method does not see the difference.

    Args:
      segmenter: network with the outputs {"primary", "auxiliary"}, or {"primary"} alone.
      discriminators: level -> network, float32 [B, H, W, channels] -> list of score maps. Levels may be missing.
      segmenter_optimizer: built on the segmenter's variables.
      discriminator_optimizer: built on the variables of all discriminators; None without discriminators.
      term_weights: of L_seg_p, L_adv_p, L_ent_p; of L_seg_a, L_adv_a, L_ent_a and L_kl where the segmenter has the
        auxiliary level. L_adv needs the discriminator of its level.
      adversarial_loss: key of losses.adversarial.LOSSES.
      kl_from_step: step from which L_kl counts.
      kl: key of losses.segmentation.AGREEMENTS.
      discriminator_input: what discriminators see: a key of DISCRIMINATOR_INPUTS, as [B, H, W, C] at image size; or
        "features", what the classifier reads, [B, h, w, channels].
      above_accuracy: L_adv counts while the discriminators' mean accuracy is above this; None = always.
    """

    def __init__(
        self,
        segmenter: keras.Model,
        discriminators: dict[str, keras.Model],
        segmenter_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer | None,
        term_weights: dict[str, float],
        adversarial_loss: str,
        kl_from_step: int,
        kl: str = "symmetric",
        discriminator_input: str = "softmax",
        above_accuracy: float | None = None,
    ) -> None:
        discriminator_names = [f"{kind}_{LEVELS[level]}" for kind in ("L_D", "D_accuracy") for level in discriminators]
        super().__init__([*term_weights, *discriminator_names])
        self.segmenter = segmenter
        self.discriminators = self.track("discriminator", discriminators)
        self.discriminator_optimizer: keras.optimizers.Optimizer = discriminator_optimizer
        self.term_weights = dict(term_weights)
        self.adversarial_loss = adversarial_loss
        self.kl_from_step = kl_from_step
        self.agreement = AGREEMENTS[kl]
        self.discriminator_input = discriminator_input
        self.network = self._with_features() if discriminator_input == "features" else segmenter
        self.above_accuracy = above_accuracy
        if above_accuracy is not None:
            self.followed_accuracy = self.add_weight(
                shape=(),
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
                name="accuracy",
            )
        self.prepare(segmenter_optimizer)

    def loss_terms(self, batch: Batch, source: Maps, target: Maps) -> dict[str, tf.Tensor]:
        """Unweighted terms of the segmenter.

        Args:
          batch: {"source": {"image", "label"}, "target": {"image"}}.
          source, target: what `self.network` says of each domain's images: level -> logits float32 [B, H, W, C] at
            image size, and the features where discriminators see them.
        """
        terms = {}
        for level, short in inference.levels(self.segmenter).items():
            terms[f"L_seg_{short}"] = cross_entropy(batch["source"]["label"], source[level])
            terms[f"L_ent_{short}"] = entropy.entropy(target[level])
        for level, discriminator in self.discriminators.items():
            scores = discriminator(self.input_of_discriminator(target, level), training=False)
            terms[f"L_adv_{LEVELS[level]}"] = adversarial.adversarial(scores, SOURCE, self.adversarial_loss)
        if "auxiliary" in target:
            terms["L_kl"] = self.agreement(target["primary"], target["auxiliary"])
        return {name: terms[name] for name in self.term_weights}  # a graph leaves out the rest

    def discriminator_terms(self, source: Maps, target: Maps) -> dict[str, tf.Tensor]:
        """Loss and accuracy of each discriminator; no gradient flows to the segmenter. Arguments as `loss_terms`'s."""
        terms = {}
        for level, discriminator in self.discriminators.items():
            short = LEVELS[level]
            source_scores, target_scores = (
                discriminator(tf.stop_gradient(self.input_of_discriminator(outputs, level)), training=True)
                for outputs in (source, target)
            )
            judged = (source_scores, target_scores, self.adversarial_loss)
            terms[f"L_D_{short}"] = adversarial.discriminator(*judged)
            terms[f"D_accuracy_{short}"] = adversarial.accuracy(*judged)
        return terms

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            source, target = inference.joint_logits(self.network, batch["source"]["image"], batch["target"]["image"])
            terms = self.loss_terms(batch, source, target)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.current_weights()))
        if self.discriminators:
            terms |= self.train_discriminators(source, target)
        minimize(self.optimizer, loss, tape, self.segmenter.trainable_variables)
        return self.logged(terms)

    def train_discriminators(self, source: Maps, target: Maps) -> dict[str, tf.Tensor]:
        """One step of all discriminators. Returns their terms before the step."""
        with tf.GradientTape() as tape:
            terms = self.discriminator_terms(source, target)
            total = tf.add_n([terms[f"L_D_{LEVELS[level]}"] for level in self.discriminators])
            loss = self.discriminator_optimizer.scale_loss(total)
        minimize(self.discriminator_optimizer, loss, tape, optimizers.trainable(self.discriminators.values()))
        if self.above_accuracy is not None:
            self._follow([terms[f"D_accuracy_{LEVELS[level]}"] for level in self.discriminators])
        return terms

    def current_weights(self) -> dict[str, tf.Tensor | float]:
        """The term weights of this step: L_kl's is 0 during its warm-up, L_adv's while discriminators err too often."""
        on: dict[str, tf.Tensor] = {"L_kl": self.step >= self.kl_from_step}
        if self.above_accuracy is not None:
            good = self.followed_accuracy > self.above_accuracy
            on |= {f"L_adv_{LEVELS[level]}": good for level in self.discriminators}
        return self.term_weights | {
            name: tf.cast(switch, tf.float32) * self.term_weights[name]
            for name, switch in on.items()
            if name in self.term_weights
        }

    def input_of_discriminator(self, outputs: Maps, level: str) -> tf.Tensor:
        """What the discriminator of a level sees of the network's outputs."""
        if self.discriminator_input == "features":
            return tf.cast(outputs[f"{level}_features"], tf.float32)
        return DISCRIMINATOR_INPUTS[self.discriminator_input](outputs[level])

    def _with_features(self) -> keras.Model:
        """The segmenter with further outputs, "LEVEL_features", for the levels that have a discriminator.

        It is of the segmenter's own class, which may be one that computes blocks twice.
        """
        features = {f"{level}_features": classifier_features(self.segmenter, level) for level in self.discriminators}
        return type(self.segmenter)(self.segmenter.input, self.segmenter.output | features)

    def _follow(self, accuracies: list[tf.Tensor]) -> None:
        """Adds a step to the running mean of the accuracy: plain at first, exponential after FOLLOWED_STEPS."""
        accuracy = sum_over_replicas(tf.add_n(accuracies)) / len(accuracies)
        share = tf.maximum(1.0 / (tf.cast(self.step, tf.float32) + 1.0), 1.0 / FOLLOWED_STEPS)
        self.followed_accuracy.assign_add(share * (accuracy - self.followed_accuracy))


def check(config: ConfigDict) -> None:
    """UserError for settings that do not go together."""
    section = config.uda
    check_segmenter_training(config, "uda")
    if section.discriminator_input == "features" and section.discriminator == "fully_convolutional":
        backbone = plugins.load(BACKBONES, config.model.backbone, "model.backbone")
        smallest = backbone.map_size(min(config.data.size), config.model.output_stride)
        if smallest < SMALLEST_MAP:
            raise UserError(
                f"uda.discriminator_input='features' shows the discriminator maps of {smallest} pixels at data.size="
                f"{tuple(config.data.size)}, and 'fully_convolutional' takes {SMALLEST_MAP} or more; set "
                "uda.discriminator=pixelwise"
            )


def build(task: Task) -> OutputAdaptation:
    """The method with its networks. A term of weight 0 is left out, and so is a discriminator without a term."""
    section, segmenter = task.section, task.network("initial")
    weights = inference.used_terms(
        {
            "L_seg_p": 1.0,
            "L_seg_a": section.weight_auxiliary,
            "L_adv_p": section.weight_adv_primary,
            "L_adv_a": section.weight_adv_auxiliary,
            "L_ent_p": section.weight_entropy_primary,
            "L_ent_a": section.weight_entropy_auxiliary,
            "L_kl": section.weight_kl,
        },
        segmenter,
    )
    judged = [level for level, short in inference.LEVELS.items() if f"L_adv_{short}" in weights]
    networks = {level: _discriminator(section, _channels(task, segmenter, level)) for level in judged}
    return OutputAdaptation(
        segmenter,
        networks,
        optimizers.segmenter_optimizer(section, segmenter),
        _discriminator_optimizer(section, networks.values()) if networks else None,
        weights,
        section.adversarial_loss,
        kl_from_step=round(section.kl_warmup * section.steps),
        kl=section.kl,
        discriminator_input=section.discriminator_input,
        above_accuracy=section.adversarial_above_accuracy if networks else None,
    )


def batches(task: Task, start: int) -> tf.data.Dataset:
    """Batches {"source": {"image", "label"}, "target": {"image"}}, uint8, from the one of step `start` on."""
    return pipeline.adaptation(
        task.augmenting_loader(start),
        task.sets["source"],
        task.sets["target"],
        task.sets.get("mixed"),
        task.section.augment,
        task.section.augment_mixed,
    )


def network(name: str, config: ConfigDict, classes: ClassSet) -> keras.Model:
    """The discriminator of softmax maps, for weights to be imported into."""
    return _discriminator(config.uda, len(classes))


def _discriminator(section: ConfigDict, channels: int) -> keras.Model:
    return discriminators.OF_OUTPUTS[section.discriminator](channels, width=section.discriminator_width)


def _channels(task: Task, segmenter: keras.Model, level: str) -> int:
    """Channels of what the discriminator of a level sees."""
    if task.section.discriminator_input != "features":
        return len(task.classes)
    return classifier_features(segmenter, level).shape[-1]


def _discriminator_optimizer(section: ConfigDict, networks: Iterable[keras.Model]) -> keras.optimizers.Optimizer:
    schedule = optimizers.poly(
        section.discriminator_learning_rate, section.decay_steps or section.steps, section.poly_power
    )
    if section.discriminator_optimizer == "sgd":
        optimizer = optimizers.SegmenterSGD(schedule, section.momentum, section.weight_decay, factors={})
    else:
        optimizer = optimizers.TorchAdam(schedule, beta_1=0.9, beta_2=0.99)
    return optimizers.built(optimizer, optimizers.trainable(networks))
