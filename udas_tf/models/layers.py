"""Layers that several networks share.

The networks of this package are ports, and the originals pad symmetrically whatever the stride. TensorFlow's
"same" pads strided layers by one more pixel at the bottom and right, which shifts every feature map.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from udas_tf import devices
from udas_tf.errors import UserError
from udas_tf.models.kernels.convolutions import (
    four_columns_convolution,
    in_eights,
    symmetric_convolution,
    symmetric_output_shape,
)
from udas_tf.models.kernels.group_norm import INSTANCE, group_norm, instance_norm_by_batch_norm
from udas_tf.models.kernels.padding import reflect
from udas_tf.models.kernels.upsampling import upsample

Shape = tuple[int | None, ...]  # static; NHWC

_serializable = keras.saving.register_keras_serializable(package="udas_tf")

# Per-channel mean of the ImageNet models in caffe's conventions: blue, green, red, in 0..255.
CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


# --- convolutions -------------------------------------------------------------------------------------------


@_serializable
class Conv2D(keras.layers.Conv2D):
    """Keras's, with a bias whose gradient is right in half precision too.

    Keras adds the bias by tf.nn.bias_add, whose gradient on a CPU sums up in the dtype of the features. A sum
    in bfloat16 grows no further once it is 256 times what is added: of 8 * 90 * 120 cells a twelfth arrives.
    The gradient of a plain addition sums up in float32.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        outputs = in_eights(self.convolution_op, inputs, tf.convert_to_tensor(self.kernel))
        if self.use_bias:
            outputs = outputs + tf.convert_to_tensor(self.bias)
        return outputs if self.activation is None else self.activation(outputs)


@_serializable
class SymmetricConv2D(Conv2D):
    """Square convolution padded by dilation * (kernel_size - 1) // 2 zeros on all four sides.

    Output size with padding p: floor((n + 2 p - dilation (kernel_size - 1) - 1) / strides) + 1. Dilation
    takes odd kernels and no stride.
    """

    def __init__(self, filters: int, kernel_size: int | Sequence[int], **kwargs: Any):
        # The base class's padding is not used.
        super().__init__(filters, kernel_size, **(kwargs | {"padding": "same"}))

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        return symmetric_convolution(inputs, kernel, self.strides[0], self.dilation_rate[0])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return symmetric_output_shape(
            input_shape, self.filters, self.kernel_size[0], self.strides[0], self.dilation_rate[0]
        )


@_serializable
class FourColumnsConv2D(Conv2D):
    """Convolution without padding or stride to few filters and a multiple of four columns, faster on CPUs."""

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if devices.has_gpu():
            return super().convolution_op(inputs, kernel)
        return four_columns_convolution(inputs, kernel)


