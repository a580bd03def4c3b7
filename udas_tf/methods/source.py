"""Supervised training on the source images, plain or translated."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import schema
from udas_tf.data import pipeline
from udas_tf.methods import supervised
from udas_tf.training.checks import check_segmenter_training
from udas_tf.training.task import Task

READS = ("source",)
LEARNS = "{source}"
COLOUR = "#9aa5b1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(schema.SegmenterTraining):
    """Section `source`."""


def check(config: ConfigDict) -> None:
    """UserError for settings that do not go together."""
    check_segmenter_training(config, "source")


build = supervised.build


def batches(task: Task, start: int) -> tf.data.Dataset:
    """Batches {"image": uint8 [B, H, W, 3], "label": uint8 [B, H, W]}, from the one of step `start` on."""
    return pipeline.labelled(task.augmenting_loader(start), task.sets["source"], task.section.augment)
