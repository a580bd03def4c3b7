"""Reflection padding."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from udas_tf import devices
from udas_tf.models.kernels.convolutions import pad


def reflect(inputs: tf.Tensor, pixels: int) -> tf.Tensor:
    """Pads height and width by mirroring; the border pixel is not repeated.

    Args:
      inputs: [B, H, W, C], H and W above `pixels`.

    Returns:
      [B, H + 2 pixels, W + 2 pixels, C].
    """
    if devices.has_gpu():
        return tf.pad(inputs, pad(pixels), mode="REFLECT")
    return _reflect_by_pixels(inputs, pixels)


def _reflect_by_pixels(inputs: tf.Tensor, pixels: int) -> tf.Tensor:
    """By rows, then by columns. On a CPU tf.pad goes number by number, and takes four times as long."""

    @tf.custom_gradient
    def reflected(inputs: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        padded = inputs
        for axis in (1, 2):
            order = tf.pad(tf.range(tf.shape(inputs)[axis]), [[pixels] * 2], mode="REFLECT")
            padded = tf.gather(padded, order, axis=axis)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            return tf.raw_ops.MirrorPadGrad(input=upstream, paddings=pad(pixels), mode="REFLECT")

        return padded, gradient

    return reflected(inputs)
