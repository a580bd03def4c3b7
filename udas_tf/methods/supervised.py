"""Supervised training on the labelled target images alone."""

from __future__ import annotations

import dataclasses

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import inference, schema
from udas_tf.data import pipeline
from udas_tf.losses.segmentation import cross_entropy
from udas_tf.training.checks import check_segmenter_training
from udas_tf.training.method import Method
from udas_tf.training.optimizers import segmenter_optimizer
from udas_tf.training.task import Task

READS = ("labelled",)
LEARNS = "the labelled target images alone"
COLOUR = "#d9a566"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(schema.SegmenterTraining):
    """Section `supervised`."""

    augment: schema.Augmentation = "auto"  # flip = left to right; auto = flip, then AutoAugment


class Supervised(Method):
    """Trains a segmenter with L_seg = L_seg^p + weight_auxiliary * L_seg^a (docs/equations.md section 2).

    Args:
      segmenter: network with the outputs {"primary", "auxiliary"}, or {"primary"} alone, which has no second term.
      optimizer: built on the segmenter's variables.
      weight_auxiliary: of L_seg^a.
    """

    def __init__(self, segmenter: keras.Model, optimizer: keras.optimizers.Optimizer, weight_auxiliary: float) -> None:
        weights = {"primary": 1.0, "auxiliary": weight_auxiliary}
        term_weights = {f"L_seg_{short}": weights[level] for level, short in inference.levels(segmenter).items()}
        super().__init__(term_weights)
        self.segmenter = segmenter
        self.term_weights = term_weights
        self.prepare(optimizer)

    def loss_terms(self, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Unweighted terms of a batch {"image": uint8 [B, H, W, 3], "label": uint8 [B, H, W]}."""
        outputs = inference.logits(self.segmenter, batch["image"], training=True)
        return {
            f"L_seg_{short}": cross_entropy(batch["label"], outputs[level])
            for level, short in inference.levels(self.segmenter).items()
        }


def check(config: ConfigDict) -> None:
    """UserError for settings that do not go together."""
    check_segmenter_training(config, "supervised")


def build(task: Task) -> Supervised:
    """The method with its network."""
    segmenter = task.network("initial")
    return Supervised(segmenter, segmenter_optimizer(task.section, segmenter), task.section.weight_auxiliary)


def batches(task: Task, start: int) -> tf.data.Dataset:
    """Batches {"image": uint8 [B, H, W, 3], "label": uint8 [B, H, W]}, from the one of step `start` on."""
    return pipeline.labelled(task.augmenting_loader(start), task.sets["labelled"], task.section.augment)
