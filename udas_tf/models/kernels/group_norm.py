"""Group normalisation with a gradient of its own, and instance norm by oneDNN's batch norm."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

INSTANCE = -1  # number of groups: each channel is one


def group_norm(
    inputs: tf.Tensor, gamma: tf.Tensor | None, beta: tf.Tensor | None, groups: int, epsilon: float
) -> tf.Tensor:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, by image and group of channels.

    Height and width are reduced first, on the features as they lie, and only the [B, C] sums are regrouped.
    Statistics are taken in float32 and in two passes, so a constant region cannot give a negative variance.
    The gradient passes over the features half as often as the one TensorFlow derives, and keeps no copies of
    them in float32.

    Args:
      inputs: [B, H, W, C].
      gamma, beta: float32 [C] both, or both None for 1 and 0.
      groups: divides C; INSTANCE = every channel is a group.

    Returns:
      [B, H, W, C], of the inputs' dtype.
    """

    @tf.custom_gradient
    def normalized(
        inputs: tf.Tensor, gamma: tf.Tensor | float = 1.0, beta: tf.Tensor | float = 0.0
    ) -> tuple[tf.Tensor, Callable]:
        x = tf.cast(inputs, tf.float32)
        mean = _over_groups(_spatial_mean(x), groups)
        centred = x - mean
        inverse = tf.math.rsqrt(_over_groups(_spatial_mean(tf.square(centred)), groups) + epsilon)
        scale = inverse * gamma
        outputs = centred * scale

        def gradient(upstream: tf.Tensor) -> tf.Tensor | tuple[tf.Tensor, ...]:
            with tf.control_dependencies([upstream]):  # or the one above would be kept until here
                centred = tf.cast(inputs, tf.float32) - mean
            upstream = tf.cast(upstream, tf.float32)
            by_shift, by_scale = _spatial_mean(upstream), _spatial_mean(upstream * centred) * inverse
            shared = (
                _over_groups(gamma * by_shift, groups),
                _over_groups(gamma * by_scale, groups) * inverse,
            )
            by_inputs = upstream * scale - centred * (inverse * shared[1]) - inverse * shared[0]
            by_inputs = tf.cast(by_inputs, inputs.dtype)
            if not affine:
                return by_inputs
            pixels = tf.cast(tf.reduce_prod(tf.shape(inputs)[1:3]), tf.float32)
            by_gamma, by_beta = (tf.reduce_sum(pixels * one, (0, 1, 2)) for one in (by_scale, by_shift))
            return by_inputs, by_gamma, by_beta

        return tf.cast(outputs + beta if affine else outputs, inputs.dtype), gradient

    affine = [] if gamma is None else [gamma, beta]
    return normalized(inputs, *affine)


def instance_norm_by_batch_norm(
    inputs: tf.Tensor, gamma: tf.Tensor | None, beta: tf.Tensor | None, epsilon: float
) -> tf.Tensor:
    """`group_norm` with INSTANCE groups, as the batch norm of each image: on CPUs a third of the time.

    For bfloat16 alone: the sums of oneDNN's batch norm over many pixels are 30 times less precise than
    `group_norm`'s.

    Args:
      inputs: [B, H, W, C] of a static shape.
    """
    if gamma is None:
        gamma, beta = tf.ones(inputs.shape[-1]), tf.zeros(inputs.shape[-1])
    normalized = [
        tf.raw_ops.FusedBatchNormV3(x=image, scale=gamma, offset=beta, mean=(), variance=(), epsilon=epsilon).y
        for image in tf.split(_nearly_centred(inputs), inputs.shape[0])
    ]
    return tf.concat(normalized, 0)


def _nearly_centred(x: tf.Tensor) -> tf.Tensor:
    """Large features less a value near each channel's mean, so that batch norm's sums stay exact.

    It adds up one pixel after the other in float32, to which bfloat16's 8 digits leave 2 ** 16 equal ones
    without rounding. Of 256x512 the mean was off by a thousandth, and a channel that is the same everywhere
    came out as 0.9 instead of 0.
    """
    if x.shape[1] * x.shape[2] <= 2**16:
        return x
    some = tf.cast(x[:, ::16, ::16], tf.float32)
    return x - tf.stop_gradient(tf.cast(_spatial_mean(some), x.dtype))


def _spatial_mean(x: tf.Tensor) -> tf.Tensor:
    """Mean over height and width, [B, 1, 1, C]. In two steps, since TensorFlow adds up one after the other:
    on 256x512 pixels the error is ten times smaller, and it takes no longer."""
    return tf.reduce_mean(tf.reduce_mean(x, axis=2, keepdims=True), axis=1, keepdims=True)


def _over_groups(statistic: tf.Tensor, groups: int) -> tf.Tensor:
    """Mean over the channels of each group, repeated for its channels: [B, 1, 1, C] -> [B, 1, 1, C]."""
    if groups == INSTANCE:
        return statistic
    channels = statistic.shape[-1]
    members = channels // groups
    grouped = tf.reshape(statistic, (-1, 1, 1, groups, members))
    means = tf.reduce_mean(grouped, axis=-1, keepdims=True)
    return tf.reshape(tf.tile(means, (1, 1, 1, 1, members)), (-1, 1, 1, channels))
