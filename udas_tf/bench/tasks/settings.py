"""The config of a measurement, and tasks for methods without records."""

from __future__ import annotations

import keras
from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import networks
from udas_tf.bench.workloads import Scale
from udas_tf.data import class_file
from udas_tf.taxonomy import ClassSet
from udas_tf.training.task import Task


def config(scale: Scale, precision: str) -> ConfigDict:
    """configs/base.py at the sizes of `scale`, with L_kl from the first step on."""
    return configs.override(
        configs.base_config(),
        {
            "precision": precision,
            "replicas": scale.replicas,
            "classes": scale.classes,
            "data.size": scale.size,
            "model.backbone": scale.backbone,
            "model.compact.width": scale.width,
            "uda.batch_size": scale.batch,
            "uda.discriminator_width": scale.width,
            "uda.kl_warmup": 0.0,
            "translate.batch_size": scale.batch,
            "translate.crop": scale.crop,
            "translate.width": scale.width,
            "translate.blocks": scale.blocks,
            "translate.discriminator_width": scale.width,
            "pseudo_label.views": scale.views,
        },
    )


def classes(config: ConfigDict) -> ClassSet:
    """The class set that a config names."""
    return class_file.class_set(config.classes)


def task(config: ConfigDict, stage: str) -> Task:
    """What a method needs to be built: a new segmenter, and no sets, since its batches are made elsewhere."""
    own = classes(config)
    return Task(config, stage, own, {}, {"initial": lambda: networks.segmenter(config, len(own))})


def use(config: ConfigDict) -> None:
    """Sets precision and seed for networks that are built outside a training."""
    keras.config.set_dtype_policy(config.precision)
    keras.utils.set_random_seed(config.seed + 1)


def dtype(precision: str) -> str:
    """The dtype of the convolutions in a precision: a key of the machine's ceilings."""
    return {"float32": "float32", "mixed_bfloat16": "bfloat16"}[precision]
