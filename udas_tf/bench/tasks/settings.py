"""The config of a run at the sizes of a measurement."""

from __future__ import annotations

from udas_tf import config as configs
from udas_tf.bench.workloads import Scale


def config(scale: Scale, precision: str):
    """configs/base.py at the sizes of `scale`, with L_kl on from the first step."""
    return configs.override(
        configs.base_config(),
        {
            "precision": precision,
            "replicas": scale.replicas,
            "classes": scale.classes,
            "data.size": scale.size,
            "model.backbone": scale.backbone,
            "model.width": scale.width,
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


def dtype(precision: str) -> str:
    """In which dtype the convolutions of a precision compute: a key of the machine's ceilings."""
    return {"float32": "float32", "mixed_bfloat16": "bfloat16"}[precision]