@_serializable
class FrozenBatchNormConv2D(keras.layers.Layer):
    """Convolution without bias, then a batch norm that never changes, then ReLU.

    The batch norm is folded into the convolution at every call, in float32 whatever the dtype policy,

        scale = gamma / sqrt(moving_variance + epsilon)
        y     = conv(x, kernel * scale) + (beta - moving_mean * scale)

    so the activations are passed over once; the gradient reaches the kernel through the fold. Only `kernel`
    is trainable. gamma, beta, moving_mean and moving_variance ([filters]) change by assignment alone, as when
    weights are imported: `training=True` does nothing to them. AdaptSegNet freezes only gamma and beta and
    lets the running statistics drift with whatever images pass, target images included; this layer does not.

    Padding as SymmetricConv2D's; `relu=False` leaves the ReLU out. Kernels start from a normal distribution
    of deviation 0.01, as AdaptSegNet's; they are meant to be imported.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        dilation_rate: int = 1,
        relu: bool = True,
        epsilon: float = 1e-5,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.dilation_rate, self.relu, self.epsilon = dilation_rate, relu, epsilon

    def build(self, input_shape: Shape) -> None:
        def weight(
            name: str,
            shape: Shape,
            initializer: str | keras.initializers.Initializer,
            trainable: bool = False,
        ) -> keras.Variable:
            # autocast=False: under a mixed policy the fold still reads full precision.
            return self.add_weight(name=name, shape=shape, initializer=initializer, trainable=trainable, autocast=False)

        normal = keras.initializers.RandomNormal(stddev=0.01)
        self.kernel = weight("kernel", self.kernel_shape(input_shape[-1]), normal, trainable=True)
        self.gamma = weight("gamma", (self.filters,), "ones")
        self.beta = weight("beta", (self.filters,), "zeros")
        self.moving_mean = weight("moving_mean", (self.filters,), "zeros")
        self.moving_variance = weight("moving_variance", (self.filters,), "ones")

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        bias = self.beta - self.moving_mean * scale
        kernel = tf.cast(self.kernel * scale, inputs.dtype)
        outputs = tf.nn.bias_add(self.convolve(inputs, kernel), tf.cast(bias, inputs.dtype))
        return tf.nn.relu(outputs) if self.relu else outputs

    def kernel_shape(self, channels: int | None) -> Shape:
        return (self.kernel_size, self.kernel_size, channels, self.filters)

    def convolve(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        def symmetric(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
            return symmetric_convolution(inputs, kernel, self.strides, self.dilation_rate)

        return in_eights(symmetric, inputs, kernel)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return symmetric_output_shape(input_shape, self.filters, self.kernel_size, self.strides, self.dilation_rate)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "dilation_rate": self.dilation_rate,
            "relu": self.relu,
            "epsilon": self.epsilon,
        }


# --- normalisation ------------------------------------------------------------------------------------------


@_serializable
class GroupNorm(keras.layers.Layer):
    """Group normalisation of NHWC features [Wu & He 2018]; `groups=-1` is instance norm.

    y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, mean and (biased) variance over height, width
    and the channels of a group, separately for each image, so a batch split over replicas gives the same
    result as a whole one. Same as keras.layers.GroupNormalization, at about half its cost on CPUs
    (kernels/group_norm.py). `affine=False` leaves gamma and beta out, as PyTorch's InstanceNorm2d does by
    default.
    """

    def __init__(self, groups: int = 8, affine: bool = True, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        self.groups, self.affine, self.epsilon = groups, affine, epsilon

    def build(self, input_shape: Shape) -> None:
        channels: Any = input_shape[-1]  # always known
        if self.groups != INSTANCE and channels % self.groups:
            raise UserError(
                f"group norm got {channels} channels and {self.groups} groups, expected groups that divide "
                "the channels; choose another width or number of groups."
            )
        self.gamma = self.beta = None
        if self.affine:
            self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer="ones", autocast=False)
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros", autocast=False)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        weights = (self.gamma, self.beta)
        gamma, beta = map(tf.convert_to_tensor, weights) if self.affine else weights
        static = inputs.dtype == tf.bfloat16 and inputs.shape.is_fully_defined()
        if self.groups == INSTANCE and static and not devices.has_gpu():
            return instance_norm_by_batch_norm(inputs, gamma, beta, self.epsilon)
        return group_norm(inputs, gamma, beta, self.groups, self.epsilon)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"groups": self.groups, "affine": self.affine, "epsilon": self.epsilon}


@_serializable
class CaffeNormalization(keras.layers.Layer):
    """RGB 0..255 to blue, green, red minus CAFFE_MEAN_BGR, as AdaptSegNet's weights expect it."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reverse(inputs, axis=[-1]) - tf.constant(CAFFE_MEAN_BGR, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


# --- dropout ------------------------------------------------------------------------------------------------


