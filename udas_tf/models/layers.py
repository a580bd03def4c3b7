"""Small layers the networks share: symmetric convolutions, frozen batch norm, group norm, dropout, scalings.

The networks of this package are ports, and the originals pad symmetrically whatever the stride. TensorFlow's
"same" pads strided layers by one more pixel at the bottom and right, which shifts every feature map.
"""

import random

import keras
import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.models.convolutions import in_eights, pad, symmetric_convolution, symmetric_output_shape

_serializable = keras.saving.register_keras_serializable(package="udas_tf")

# Per-channel mean of the ImageNet models in caffe's conventions: blue, green, red, in 0..255.
CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)


def _grow(shape, pixels: int):
    """The static shape of NHWC features of `shape` after `pad(pixels)`."""
    batch, height, width, channels = shape
    return (batch, *(size if size is None else size + 2 * pixels for size in (height, width)), channels)


# --- convolutions -------------------------------------------------------------------------------------------


@_serializable
class Conv2D(keras.layers.Conv2D):
    """Keras's, but that half precision does not harm the bias: the gradient of tf.nn.bias_add, by which Keras adds it, sums
    up in the dtype of the features on a CPU, and a sum in bfloat16 grows no further once it is 256 times what is added. Of
    8 * 90 * 120 cells a twelfth arrives. A plain addition's sums up in float32.
    """

    def call(self, inputs):
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

    def __init__(self, filters, kernel_size, **kwargs):
        # The padding the base class is told of is not used.
        super().__init__(filters, kernel_size, **(kwargs | {"padding": "same"}))

    def convolution_op(self, inputs, kernel):
        return symmetric_convolution(inputs, kernel, self.strides[0], self.dilation_rate[0])

    def compute_output_shape(self, input_shape):
        return symmetric_output_shape(
            input_shape, self.filters, self.kernel_size[0], self.strides[0], self.dilation_rate[0]
        )


