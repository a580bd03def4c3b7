"""Training of a student on its teacher's pseudo-labels and on labelled images (docs/equations.md section 4)."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import confidence, inference, schema
from udas_tf.data import pipeline
from udas_tf.losses.segmentation import cross_entropy, rectified_cross_entropy
from udas_tf.losses.self_training import consistency
from udas_tf.pseudo_labels import views
from udas_tf.training.checks import check_segmenter_training
from udas_tf.training.method import Method
from udas_tf.training.optimizers import segmenter_optimizer
from udas_tf.training.task import Task, require_levels

READS = ("source", "mixed", "pseudo_labels")
LEARNS = "{source}; target images with pseudo-labels of {teacher}"
COLOUR = "#1f5f8b"
ALSO = ("pseudo_label",)  # sections of the config, besides its own, that change the training


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(schema.SegmenterTraining):
    """Section `student`."""

    stop_rule: bool = False  # end the rounds once one makes the pseudo-labels worse
    augment_mixed: schema.Augmentation = "auto"  # augmentation of the labelled batch where the row is mixed
    augment_pseudo: schema.Augmentation = "auto"  # augmentation of the pseudo-labelled batch
    cutmix_pseudo: bool = False  # put boxes of the labelled batch into the pseudo-labelled one, too
    weight_labelled: schema.Weight = 1.0  # weight of L_seg, the cross entropy of labelled images
    weight_pseudo: schema.Weight = 1.0  # weight of L_pseudo, the cross entropy of pseudo-labelled images
    weight_consistency: schema.Weight = 0.1  # weight of L_consistency, KL(teacher || student) on labelled pixels
    consistency_views: schema.Positive = 3  # K, views of an image that the teacher sees for L_consistency
    class_weight_power: schema.Share = 0.0  # b: a class weighs (1 / its share of pixels) ** b in L_pseudo
    rectify: bool = False  # weaken pseudo-labels where the two classifiers disagree (Seg-Uncertainty)


# A level -> the level whose disagreement rectifies it.
OTHER = {"primary": "auxiliary", "auxiliary": "primary"}


class SelfTraining(Method):
    """Trains a student with L_seg on labelled images, L_pseudo on pseudo-labelled ones, and L_consistency.

    The loss has the terms that `term_weights` names. Without a term on labelled images these are not read.

    Args:
      segmenter: the student.
      teacher: a segmenter, which stays as it is; None without L_consistency.
      optimizer: built on the student's variables.
      term_weights: of L_seg_p, L_pseudo_p and L_consistency; of L_seg_a and L_pseudo_a where the student has the
        auxiliary level.
      class_weights: float32 [C], of the pseudo-labelled pixels (`confidence.class_weights`).
      consistency_views: K of the teacher's maximum-confidence distribution.
      seed: of the teacher's views.
      rectify: use `segmentation.rectified_cross_entropy` for L_pseudo; the student must have both levels.
    """

    def __init__(
        self,
        segmenter: keras.Model,
        teacher: keras.Model | None,
        optimizer: keras.optimizers.Optimizer,
        term_weights: dict[str, float],
        class_weights: np.ndarray,
        consistency_views: int,
        seed: int,
        rectify: bool = False,
    ) -> None:
        super().__init__(term_weights)
        self.segmenter = segmenter
        self.teacher = teacher
        if teacher is not None:
            teacher.trainable = False
        self.term_weights = dict(term_weights)
        self.class_weights = tf.constant(class_weights, tf.float32)
        self.consistency_views = consistency_views
        self.seed = seed
        self.rectify = rectify
        self.prepare(optimizer)

    def loss_terms(self, batch: dict[str, dict[str, tf.Tensor]]) -> dict[str, tf.Tensor]:
        """Unweighted terms of a batch of `pipeline.self_training`."""
        parts = ("labelled", "pseudo") if self._reads_labelled() else ("pseudo",)
        images = (batch[part]["image"] for part in parts)
        outputs = dict(zip(parts, inference.joint_logits(self.segmenter, *images), strict=True))
        terms = {}
        for level, short in inference.levels(self.segmenter).items():
            if "labelled" in outputs:
                terms[f"L_seg_{short}"] = cross_entropy(batch["labelled"]["label"], outputs["labelled"][level])
            terms[f"L_pseudo_{short}"] = self.pseudo_loss(batch["pseudo"]["label"], outputs["pseudo"], level)
        if "L_consistency" in self.term_weights:
            labelled, on_labelled = batch["labelled"], outputs["labelled"]
            distribution = self.teacher_distribution(labelled["clean"], labelled["transform"])
            terms["L_consistency"] = consistency(labelled["label"], distribution, on_labelled["primary"])
        return {name: terms[name] for name in self.term_weights}  # a graph leaves out the rest

    def pseudo_loss(self, labels: tf.Tensor, logits: dict[str, tf.Tensor], level: str) -> tf.Tensor:
        """L_pseudo of a level: the cross entropy, rectified by the other level where `rectify` is set."""
        if self.rectify:
            return rectified_cross_entropy(labels, logits[level], logits[OTHER[level]], self.class_weights)
        return cross_entropy(labels, logits[level], self.class_weights)

    def teacher_distribution(self, clean: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
        """The teacher's maximum-confidence distribution of images before AutoAugment, at the pixels after it.

        Args:
          clean: uint8 or float [B, H, W, 3], images before AutoAugment.
          transforms: float32 [B, 2, 3], how AutoAugment moved them.

        Returns:
          float32 [B, H, W, C]; all zero at pixels that come from outside the image.
        """
        seed = tf.stack([self.seed, tf.cast(self.step, tf.int32)])
        return views.maximum_confidence_distribution(
            self.teacher, clean, self.consistency_views, seed, moved=transforms
        )

    def _reads_labelled(self) -> bool:
        return any(name == "L_consistency" or name.startswith("L_seg") for name in self.term_weights)


def check(config: ConfigDict) -> None:
    """UserError for settings that do not go together."""
    check_segmenter_training(config, "student")


def build(task: Task) -> SelfTraining:
    """The method with its networks. A term of weight 0 is left out; so is the teacher without L_consistency."""
    section, segmenter = task.section, task.network("initial")
    if section.rectify:
        require_levels(task, ("primary", "auxiliary"), "rectify", segmenter)
    weights = {
        "L_seg_p": section.weight_labelled,
        "L_seg_a": section.weight_labelled * section.weight_auxiliary,
        "L_pseudo_p": section.weight_pseudo,
        "L_pseudo_a": section.weight_pseudo * section.weight_auxiliary,
        "L_consistency": section.weight_consistency,
    }
    histogram = _histogram(task)
    class_weights = confidence.class_weights(
        histogram, _thresholds(task, histogram), len(task.classes), section.class_weight_power
    )
    return SelfTraining(
        segmenter,
        task.network("teacher") if section.weight_consistency else None,
        segmenter_optimizer(section, segmenter),
        inference.used_terms(weights, segmenter),
        class_weights,
        section.consistency_views,
        task.config.seed,
        section.rectify,
    )


def batches(task: Task, start: int) -> tf.data.Dataset:
    """Batches {"labelled": {"image", "label", "clean", "transform"}, "pseudo": {"image", "label"}}, from `start` on."""
    section = task.section
    return pipeline.self_training(
        task.augmenting_loader(start),
        task.sets["source"],
        task.sets.get("mixed"),
        task.sets["pseudo_labels"],
        _thresholds(task, _histogram(task)),
        section.augment_mixed,
        section.augment_pseudo,
        section.cutmix_pseudo,
    )


def _histogram(task: Task) -> np.ndarray:
    """int [256, 256]: pseudo-labelled pixels by label and stored confidence."""
    if task.histogram is None:
        raise ValueError(f"a training of {task.stage} was given no pseudo-labels")
    return task.histogram()


def _thresholds(task: Task, histogram: np.ndarray) -> np.ndarray:
    """uint8 [256] by label: the least stored confidence of a pseudo-label that counts."""
    section = task.config.pseudo_label
    return confidence.class_thresholds(histogram, section.threshold, section.min_class_fraction)
