"""Networks that are built and run in a moment."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import keras

from udas_tf.models import segmenter
from udas_tf.models.backbones import compact

BACKBONE = compact.Config(width=8, blocks=(1, 1, 1, 1))


def small(head: str = "deeplab_v2", num_classes: int = 5, head_keys: Any = None, **options: Any) -> keras.Model:
    """A head on the compact backbone."""
    return segmenter.build("compact", head, num_classes, backbone_keys=BACKBONE, head_keys=head_keys, **options)


def maps(backbone: ModuleType, output_stride: int = 8, keys: Any = None) -> keras.Model:
    """A backbone alone: from images to the maps of its stages, by stride."""
    images = keras.Input((None, None, 3))
    stages = backbone.build(images, output_stride, keys).stages
    return keras.Model(images, {stride: stage.maps for stride, stage in stages.items()})