@_serializable
class FrozenBatchNormConv2D(keras.layers.Layer):
    """Convolution without bias, then a batch norm of which nothing ever moves, then ReLU.

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

    def __init__(self, filters, kernel_size, strides=1, dilation_rate=1, relu=True, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, kernel_size, strides
        self.dilation_rate, self.relu, self.epsilon = dilation_rate, relu, epsilon

    def build(self, input_shape):
        def weight(name, shape, initializer, trainable=False):
            # autocast=False: under a mixed policy the fold still reads full precision.
            return self.add_weight(
                name=name, shape=shape, initializer=initializer, trainable=trainable, autocast=False
            )

        normal = keras.initializers.RandomNormal(stddev=0.01)
        self.kernel = weight("kernel", self.kernel_shape(input_shape[-1]), normal, trainable=True)
        self.gamma = weight("gamma", (self.filters,), "ones")
        self.beta = weight("beta", (self.filters,), "zeros")
        self.moving_mean = weight("moving_mean", (self.filters,), "zeros")
        self.moving_variance = weight("moving_variance", (self.filters,), "ones")

    def call(self, inputs):
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        bias = self.beta - self.moving_mean * scale
        kernel = tf.cast(self.kernel * scale, inputs.dtype)
        outputs = tf.nn.bias_add(self.convolve(inputs, kernel), tf.cast(bias, inputs.dtype))
        return tf.nn.relu(outputs) if self.relu else outputs

    def kernel_shape(self, channels):
        return (self.kernel_size, self.kernel_size, channels, self.filters)

    def convolve(self, inputs, kernel):
        def symmetric(inputs, kernel):
            return symmetric_convolution(inputs, kernel, self.strides, self.dilation_rate)

        return in_eights(symmetric, inputs, kernel)

    def compute_output_shape(self, input_shape):
        return symmetric_output_shape(
            input_shape, self.filters, self.kernel_size, self.strides, self.dilation_rate
        )

    def get_config(self):
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
    result as a whole one. Same as keras.layers.GroupNormalization, at about half its cost on CPUs: height and
    width are reduced first, on the features as they lie, and only the [batch, channels] sums are regrouped.
    Statistics are taken in float32 and in two passes, so a constant region cannot give a negative variance.
    `affine=False` leaves gamma and beta out, as PyTorch's InstanceNorm2d does by default.
    """

    def __init__(self, groups=8, affine=True, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.groups, self.affine, self.epsilon = groups, affine, epsilon

    def build(self, input_shape):
        channels = input_shape[-1]
        if self.groups != -1 and channels % self.groups:
            raise UserError(
                f"group norm got {channels} channels and {self.groups} groups, expected groups that divide "
                "the channels; choose another width or number of groups."
            )
        self.channels = channels
        self.gamma = self.beta = None
        if self.affine:
            self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer="ones", autocast=False)
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros", autocast=False)

    def call(self, inputs):
        affine = [tf.convert_to_tensor(weight) for weight in (self.gamma, self.beta)] if self.affine else []
        sized = inputs.dtype == tf.bfloat16 and inputs.shape.is_fully_defined()
        if self.groups == -1 and sized and not tf.config.list_physical_devices("GPU"):
            return self._by_batch_norm(inputs, *affine)
        return tf.custom_gradient(self._normalized)(inputs, *affine)

    def _by_batch_norm(self, inputs, gamma=None, beta=None):
        """Instance norm as the batch norm of each image, for which oneDNN has a kernel: a third of the time.

        In half precision alone, as its sums over many pixels are 30 times less precise than `_spatial_mean`'s.
        """
        if not self.affine:
            gamma, beta = tf.ones(self.channels), tf.zeros(self.channels)
        normalized = [
            tf.raw_ops.FusedBatchNormV3(
                x=image, scale=gamma, offset=beta, mean=(), variance=(), epsilon=self.epsilon
            ).y
            for image in tf.split(_nearly_centred(inputs), inputs.shape[0])
        ]
        return tf.concat(normalized, 0)

    def _normalized(self, inputs, gamma=1.0, beta=0.0):
        """The result, and its gradient in a form that passes over the features half as often as the one that TensorFlow
        derives, and keeps no copies of them in float32."""
        x = tf.cast(inputs, tf.float32)
        mean = self._over_groups(_spatial_mean(x))
        centred = x - mean
        inverse = tf.math.rsqrt(self._over_groups(_spatial_mean(tf.square(centred))) + self.epsilon)
        scale = inverse * gamma
        outputs = centred * scale

        def gradient(upstream):
            with tf.control_dependencies([upstream]):  # or the one above would be kept until here
                centred = tf.cast(inputs, tf.float32) - mean
            upstream = tf.cast(upstream, tf.float32)
            by_shift, by_scale = _spatial_mean(upstream), _spatial_mean(upstream * centred) * inverse
            shared = self._over_groups(gamma * by_shift), self._over_groups(gamma * by_scale) * inverse
            by_inputs = upstream * scale - centred * (inverse * shared[1]) - inverse * shared[0]
            by_inputs = tf.cast(by_inputs, inputs.dtype)
            if not self.affine:
                return by_inputs
            pixels = tf.cast(tf.reduce_prod(tf.shape(inputs)[1:3]), tf.float32)
            by_gamma, by_beta = (tf.reduce_sum(pixels * one, (0, 1, 2)) for one in (by_scale, by_shift))
            return by_inputs, by_gamma, by_beta

        return tf.cast(outputs + beta if self.affine else outputs, inputs.dtype), gradient

    def _over_groups(self, statistic):
        """Mean over the channels of each group, repeated for its channels: [batch, 1, 1, channels]."""
        if self.groups == -1:
            return statistic
        members = self.channels // self.groups
        grouped = tf.reshape(statistic, (-1, 1, 1, self.groups, members))
        means = tf.reduce_mean(grouped, axis=-1, keepdims=True)
        return tf.reshape(tf.tile(means, (1, 1, 1, 1, members)), (-1, 1, 1, self.channels))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"groups": self.groups, "affine": self.affine, "epsilon": self.epsilon}


