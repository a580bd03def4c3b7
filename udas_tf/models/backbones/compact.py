"""Small ResNet with group norm, for training from scratch with small batches on CPUs."""

from __future__ import annotations

import dataclasses
import functools

import keras
from keras import initializers, layers

from udas_tf.errors import UserError
from udas_tf.models.backbones import _resnet
from udas_tf.models.backbones._resnet import map_size
from udas_tf.models.features import Features
from udas_tf.models.layers import CeilMaxPool2D, GroupNorm, SymmetricConv2D

__all__ = ["Config", "build", "map_size"]

OUTPUT_STRIDES = (8, 16)
GROUPS = 8  # of each group norm. No statistic crosses images, so replicas agree with one device
WIDTHS = (1, 2, 4, 4)  # of the stages, times the first one's


@dataclasses.dataclass(frozen=True)
class Config:
    width: int = 64  # filters of the first stage, a multiple of 8; ResNet-18's [He et al. 2016]
    blocks: tuple[int, int, int, int] = (2, 2, 2, 2)  # two-convolution blocks of each stage; ResNet-18's


def build(images: keras.KerasTensor, output_stride: int, keys: Config) -> Features:
    """Basic-block ResNet; features of 1, 2, 4 and 4 times `width` channels. Images are scaled to [-2, 2).

    Raises:
      UserError: for blocks of other than four stages, or a width that GROUPS does not divide.
    """
    if len(keys.blocks) != len(WIDTHS):
        raise UserError(f"model.compact.blocks={tuple(keys.blocks)}; expected the blocks of four stages")
    x = layers.Rescaling(1 / 64, offset=-2.0, dtype="float32", name="normalize")(images)
    x = _conv_norm(x, keys.width, 3, "conv1", strides=2)
    x = CeilMaxPool2D(name="maxpool")(layers.ReLU(name="conv1_relu")(x))
    block = functools.partial(_basic_block, keys.width)
    return Features(images, _resnet.stages(x, block, keys.blocks, output_stride))


def _basic_block(
    width: int, x: keras.KerasTensor, stage: int, index: int, strides: int, dilation: int, name: str
) -> keras.KerasTensor:
    filters, shortcut = width * WIDTHS[stage - 1], x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = _conv_norm(x, filters, 1, f"{name}_downsample", strides)
    x = _conv_norm(x, filters, 3, f"{name}_conv1", strides, dilation)
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = _conv_norm(x, filters, 3, f"{name}_conv2", dilation=dilation)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))


def _conv_norm(
    x: keras.KerasTensor, filters: int, kernel_size: int, name: str, strides: int = 1, dilation: int = 1
) -> keras.KerasTensor:
    convolution = SymmetricConv2D(
        filters,
        kernel_size,
        strides=strides,
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer=initializers.HeNormal(),
        name=name,
    )
    return GroupNorm(GROUPS, name=f"{name}_norm")(convolution(x))
