"""Depthwise convolutions that train fast on CPUs.

TensorFlow's own gradient of a 5x5 kernel takes several times as long as the convolution, in bfloat16 most of
a network's step (docs/performance.md). Here it is a loop over pieces of rows, which XLA compiles to SIMD
code.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from udas_tf import devices

PIECE = 32  # columns of a row that one turn of the loop adds up


def depthwise_conv2d(inputs: tf.Tensor, kernel: tf.Tensor, strides: int, dilation: int) -> tf.Tensor:
    """Each channel with its own odd kernel, padded by zeros: outputs lie on inputs 0, strides, 2 strides, ...

    Args:
      inputs: [B, H, W, C].
      kernel: [K, K, C, 1], K odd.
      strides, dilation: one of them 1.

    Returns:
      [B, ceil(H / strides), ceil(W / strides), C].
    """
    if None in inputs.shape or devices.has_gpu():
        return _convolve(inputs, kernel, strides, dilation)

    @tf.custom_gradient
    def convolved(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            size = kernel.shape[0]
            small = size <= 3 and dilation == 1
            by = _small_kernel_gradient if small else _kernel_gradient
            of_kernel = by(inputs, upstream, size, strides, dilation)
            of_inputs = _input_gradient(inputs, kernel, upstream, strides, dilation)
            return of_inputs, tf.cast(of_kernel, kernel.dtype)

        return _convolve(inputs, kernel, strides, dilation), gradient

    return convolved(inputs, kernel)


def _convolve(inputs: tf.Tensor, kernel: tf.Tensor, strides: int, dilation: int) -> tf.Tensor:
    around = _around(kernel.shape[0], dilation)
    padded = tf.pad(inputs, [[0, 0], [around, around], [around, around], [0, 0]])
    return tf.nn.depthwise_conv2d(padded, kernel, (1, strides, strides, 1), "VALID", dilations=(dilation, dilation))


def _input_gradient(
    inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, strides: int, dilation: int
) -> tf.Tensor:
    """Without stride, the convolution with the reversed kernel. With a stride TensorFlow's own, which is slow
    but in float32."""
    if strides == 1:
        return _convolve(upstream, kernel[::-1, ::-1], 1, dilation)
    around = _around(kernel.shape[0], dilation)
    batch, height, width, channels = inputs.shape
    padded = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
        input_sizes=(batch, height + 2 * around, width + 2 * around, channels),
        filter=tf.cast(kernel, tf.float32),
        out_backprop=tf.cast(upstream, tf.float32),
        strides=(1, strides, strides, 1),
        padding="VALID",
    )
    inner = tf.slice(padded, (0, around, around, 0), (batch, height, width, channels))
    return tf.cast(inner, inputs.dtype)


def _small_kernel_gradient(inputs: tf.Tensor, upstream: tf.Tensor, size: int, strides: int, dilation: int) -> tf.Tensor:
    """TensorFlow's own, as fast as the convolution up to 3x3 taps without dilation."""
    around = _around(size, dilation)
    return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
        input=tf.pad(inputs, [[0, 0], [around, around], [around, around], [0, 0]]),
        filter_sizes=(size, size, inputs.shape[-1], 1),
        out_backprop=upstream,
        strides=(1, strides, strides, 1),
        padding="VALID",
    )


@tf.function(jit_compile=True, autograph=False)
def _kernel_gradient(inputs: tf.Tensor, upstream: tf.Tensor, size: int, strides: int, dilation: int) -> tf.Tensor:
    """dL/dk[i, j, c] = sum over b, y, x of dL/dout[b, y, x, c] in[b, y s + i d, x s + j d, c], in float32."""
    around, reach = _around(size, dilation), dilation * (size - 1) + 1
    batch, height, width, channels = upstream.shape
    pieces = -(-width // PIECE)
    columns = min(width, PIECE)
    beyond = pieces * columns - width  # zeros that complete the last piece
    upstream = tf.pad(upstream, [[0, 0], [0, 0], [0, beyond], [0, 0]])
    inputs = tf.pad(inputs, [[0, 0], [around, around], [around, around + beyond * strides], [0, 0]])
    seen = (columns - 1) * strides + reach

    def add_piece(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        row, piece = number // pieces, number % pieces
        image, y = row // height, row % height
        corner = [image, y * strides, piece * columns * strides, 0]
        window = tf.slice(inputs, tf.stack(corner), [1, reach, seen, channels])[0, ::dilation]
        line = tf.slice(upstream, tf.stack([image, y, piece * columns, 0]), [1, 1, columns, channels])[0, 0]
        window, line = tf.cast(window, tf.float32), tf.cast(line, tf.float32)
        for x in range(columns):
            total += window[:, x * strides : x * strides + reach : dilation] * line[x]
        return number + 1, total

    turns = batch * height * pieces
    start = (0, tf.zeros([size, size, channels]))
    _, total = tf.while_loop(lambda number, _: number < turns, add_piece, start)
    return total[..., tf.newaxis]


def _around(size: int, dilation: int) -> int:
    """Zeros on each side of a symmetric convolution."""
    return dilation * (size - 1) // 2
