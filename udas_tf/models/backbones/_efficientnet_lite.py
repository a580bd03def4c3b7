"""EfficientNet-Lite [Liu 2020]: EfficientNet without squeeze-and-excitation, with ReLU6 instead of swish.

keras-cv's has no dilation, which output strides 8 and 16 need.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from udas_tf.models.features import Features, Stage
from udas_tf.models.kernels.depthwise import depthwise_conv2d
from udas_tf.models.layers import ExtendToGrid, FrozenBatchNormConv2D, Shape

# Lite0's stages: blocks, kernel size, stride, expansion, filters. The others scale blocks and filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
ENDS = {1: 4, 2: 8, 4: 16, 6: 32}  # the last stage of each stride: index in STAGES -> stride
EPSILON = 1e-3  # of the batch norms


def map_size(pixels: int, output_stride: int) -> int:
    """Cells of the last stage along a side of so many pixels."""
    return -(-(pixels - 1) // output_stride) + 1


def efficientnet_lite(
    images: keras.KerasTensor, output_stride: int, stages: Sequence[tuple[int, int, int, int, int]]
) -> Features:
    """EfficientNet-Lite with frozen batch norm, without the original's last 1x1 convolution and classifier.

    Strides beyond `output_stride` are left out and what follows is dilated instead, so the features at
    positions 0, 32, 64, ... of the image are those of the original network of output stride 32, whatever the
    output stride.

    The original pads as TensorFlow's "same", which on even sizes puts the grid's first cell at pixel
    output_stride - 1. Here the image is first extended at the bottom and right, by the zeros that layers pad
    with, to a multiple of the output stride and one: there "same" is symmetric and the cells lie at pixels 0,
    8, 16, ..., as those of the ResNets. On a multiple of 32 and one (321x513) nothing is added and the
    network is the original.

    Layers carry the original's parameter names: `block3_depthwise` holds the weights of
    `_blocks.3._depthwise_conv` and of its batch norm `_blocks.3._bn1`.

    Args:
      images: RGB 0..255 [B, H, W, 3]; taken to (x - 127) / 128.
      output_stride: 8, 16 or 32.
      stages: as STAGES.
    """
    x = layers.Rescaling(1 / 128, offset=-127 / 128, dtype="float32", name="normalize")(images)
    x = ExtendToGrid(output_stride, dtype="float32", name="extend")(x)
    x = FrozenBatchNormConv2D(32, 3, 2, relu=False, epsilon=EPSILON, name="stem")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    stride, dilation, index, found = 2, 1, 0, {}
    for stage, (blocks, kernel_size, strides, expansion, filters) in enumerate(stages):
        for first in [True] + [False] * (blocks - 1):
            dilate = first and strides == 2 and stride == output_stride
            own_strides = strides if first and not dilate else 1
            x = _block(x, kernel_size, own_strides, dilation, expansion, filters, not first, f"block{index}")
            # The convolution whose stride is left out still sees what it saw; those after it are spread.
            dilation *= 2 if dilate else 1
            stride *= own_strides
            index += 1
        if stage in ENDS:
            found[ENDS[stage]] = Stage(f"block{index - 1}", x, stride)
    return Features(images, found)


def _block(
    x: keras.KerasTensor,
    kernel_size: int,
    strides: int,
    dilation: int,
    expansion: int,
    filters: int,
    residual: bool,
    name: str,
) -> keras.KerasTensor:
    """Inverted bottleneck: 1x1 to `expansion` times the channels, depthwise, 1x1 to `filters`."""
    shortcut = x
    common: dict[str, Any] = {"relu": False, "epsilon": EPSILON}
    if expansion > 1:
        x = FrozenBatchNormConv2D(expansion * x.shape[-1], 1, name=f"{name}_expand", **common)(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = FrozenBatchNormDepthwiseConv2D(x.shape[-1], kernel_size, strides, dilation, name=f"{name}_depthwise", **common)(
        x
    )
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = FrozenBatchNormConv2D(filters, 1, name=f"{name}_project", **common)(x)
    return layers.Add(name=f"{name}_add")([x, shortcut]) if residual else x


@keras.saving.register_keras_serializable(package="udas_tf")
class FrozenBatchNormDepthwiseConv2D(FrozenBatchNormConv2D):
    """FrozenBatchNormConv2D whose filter i sees channel i alone.

    `filters` is the number of channels, the kernel [kernel_size, kernel_size, 1, filters].
    """

    def kernel_shape(self, channels: int | None) -> Shape:
        return (self.kernel_size, self.kernel_size, 1, self.filters)

    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        kernel = tf.reshape(kernel, (self.kernel_size, self.kernel_size, self.filters, 1))
        return depthwise_conv2d(inputs, kernel, self.strides, self.dilation_rate)
