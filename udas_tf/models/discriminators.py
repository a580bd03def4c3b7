"""Discriminators. Each is a functional model that returns a list of score maps, one a scale, of float32
logits.

The first two judge segmentations (softmax probabilities [batch, height, width, C]), the third features, the
fourth images.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf
from keras import initializers, layers

from udas_tf.models.layers import ChannelDropout, GroupNorm, Shape, SymmetricConv2D


@keras.saving.register_keras_serializable(package="udas_tf")
class Discriminator(keras.Model):
    """Functional model that returns a list of score maps even where there is one, which Keras would
    unpack."""

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> list[tf.Tensor]:
        return tf.nest.flatten(super().call(inputs, training=training, mask=mask))


# --- of segmentations ---------------------------------------------------------------------------------------


def fully_convolutional(num_classes: int = 19, width: int = 64) -> keras.Model:
    """AdaptSegNet's FCDiscriminator: five 4x4 convolutions of stride 2, C -> width, x2, x4, x8 -> 1,
    LeakyReLU 0.2.

    Input: probabilities [batch, height, width, num_classes], at least 32 pixels high and wide. Output: a list
    of one logit map [batch, height // 32, width // 32, 1]. Layers `conv1` ... `conv4`, `classifier` as in the
    original, initial weights uniform in +-1/sqrt(fan_in) as PyTorch's default.
    """
    probabilities = x = keras.Input((None, None, num_classes), name="probabilities", dtype="float32")
    for index in range(4):
        x = _torch_default_conv(x, width * 2**index, f"conv{index + 1}")
        x = layers.LeakyReLU(0.2, name=f"conv{index + 1}_lrelu")(x)
    scores = _torch_default_conv(x, 1, "classifier")
    return Discriminator(probabilities, [_float32(scores, "scores")], name="fully_convolutional_discriminator")


def _torch_default_conv(
    x: keras.KerasTensor, filters: int, name: str, kernel_size: int = 4, strides: int = 2
) -> keras.KerasTensor:
    bound = 1 / math.sqrt(kernel_size**2 * x.shape[-1])
    uniform = [initializers.RandomUniform(-bound, bound) for _ in range(2)]
    return SymmetricConv2D(
        filters,
        kernel_size,
        strides=strides,
        kernel_initializer=uniform[0],
        bias_initializer=uniform[1],
        name=name,
    )(x)


def multi_scale(num_classes: int = 19, width: int = 32, scales: int = 3) -> keras.Model:
    """MsImageDis as Seg-Uncertainty uses it: the same network, with weights of its own, at 1, 1/2, 1/4, ...
    size.

    Per scale: 3x3 convolutions of strides 2, 1, 2, 1, 2, the last to twice the width, each with LeakyReLU
    0.2; four residual blocks; a 1x1 convolution. Zero padding, no normalisation; the original fixes width 32
    and three scales.

    Input: probabilities [batch, height, width, num_classes]. Output: a list of `scales` logit maps [batch,
    ceil(height / 8 / 2^s), ceil(width / 8 / 2^s), 1]. Layer `scale{s}_{i}` is the original's cnns.{s}.{i}.
    """
    probabilities = x = keras.Input((None, None, num_classes), name="probabilities", dtype="float32")
    scores = []
    for scale in range(scales):
        if scale:
            x = HalvingAveragePool2D(name=f"halve{scale}")(x)
        scores.append(_float32(_one_scale(x, width, f"scale{scale}"), f"scores{scale}"))
    return Discriminator(probabilities, scores, name="multi_scale_discriminator")


def _one_scale(x: keras.KerasTensor, width: int, name: str) -> keras.KerasTensor:
    for index, (filters, strides) in enumerate([(width, 2), (width, 1), (width, 2), (width, 1), (2 * width, 2)]):
        x = _conv_lrelu(x, filters, 3, f"{name}_{index}", strides)
    for index in range(5, 9):
        y = _conv_lrelu(x, 2 * width, 3, f"{name}_{index}_0")
        y = _gaussian_conv(y, 2 * width, 3, f"{name}_{index}_1")
        x = layers.Add(name=f"{name}_{index}_add")([x, y])
    return _gaussian_conv(x, 1, 1, f"{name}_9")


@keras.saving.register_keras_serializable(package="udas_tf")
class HalvingAveragePool2D(layers.Layer):
    """3x3 mean at every second pixel, over the pixels inside the image only; size rounded up.

    PyTorch's AvgPool2d(3, 2, padding=1, count_include_pad=False).
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        border = [[0, 0], [1, 1], [1, 1], [0, 0]]
        inside = tf.pad(tf.ones_like(inputs[:1, :, :, :1]), border)
        return _mean_3x3(tf.pad(inputs, border)) / _mean_3x3(inside)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        return (batch, *(size if size is None else (size + 1) // 2 for size in (height, width)), channels)


def _mean_3x3(padded: tf.Tensor) -> tf.Tensor:
    return tf.nn.avg_pool2d(padded, ksize=3, strides=2, padding="VALID")


# --- of features --------------------------------------------------------------------------------------------


def pixelwise(channels: int, width: int = 512, dropout: float = 0.5) -> keras.Model:
    """CyCADA's Discriminator: judges every pixel by itself, with 1x1 convolutions to width, width / 2 and 1.

    After each but the last, dropout of whole channels and ReLU; initial weights uniform in +-1/sqrt(fan_in)
    as PyTorch's default. The original scores the two domains by a logit each, which their difference
    replaces.

    Input: features [batch, height, width, channels] of any size. Output: a list of one logit map [batch,
    height, width, 1].
    """
    features = x = keras.Input((None, None, channels), name="features", dtype="float32")
    for index, filters in enumerate((width, width // 2)):
        x = _torch_default_conv(x, filters, f"conv{index + 1}", kernel_size=1, strides=1)
        x = ChannelDropout(dropout, name=f"conv{index + 1}_dropout")(x)
        x = layers.ReLU(name=f"conv{index + 1}_relu")(x)
    scores = _torch_default_conv(x, 1, "classifier", kernel_size=1, strides=1)
    return Discriminator(features, [_float32(scores, "scores")], name="pixelwise_discriminator")


# Name in the config -> function (channels, width) that builds it.
OF_OUTPUTS: dict[str, Callable[..., keras.Model]] = {
    "fully_convolutional": fully_convolutional,
    "multi_scale": multi_scale,
    "pixelwise": pixelwise,
}

# --- of images ----------------------------------------------------------------------------------------------


def patch_gan(width: int = 64, num_layers: int = 3) -> keras.Model:
    """CycleGAN's PatchGAN: each score sees 70x70 pixels with three layers.

    4x4 convolutions: `num_layers` of stride 2, to width, x2, x4, ... (at most x8), one more of stride 1, one
    to the score; LeakyReLU 0.2; instance norm without affine parameters after all but the first and the last.

    Input: RGB [batch, height, width, 3] in 0..255, scaled to [-1, 1] inside. Output: a list of one logit map,
    with three layers [batch, height // 8 - 2, width // 8 - 2, 1]. The convolution `conv{i}` is the i-th of
    the original.
    """
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="normalize")(images)
    x = _conv_lrelu(x, width, 4, "conv0", strides=2)
    for index in range(1, num_layers + 1):
        x = _gaussian_conv(x, width * min(2**index, 8), 4, f"conv{index}", strides=1 if index == num_layers else 2)
        x = GroupNorm(groups=-1, affine=False, name=f"conv{index}_norm")(x)
        x = layers.LeakyReLU(0.2, name=f"conv{index}_lrelu")(x)
    scores = _gaussian_conv(x, 1, 4, f"conv{num_layers + 1}")
    return Discriminator(images, [_float32(scores, "scores")], name="patch_gan")


# --- shared -------------------------------------------------------------------------------------------------


def _gaussian_conv(
    x: keras.KerasTensor, filters: int, kernel_size: int, name: str, strides: int = 1
) -> keras.KerasTensor:
    """Initial kernels of deviation 0.02 and biases of zero, as CycleGAN's and MUNIT's code."""
    return SymmetricConv2D(
        filters,
        kernel_size,
        strides=strides,
        kernel_initializer=initializers.RandomNormal(stddev=0.02),
        name=name,
    )(x)


def _conv_lrelu(x: keras.KerasTensor, filters: int, kernel_size: int, name: str, strides: int = 1) -> keras.KerasTensor:
    return layers.LeakyReLU(0.2, name=f"{name}_lrelu")(_gaussian_conv(x, filters, kernel_size, name, strides))


def _float32(scores: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.Activation("linear", dtype="float32", name=name)(scores)
