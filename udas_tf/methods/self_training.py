"""A student trained on its teacher's pseudo-labels and on labelled images (docs/equations.md section 4)."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference
from udas_tf.losses.segmentation import cross_entropy, rectified_cross_entropy
from udas_tf.losses.self_training import consistency
from udas_tf.methods.method import Method

OTHER = {"primary": "auxiliary", "auxiliary": "primary"}


class SelfTraining(Method):
    """Supervised loss on labelled (mixed) and on pseudo-labelled images, and consistency with the teacher.

    The terms are those that `term_weights` names; without any on labelled images, these are not looked at.

    Args:
      segmenter: the student.
      teacher: a segmenter that stays as it is; None without L_consistency.
      optimizer: of the student, built.
      term_weights: of L_seg_p, L_seg_a, L_pseudo_p, L_pseudo_a and L_consistency; those in _a where the
        network has an auxiliary classifier.
      class_weights: float32 [C], of the pseudo-labelled pixels (`pseudo_labels.class_weights`).
      consistency_views: K of the teacher's maximum-confidence distribution.
      seed: of the teacher's views.
      rectify: the classifiers' disagreement weakens the pseudo-labels (`segmentation.rectified_cross_entropy`); the
        network must have both.
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
    ):
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

    def loss_terms(self, batch: dict) -> dict[str, tf.Tensor]:
        """Unweighted terms of a batch of `pipeline.self_training`."""
        parts = ("labelled", "pseudo") if self._reads_labelled() else ("pseudo",)
        images = (batch[part]["image"] for part in parts)
        outputs = dict(zip(parts, inference.joint_logits(self.segmenter, *images), strict=True))
        terms = {}
        for level, short in inference.levels(self.segmenter).items():
            if "labelled" in outputs:
                terms[f"L_seg_{short}"] = cross_entropy(
                    batch["labelled"]["label"], outputs["labelled"][level]
                )
            terms[f"L_pseudo_{short}"] = self.pseudo_loss(batch["pseudo"]["label"], outputs["pseudo"], level)
        if "L_consistency" in self.term_weights:
            labelled, on_labelled = batch["labelled"], outputs["labelled"]
            taught = self.teacher_distribution(labelled["clean"], labelled["transform"])
            terms["L_consistency"] = consistency(labelled["label"], taught, on_labelled["primary"])
        return {name: terms[name] for name in self.term_weights}  # a graph computes no more than these

    def pseudo_loss(self, labels: tf.Tensor, logits: dict[str, tf.Tensor], level: str) -> tf.Tensor:
        """L_pseudo of a level: plain, or rectified by the other level."""
        if self.rectify:
            return rectified_cross_entropy(labels, logits[level], logits[OTHER[level]], self.class_weights)
        return cross_entropy(labels, logits[level], self.class_weights)

    def teacher_distribution(self, clean: tf.Tensor, transforms: tf.Tensor) -> tf.Tensor:
        """What the teacher says of the images before AutoAugment, moved to where AutoAugment moved the pixels.

        Returns:
          float32 [B, H, W, C]; all zero at pixels that come from outside the image.
        """
        seed = tf.stack([self.seed, tf.cast(self.step, tf.int32)])
        return inference.maximum_confidence_distribution(
            self.teacher, clean, self.consistency_views, seed, moved=transforms
        )

    def _reads_labelled(self) -> bool:
        return any(name == "L_consistency" or name.startswith("L_seg") for name in self.term_weights)
