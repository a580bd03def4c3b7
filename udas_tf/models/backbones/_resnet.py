"""Residual networks of output stride 8 or 16: what the dilated ResNets and the compact one share.

The stem, the ceil-mode pooling and the second stage, of stride 2 each, take n pixels to (n + 1) // 8 + 1
cells (321x513 becomes 41x65, 96x192 becomes 13x25), which lie at pixels 0, 8, 16, ... of the image. At output
stride 8 the third and fourth stage keep that size and are dilated by 2 and 4; at 16 the third has stride 2,
which leaves every second row and column, and the fourth is dilated by 2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras
from keras import layers

from udas_tf.models.features import Features, Stage
from udas_tf.models.layers import CaffeNormalization, CeilMaxPool2D, FrozenBatchNormConv2D

# Strides and dilations of the four stages, by output stride.
STRIDES = {8: (1, 2, 1, 1), 16: (1, 2, 2, 1)}
DILATIONS = {8: (1, 1, 2, 4), 16: (1, 1, 1, 2)}

# (maps, stage from 1 to 4, index of the block in it, stride, dilation, name) -> maps
Block = Callable[[keras.KerasTensor, int, int, int, int, str], keras.KerasTensor]


def map_size(pixels: int, output_stride: int) -> int:
    """Cells of the last stage along a side of so many pixels."""
    return (pixels + 1) // output_stride + 1


def stages(x: keras.KerasTensor, block: Block, counts: Sequence[int], output_stride: int) -> dict[int, Stage]:
    """Four stages of `counts` blocks on the pooled stem `x`, by the stride of the undilated network."""
    found, stride = {}, 4
    steps = zip(counts, STRIDES[output_stride], DILATIONS[output_stride], strict=True)
    for stage, (count, strides, dilation) in enumerate(steps, start=1):
        for index in range(count):
            x = block(x, stage, index, strides if index == 0 else 1, dilation, f"layer{stage}_{index}")
        stride *= strides
        found[2 ** (stage + 1)] = Stage(f"layer{stage}", x, stride)
    return found


# --- dilated ResNet-50/101, as AdaptSegNet's model/deeplab_multi.py -----------------------------------------


def dilated_resnet(images: keras.KerasTensor, counts: Sequence[int], output_stride: int) -> Features:
    """Bottleneck ResNet with caffe-style strides and frozen batch norm: 256, 512, 1024 and 2048 channels.

    Layers carry the original's parameter names with underscores for dots: `layer3_0_conv2` holds the weights
    of `layer3.0.conv2` and of its batch norm `layer3.0.bn2`; `layer3_0_downsample` those of `downsample.0`
    and `.1`.

    Args:
      images: RGB 0..255 [B, H, W, 3].
      counts: blocks in each of the four stages [He et al. 2016].
      output_stride: 8 or 16.
    """
    x = CaffeNormalization(dtype="float32", name="normalize")(images)
    x = FrozenBatchNormConv2D(64, 7, strides=2, name="conv1")(x)
    x = CeilMaxPool2D(name="maxpool")(x)
    return Features(images, stages(x, _bottleneck, counts, output_stride))


def _bottleneck(
    x: keras.KerasTensor, stage: int, index: int, strides: int, dilation: int, name: str
) -> keras.KerasTensor:
    """1x1, 3x3, 1x1 with four times the width at the end; the stride is in the first 1x1, as in caffe."""
    width, shortcut = 32 * 2**stage, x
    if index == 0:
        shortcut = FrozenBatchNormConv2D(4 * width, 1, strides, relu=False, name=f"{name}_downsample")(x)
    x = FrozenBatchNormConv2D(width, 1, strides, name=f"{name}_conv1")(x)
    x = FrozenBatchNormConv2D(width, 3, dilation_rate=dilation, name=f"{name}_conv2")(x)
    x = FrozenBatchNormConv2D(4 * width, 1, relu=False, name=f"{name}_conv3")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))
