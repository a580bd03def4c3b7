"""Symmetric convolutions, by the operations that compute and differentiate them fastest on CPUs and GPUs."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence

import tensorflow as tf

from udas_tf import devices

Shape = Sequence[int | None]  # static, None where a size is known only when the graph runs


def pad(pixels: int) -> list[list[int]]:
    """Paddings for tf.pad of NHWC maps: `pixels` before and after height and width."""
    return [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]]


@functools.cache
def _differentiates_dilation(dtype: str) -> bool:
    """Whether this TensorFlow has gradients of dilated convolutions on the CPU. With oneDNN it has, except in
    float16."""
    with tf.init_scope(), tf.device("CPU:0"):
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=(1, 5, 5, 2),
                filter=tf.ones((3, 3, 2, 2), dtype),
                out_backprop=tf.ones((1, 5, 5, 2), dtype),
                strides=[1, 1, 1, 1],
                padding="SAME",
                dilations=[1, 2, 2, 1],
            )
        except tf.errors.InvalidArgumentError:
            return False
        return True


def symmetric_convolution(inputs: tf.Tensor, kernel: tf.Tensor, strides: int, dilation: int) -> tf.Tensor:
    """Convolution with dilation * (K - 1) // 2 zeros on all four sides.

    tf.nn.conv2d's explicit padding is not used: oneDNN has no gradients for it, and those of plain TensorFlow
    take up to twice as long in float32, ten times in bfloat16.

    Args:
      inputs: [B, H, W, C].
      kernel: [K, K, C, F].
      strides, dilation: one of them 1; dilation takes an odd K.

    Returns:
      [B, h, w, F]; `symmetric_output_shape` gives h and w.
    """
    size = kernel.shape[0]
    gpu = devices.has_gpu()
    if size == strides == 1 and not gpu:
        return _pointwise_convolution(inputs, kernel)
    if strides > 1 or size % 2 == 0:
        padded = tf.pad(inputs, pad((size - 1) // 2)) if size > 1 else inputs
        return tf.nn.conv2d(padded, kernel, strides, "VALID")
    if dilation > 1 and size**2 * kernel.shape[-1] <= kernel.shape[-2]:
        return _convolution_by_taps(inputs, kernel, dilation)
    if dilation > 1 and gpu:
        return _dilated_convolution(inputs, kernel, dilation)
    if dilation == 1 or _differentiates_dilation(tf.as_dtype(inputs.dtype).name):
        return tf.nn.conv2d(inputs, kernel, strides, "SAME", dilations=dilation)
    # Rearranges space into batches, which takes two to seven times as long on small maps.
    return tf.nn.convolution(inputs, kernel, strides, "SAME", dilations=dilation)


@tf.custom_gradient
def _pointwise_convolution(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """1x1 convolution. Its kernel gradient is a product of matrices: two thirds of the time with oneDNN."""

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        channels, filters = kernel.shape[2:]
        pixels, gradients = tf.reshape(inputs, (-1, channels)), tf.reshape(upstream, (-1, filters))
        of_kernel = tf.reshape(tf.matmul(pixels, gradients, transpose_a=True), kernel.shape)
        return _input_gradient(inputs, kernel, upstream), of_kernel

    return tf.nn.conv2d(inputs, kernel, 1, "VALID"), gradient


def _dilated_convolution(inputs: tf.Tensor, kernel: tf.Tensor, dilation: int) -> tf.Tensor:
    """Dilated convolution on a GPU. Its kernel gradient has no dilation, but space rearranged into batches.

    XLA asks cuDNN for the dilated kernel gradient as a convolution of the inputs with the gradients, for
    which cuDNN has a float32 kernel alone: a layer of ResNet takes 0.46 ms, and without dilation 0.02 (H100,
    bfloat16).
    """

    @tf.custom_gradient
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(kernel)
                outputs = tf.nn.convolution(inputs, kernel, 1, "SAME", dilations=dilation)
            of_kernel = tape.gradient(outputs, kernel, upstream)
            return _input_gradient(inputs, kernel, upstream, dilation), of_kernel

        return tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=dilation), gradient

    return convolve(inputs, kernel)


def _input_gradient(inputs: tf.Tensor, kernel: tf.Tensor, upstream: tf.Tensor, dilation: int = 1) -> tf.Tensor:
    """Input gradient of a convolution without stride whose outputs are as large as its inputs."""
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(inputs),
        filter=kernel,
        out_backprop=upstream,
        strides=(1, 1, 1, 1),
        padding="SAME",
        dilations=(1, dilation, dilation, 1),
    )


def _convolution_by_taps(inputs: tf.Tensor, kernel: tf.Tensor, dilation: int) -> tf.Tensor:
    """Dilated convolution of many channels to few: a 1x1 convolution to all taps, which are shifted and summed.

    oneDNN's kernel gradient of such a layer runs at a twentieth of the machine's rate. Here it is a matrix
    product.
    """
    size, _, channels, filters = kernel.shape
    taps = tf.reshape(tf.transpose(kernel, (2, 0, 1, 3)), (1, 1, channels, size**2 * filters))
    products = tf.cast(symmetric_convolution(inputs, taps, strides=1, dilation=1), tf.float32)
    products = tf.split(products, size**2, axis=-1)
    offsets = [dilation * (index - size // 2) for index in range(size)]
    placed = zip(products, itertools.product(offsets, offsets), strict=True)
    return tf.cast(tf.add_n([_shifted(product, *offset) for product, offset in placed]), inputs.dtype)


def _shifted(maps: tf.Tensor, down: int, right: int) -> tf.Tensor:
    """NHWC maps shifted: (y, x) gets the value at (y + down, x + right), or 0 where that lies outside."""
    begin, sizes, paddings = [0], [-1], [(0, 0)]
    for axis, offset in ((1, down), (2, right)):
        size = maps.shape[axis]
        if size is None:
            size = tf.shape(maps)[axis]
            before, after = tf.minimum(max(offset, 0), size), tf.minimum(max(-offset, 0), size)
        else:
            before, after = min(max(offset, 0), size), min(max(-offset, 0), size)
        begin.append(before)
        sizes.append(size - after - before)
        paddings.append((after, before))
    # tf.slice, whose gradient pads: a strided slice's takes five times as long.
    return tf.pad(tf.slice(maps, [*begin, 0], [*sizes, -1]), [*paddings, (0, 0)])


def in_eights(convolve: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`convolve(inputs, kernel)`; in half precision on a GPU with channels and filters padded to eights.

    cuDNN's kernels for convolution and bias in one, which XLA may ask for (`devices.xla_flags`), take no
    other numbers.
    """
    more_channels, more_filters = (-count % 8 for count in kernel.shape[-2:])
    half = tf.as_dtype(inputs.dtype).size == 2
    if not half or not (more_channels or more_filters) or not devices.has_gpu():
        return convolve(inputs, kernel)
    kept = [(0, 0)] * 2
    outputs = convolve(
        tf.pad(inputs, [*kept, (0, 0), (0, more_channels)]),
        tf.pad(kernel, [*kept, (0, more_channels), (0, more_filters)]),
    )
    return outputs[..., : kernel.shape[-1]]


