"""CycleGAN's ResNet generator [Zhu et al. 2017, Johnson et al. 2016]."""

import keras
import tensorflow as tf
from keras import initializers, layers, ops

from udas_tf.models.layers import Conv2D, GroupNorm, ReflectionPadding2D, SymmetricConv2D

# Of [-1, 1], what a residual generator takes its images to before arctanh, which is infinite at 1.
RANGE = 0.95


def resnet_generator(width=64, blocks=9, upsampling="transposed", residual=False) -> keras.Model:
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
        residual: the network adds to its image what is to change: tanh(conv1 + arctanh(0.95 image)), `conv1`
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
        down = SymmetricConv2D(
            2 * width * 2**index, 3, strides=2, kernel_initializer=_normal(), name=f"down{index}"
        )
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


def _residual_block(x, filters, name):
    y = _norm_relu(_reflected_conv(x, filters, 3, f"{name}_0"), f"{name}_0")
    y = _instance_norm(f"{name}_1")(_reflected_conv(y, filters, 3, f"{name}_1"))
    return layers.Add(name=f"{name}_add")([x, y])


def _reflected_conv(x, filters, kernel_size, name):
    x = ReflectionPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
    return Conv2D(filters, kernel_size, kernel_initializer=_normal(), name=name)(x)


def _doubling_conv(x, filters, name):
    """PyTorch's ConvTranspose2d(3, stride=2, padding=1, output_padding=1): without padding the output has 2n
    + 1 rows and columns, of which the first of each goes."""
    x = layers.Conv2DTranspose(filters, 3, strides=2, kernel_initializer=_normal(), name=name)(x)
    return DropFirst(name=f"{name}_crop")(x)


def _resized_conv(x, filters, name):
    """Nearest neighbours, then 3x3 [Odena et al. 2016, "Deconvolution and Checkerboard Artifacts"].

    Of a transposed convolution's nine taps 1, 2 or 4 meet in a pixel, by whether its row and column are even;
    here nine do everywhere, for four times the operations. The same function has a cheaper form: a 2x2
    convolution of the small map for each of the four pixels that come of one, with sums of the taps.
    """
    x = layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_nearest")(x)
    return _reflected_conv(x, filters, 3, name)


UPSAMPLING = {"transposed": _doubling_conv, "resize": _resized_conv}


def _norm_relu(x, name):
    return layers.ReLU(name=f"{name}_relu")(_instance_norm(name)(x))


def _instance_norm(name):
    return GroupNorm(groups=-1, affine=False, name=f"{name}_norm")


def _normal():
    return initializers.RandomNormal(stddev=0.02)


@keras.saving.register_keras_serializable(package="udas_tf")
class FourColumnsConv2D(Conv2D):
    """Convolution without padding or stride, to a multiple of four columns, on CPUs four of them at a time.

    oneDNN computes sixteen filters where a layer has three. Of a kernel three columns wider, in which each filter lies at
    four places, it computes twelve that are needed, at every fourth place of the image.
    """

    def convolution_op(self, inputs, kernel):
        if tf.config.list_physical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        places = [tf.pad(kernel, ((0, 0), (place, 3 - place), (0, 0), (0, 0))) for place in range(4)]
        columns = tf.nn.conv2d(inputs, tf.concat(places, axis=-1), (1, 4), "VALID")
        batch, height, width, _ = (
            static or tf.shape(columns)[axis] for axis, static in enumerate(columns.shape)
        )
        return tf.reshape(columns, (batch, height, 4 * width, self.filters))


# tf.slice and not [...], whose gradient was a sixth of a small CycleGAN's step on CPUs.


@keras.saving.register_keras_serializable(package="udas_tf")
class DropFirst(layers.Layer):
    """Cuts off the first row and the first column."""

    def call(self, inputs):
        return tf.slice(inputs, (0, 1, 1, 0), (-1, -1, -1, -1))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, *(size if size is None else size - 1 for size in (height, width)), channels)


@keras.saving.register_keras_serializable(package="udas_tf")
class CropLike(layers.Layer):
    """Cuts the first of two inputs, at the bottom and right, to the height and width of the second."""

    def call(self, inputs):
        features, reference = inputs
        height, width = (
            static or tf.shape(reference)[axis + 1] for axis, static in enumerate(reference.shape[1:3])
        )
        return tf.slice(features, (0, 0, 0, 0), (-1, height, width, -1))

    def compute_output_shape(self, input_shape):
        features, reference = input_shape
        return (*reference[:3], features[3])
