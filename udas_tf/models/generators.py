"""CycleGAN's ResNet generator [Zhu et al. 2017, Johnson et al. 2016]."""

from __future__ import annotations

import keras
import tensorflow as tf
from keras import initializers, layers, ops

from udas_tf.models.layers import (
    Conv2D,
    CropLike,
    FourColumnsConv2D,
    GroupNorm,
    ReflectionPadding2D,
    Shape,
    SymmetricConv2D,
)

# A residual generator scales its images from [-1, 1] by this before arctanh, which is infinite at 1.
RANGE = 0.95


def resnet_generator(
    width: int = 64, blocks: int = 9, upsampling: str = "transposed", residual: bool = False
) -> keras.Model:
    """Translates images of one domain into the other: c7s1-w, d2w, d4w, R4w x blocks, u2w, uw, c7s1-3, tanh.

    Reflection padding in the 7x7 convolutions and residual blocks, instance norm without affine parameters
    after every convolution but the last, initial kernels of deviation 0.02 and biases of zero, as in the
    CycleGAN code.

    Args:
        width: w; 64 in the paper.
        blocks: residual blocks; the paper takes 9 from 256x256 on and 6 below.
        upsampling: one of UPSAMPLING: "transposed" convolutions, as the CycleGAN code's, or "resize": nearest
            neighbours, then a convolution with reflection padding, which leaves no checkerboard. `up0` and
            `up1` then have a convolution's kernels, and no published checkpoint fits.
        residual: the network adds its changes to the image: tanh(conv1 + arctanh(0.95 image)), `conv1`
            starting from zero, so that training begins with the image itself, paler by a twentieth.

    Input: RGB [batch, height, width, 3] in 0..255, uint8 or float, of any size from 8x8 on; scaled to [-1, 1]
    inside. Output: float32 of the same shape, in 0..255. Sizes that 4 does not divide are rounded up on the
    way and cropped at the end, which leaves the pixels where they were.

    Convolutions are named in the order of the original's: `conv0`, `down0`, `down1`, `block{i}_0`,
    `block{i}_1`, `up0`, `up1`, `conv1`.
    """
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    normalized = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32", name="normalize")(images)
    x = _norm_relu(_reflected_conv(normalized, width, 7, "conv0"), "conv0")
    for index in range(2):
        down = SymmetricConv2D(2 * width * 2**index, 3, strides=2, kernel_initializer=_normal(), name=f"down{index}")
        x = _norm_relu(down(x), f"down{index}")
    for index in range(blocks):
        x = _residual_block(x, 4 * width, f"block{index}")
    for index in range(2):
        x = _norm_relu(UPSAMPLING[upsampling](x, 2 * width // 2**index, f"up{index}"), f"up{index}")
    x = ReflectionPadding2D(3, name="conv1_pad")(x)
    x = FourColumnsConv2D(3, 7, kernel_initializer="zeros" if residual else _normal(), name="conv1")(x)
    x = CropLike(dtype="float32", name="crop")([x, images])
    if residual:
        x = layers.Add(dtype="float32", name="add_image")([x, ops.arctanh(RANGE * normalized)])
    x = layers.Activation("tanh", dtype="float32", name="tanh")(x)
    x = layers.Rescaling(127.5, offset=127.5, dtype="float32", name="denormalize")(x)
    return keras.Model(images, x, name="resnet_generator")


def _residual_block(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    y = _norm_relu(_reflected_conv(x, filters, 3, f"{name}_0"), f"{name}_0")
    y = _instance_norm(f"{name}_1")(_reflected_conv(y, filters, 3, f"{name}_1"))
    return layers.Add(name=f"{name}_add")([x, y])


def _reflected_conv(x: keras.KerasTensor, filters: int, kernel_size: int, name: str) -> keras.KerasTensor:
    x = ReflectionPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    return Conv2D(filters, kernel_size, kernel_initializer=_normal(), name=name)(x)


def _doubling_conv(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """PyTorch's ConvTranspose2d(3, stride=2, padding=1, output_padding=1): without padding the output has 2n
    + 1 rows and columns, of which the first of each goes."""
    x = layers.Conv2DTranspose(filters, 3, strides=2, kernel_initializer=_normal(), name=name)(x)
    return DropFirst(name=f"{name}_crop")(x)


def _resized_conv(x: keras.KerasTensor, filters: int, name: str) -> keras.KerasTensor:
    """Nearest neighbours, then 3x3 [Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"].

    In a transposed convolution 1, 2 or 4 of the nine taps meet in a pixel, by whether its row and column are
    even; here nine do everywhere, for four times the operations. The same function has a cheaper form: a 2x2
    convolution of the small map for each of the four pixels that one pixel becomes, with sums of the taps.
    """
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_nearest")(x)
    return _reflected_conv(x, filters, 3, name)


UPSAMPLING = {"transposed": _doubling_conv, "resize": _resized_conv}


def _norm_relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(name=f"{name}_relu")(_instance_norm(name)(x))


def _instance_norm(name: str) -> GroupNorm:
    return GroupNorm(groups=-1, affine=False, name=f"{name}_norm")


def _normal() -> initializers.Initializer:
    return initializers.RandomNormal(stddev=0.02)


@keras.saving.register_keras_serializable(package="udas_tf")
class DropFirst(layers.Layer):
    """Cuts off the first row and the first column."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # tf.slice and not [...], whose gradient was a sixth of a small CycleGAN's step on CPUs.
        return tf.slice(inputs, (0, 1, 1, 0), (-1, -1, -1, -1))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        return (batch, *(size if size is None else size - 1 for size in (height, width)), channels)