def four_columns_convolution(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Convolution without padding or stride to few filters, four columns of the output at a time: for CPUs.

    oneDNN computes sixteen filters even where a layer has three. Here a kernel three columns wider holds each
    filter at four places, which makes twelve useful filters, and is applied at every fourth column.

    Args:
      inputs: [B, H, W, C].
      kernel: [K, L, C, F]; 4 divides W - L + 1.

    Returns:
      [B, H - K + 1, W - L + 1, F].
    """
    places = [tf.pad(kernel, ((0, 0), (place, 3 - place), (0, 0), (0, 0))) for place in range(4)]
    columns = tf.nn.conv2d(inputs, tf.concat(places, axis=-1), (1, 4), "VALID")
    batch, height, width, _ = (static or tf.shape(columns)[axis] for axis, static in enumerate(columns.shape))
    return tf.reshape(columns, (batch, height, 4 * width, kernel.shape[-1]))


def symmetric_output_shape(
    input_shape: Shape, filters: int, kernel_size: int, strides: int, dilation: int
) -> tuple[int | None, ...]:
    """The static NHWC shape that `symmetric_convolution` makes of `input_shape`."""
    reach = dilation * (kernel_size - 1)
    batch, height, width, _ = input_shape
    height, width = (
        size if size is None else (size + 2 * (reach // 2) - reach - 1) // strides + 1 for size in (height, width)
    )
    return (batch, height, width, filters)