@_serializable
class ChannelDropout(keras.layers.Layer):
    """Zeroes whole channels of NHWC features in training and scales the others by 1 / (1 - rate).

    PyTorch's Dropout2d. Every image and every replica draws its own channels. Keras's SpatialDropout2D keeps
    its generator out of TensorFlow's checkpoints and draws the same on all replicas; here the draws follow
    from a seed and a count of the calls, which are in the checkpoint (not among the weights: they are no part
    of what a network has learnt). The seed comes from Python's `random`, which keras.utils.set_random_seed
    sets.
    """

    def __init__(self, rate: float, **kwargs: Any):
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape: Shape) -> None:
        state = {"trainable": False, "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        # int64: TensorFlow keeps int32 variables in the host's memory, which XLA's GPU programs do not reach.
        self.draw_seed = tf.Variable(random.randrange(2**31), dtype=tf.int64, **state)
        self.draw_count = tf.Variable(0, dtype=tf.int64, **state)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not training or self.rate == 0:
            return inputs
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        drawn = tf.cast(tf.stack([self.draw_seed, self.draw_count]), tf.int32)
        seed = tf.random.experimental.stateless_fold_in(drawn, replica)
        self.draw_count.assign_add(1)
        uniform = tf.random.stateless_uniform((tf.shape(inputs)[0], 1, 1, inputs.shape[-1]), seed)
        return inputs * tf.cast(tf.where(uniform < self.rate, 0.0, 1 / (1 - self.rate)), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}


# --- sizes --------------------------------------------------------------------------------------------------


@_serializable
class CeilMaxPool2D(keras.layers.Layer):
    """3x3 max pooling with stride 2, one pixel of padding and the output size rounded up: floor(n / 2) + 1.

    PyTorch's MaxPool2d(3, 2, padding=1, ceil_mode=True). One pixel before and two after serve every size:
    with n odd no window reaches the second. The outputs sit at pixels 0, 2, ..., n, which is what lets logits
    at stride 8 line up with the image when they are upsampled corner to corner.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        around = [[0, 0], [1, 2], [1, 2], [0, 0]]  # which XLA's pooling does not take
        padded = tf.pad(inputs, around, constant_values=inputs.dtype.min)
        return tf.nn.max_pool2d(padded, ksize=3, strides=2, padding="VALID")

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        pooled = [size if size is None else size // 2 + 1 for size in (height, width)]
        return (batch, *pooled, channels)


@_serializable
class ReflectionPadding2D(keras.layers.Layer):
    """Pads height and width by mirroring, the border pixel not repeated: PyTorch's ReflectionPad2d."""

    def __init__(self, padding: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return reflect(inputs, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        grown = (size if size is None else size + 2 * self.padding for size in (height, width))
        return (batch, *grown, channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"padding": self.padding}


@_serializable
class PadToMultiple(keras.layers.Layer):
    """Repeats the last row and column until `multiple` divides height and width."""

    def __init__(self, multiple: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        for axis in (1, 2):
            size = inputs.shape[axis] or tf.shape(inputs)[axis]
            last = tf.gather(inputs, [size - 1], axis=axis)
            inputs = tf.concat([inputs, tf.repeat(last, -size % self.multiple, axis=axis)], axis)
        return inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, *sizes, channels = input_shape
        return (batch, *(size and size + -size % self.multiple for size in sizes), channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"multiple": self.multiple}


@_serializable
class ExtendToGrid(keras.layers.Layer):
    """Zeros at the bottom and right until height and width are a multiple of `stride` plus one."""

    def __init__(self, stride: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.stride = stride

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        size = tf.shape(inputs)
        down, right = ((1 - size[axis]) % self.stride for axis in (1, 2))
        outputs = tf.pad(inputs, [[0, 0], [0, down], [0, right], [0, 0]])
        outputs.set_shape(self.compute_output_shape(inputs.shape))
        return outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, height, width, channels = input_shape
        size = (n if n is None else n + (1 - n) % self.stride for n in (height, width))
        return (batch, *size, channels)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"stride": self.stride}


@_serializable
class ResizeLike(keras.layers.Layer):
    """Enlarges the first of two inputs bilinearly to the height and width of the second.

    Outer edges on outer edges, or with `corners` the centres of corner pixels on those of corner pixels.
    """

    def __init__(self, corners: bool = False, **kwargs: Any):
        super().__init__(**kwargs)
        self.corners = corners

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        features, reference = inputs
        size = tf.shape(reference)[1:3]
        if self.corners:
            return upsample(features, size)
        return tf.cast(tf.image.resize(features, size), features.dtype)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        features, reference = input_shape
        return (*reference[:3], features[3])

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"corners": self.corners}


@_serializable
class CropLike(keras.layers.Layer):
    """Cuts the first of two inputs, at the bottom and right, to the height and width of the second."""

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        features, reference = inputs
        height, width = (static or tf.shape(reference)[axis + 1] for axis, static in enumerate(reference.shape[1:3]))
        # tf.slice and not [...], whose gradient was a sixth of a small CycleGAN's step on CPUs.
        return tf.slice(features, (0, 0, 0, 0), (-1, height, width, -1))

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        features, reference = input_shape
        return (*reference[:3], features[3])
