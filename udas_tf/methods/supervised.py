"""Supervised training of the segmenter: the rows without adaptation, and the target-supervised one."""

from __future__ import annotations

import keras
import tensorflow as tf

from udas_tf import inference
from udas_tf.losses.segmentation import cross_entropy
from udas_tf.methods.method import Method


class Supervised(Method):
    """L_seg = L_seg^p + lambda_seg * L_seg^a (docs/equations.md section 2), the second where the network has that level.

    Args:
      segmenter: a network with outputs {"primary", "auxiliary"}, or {"primary"} alone.
      optimizer: of the segmenter, built.
      lambda_seg: weight of the auxiliary classifier.
    """

    def __init__(self, segmenter: keras.Model, optimizer: keras.optimizers.Optimizer, lambda_seg: float):
        weights = {"primary": 1.0, "auxiliary": lambda_seg}
        term_weights = {
            f"L_seg_{short}": weights[level] for level, short in inference.levels(segmenter).items()
        }
        super().__init__(term_weights)
        self.segmenter = segmenter
        self.term_weights = term_weights
        self.prepare(optimizer)

    def loss_terms(self, batch: dict) -> dict[str, tf.Tensor]:
        """Unweighted terms of a batch {"image": uint8 [B, H, W, 3], "label": uint8 [B, H, W]}."""
        outputs = inference.logits(self.segmenter, batch["image"], training=True)
        return {
            f"L_seg_{short}": cross_entropy(batch["label"], outputs[level])
            for level, short in inference.levels(self.segmenter).items()
        }
