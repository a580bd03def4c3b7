"""Supervised training of the multi-level segmenter: the rows without adaptation, and the target-supervised one."""

from __future__ import annotations

import keras
import tensorflow as tf

from udas_tf import inference
from udas_tf.losses.segmentation import cross_entropy
from udas_tf.methods.method import Method


class Supervised(Method):
    """L_seg = L_seg^p + lambda_seg * L_seg^a (METHOD.md section 2).

    Args:
      segmenter: a network with outputs {"primary", "auxiliary"}.
      optimizer: of the segmenter, built.
      lambda_seg: weight of the auxiliary classifier.
    """

    def __init__(self, segmenter: keras.Model, optimizer: keras.optimizers.Optimizer, lambda_seg: float):
        super().__init__(["L_seg_p", "L_seg_a"])
        self.segmenter = segmenter
        self.term_weights = {"L_seg_p": 1.0, "L_seg_a": lambda_seg}
        self.prepare(optimizer)

    def loss_terms(self, batch: dict) -> dict[str, tf.Tensor]:
        """Unweighted terms of a batch {"image": float32 [B, H, W, 3], "label": uint8 [B, H, W]}."""
        outputs = inference.logits(self.segmenter, batch["image"], training=True)
        return {
            "L_seg_p": cross_entropy(batch["label"], outputs["primary"]),
            "L_seg_a": cross_entropy(batch["label"], outputs["auxiliary"]),
        }
