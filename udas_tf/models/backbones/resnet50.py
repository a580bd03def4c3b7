"""ResNet-50, dilated, with frozen batch norm: DeepLab v2's backbone, for ImageNet weights.

As AdaptSegNet's model/deeplab_multi.py. Random weights are of no use in it: import some.
"""

from __future__ import annotations

import keras

from udas_tf.models.backbones._resnet import dilated_resnet, map_size
from udas_tf.models.features import Features

__all__ = ["build", "map_size"]

OUTPUT_STRIDES = (8, 16)
KERAS_APPLICATION = "ResNet50"
BLOCKS = (3, 4, 6, 3)  # in each of the four stages


def build(images: keras.KerasTensor, output_stride: int, keys: None = None) -> Features:
    """Features of 256, 512, 1024 and 2048 channels; see `_resnet.dilated_resnet`."""
    return dilated_resnet(images, BLOCKS, output_stride)