def _nearly_centred(x):
    """Features less something near each channel's mean, where batch norm's sums would not be exact.

    It adds up one pixel after the other in float32, to which bfloat16's 8 digits leave 2 ** 16 equal ones without rounding.
    Of 256x512 the mean was off by a thousandth, and a channel that is the same everywhere came out as 0.9 instead of 0.
    """
    if x.shape[1] * x.shape[2] <= 2**16:
        return x
    some = tf.cast(x[:, ::16, ::16], tf.float32)
    return x - tf.stop_gradient(tf.cast(_spatial_mean(some), x.dtype))


def _spatial_mean(x):
    """Mean over height and width. In two steps, since TensorFlow adds up one after the other: on 256x512
    pixels the error is ten times smaller, and it takes no longer."""
    return tf.reduce_mean(tf.reduce_mean(x, axis=2, keepdims=True), axis=1, keepdims=True)


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

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def build(self, input_shape):
        state = {"trainable": False, "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA}
        # int64: TensorFlow keeps int32 variables in the host's memory, where XLA's programs for a GPU do not reach them.
        self.draw_seed = tf.Variable(random.randrange(2**31), dtype=tf.int64, **state)
        self.draw_count = tf.Variable(0, dtype=tf.int64, **state)

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        drawn = tf.cast(tf.stack([self.draw_seed, self.draw_count]), tf.int32)
        seed = tf.random.experimental.stateless_fold_in(drawn, replica)
        self.draw_count.assign_add(1)
        uniform = tf.random.stateless_uniform((tf.shape(inputs)[0], 1, 1, inputs.shape[-1]), seed)
        return inputs * tf.cast(tf.where(uniform < self.rate, 0.0, 1 / (1 - self.rate)), inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return super().get_config() | {"rate": self.rate}


# --- pooling, padding and scaling ---------------------------------------------------------------------------


@_serializable
class CeilMaxPool2D(keras.layers.Layer):
    """3x3 max pooling with stride 2, one pixel of padding and the output size rounded up: floor(n / 2) + 1.

    PyTorch's MaxPool2d(3, 2, padding=1, ceil_mode=True). One pixel before and two after serve every size:
    with n odd no window reaches the second. The outputs sit at pixels 0, 2, ..., n, which is what lets logits
    at stride 8 line up with the image when they are upsampled corner to corner.
    """

    def call(self, inputs):
        around = [[0, 0], [1, 2], [1, 2], [0, 0]]  # which XLA's pooling does not take
        padded = tf.pad(inputs, around, constant_values=inputs.dtype.min)
        return tf.nn.max_pool2d(padded, ksize=3, strides=2, padding="VALID")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        pooled = [size if size is None else size // 2 + 1 for size in (height, width)]
        return (batch, *pooled, channels)


@_serializable
class ReflectionPadding2D(keras.layers.Layer):
    """Pads height and width by mirroring, the border pixel not repeated: PyTorch's ReflectionPad2d."""

    def __init__(self, padding, **kwargs):
        super().__init__(**kwargs)
        self.padding = padding

    def call(self, inputs):
        if tf.config.list_physical_devices("GPU"):
            return tf.pad(inputs, pad(self.padding), mode="REFLECT")
        return self._by_pixels(inputs)

    @tf.custom_gradient
    def _by_pixels(self, inputs):
        """By rows, then by columns. On a CPU tf.pad goes from number to number instead, and takes four times as long."""
        padded = inputs
        for axis in (1, 2):
            order = tf.pad(tf.range(tf.shape(inputs)[axis]), [[self.padding] * 2], mode="REFLECT")
            padded = tf.gather(padded, order, axis=axis)

        def gradient(upstream):
            return tf.raw_ops.MirrorPadGrad(input=upstream, paddings=pad(self.padding), mode="REFLECT")

        return padded, gradient

    def compute_output_shape(self, input_shape):
        return _grow(input_shape, self.padding)

    def get_config(self):
        return super().get_config() | {"padding": self.padding}


@_serializable
class CaffeNormalization(keras.layers.Layer):
    """RGB 0..255 to blue, green, red minus CAFFE_MEAN_BGR, as AdaptSegNet's weights expect it."""

    def call(self, inputs):
        return tf.reverse(inputs, axis=[-1]) - tf.constant(CAFFE_MEAN_BGR, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
