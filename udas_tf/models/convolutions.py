"""Symmetric convolutions by the operations that CPUs and GPUs are quick at, and differentiate."""

import functools
import itertools

import tensorflow as tf


def pad(pixels: int) -> list[list[int]]:
    """`pixels` before and after height and width of NHWC, as tf.pad and tf.nn's operations take it."""
    return [[0, 0], [pixels, pixels], [pixels, pixels], [0, 0]]


@functools.cache
def _differentiates_dilation(dtype: str) -> bool:
    """Whether this TensorFlow computes gradients of dilated convolutions on the CPU: those with oneDNN do, but for
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


def symmetric_convolution(inputs, kernel, strides, dilation):
    """Convolution with dilation * (kernel_size - 1) // 2 zeros on all four sides.

    tf.nn.conv2d's explicit padding is not used: oneDNN has no gradients for it, and those of plain TensorFlow
    take up to twice as long in float32, ten times in bfloat16.
    """
    size = kernel.shape[0]
    gpu = bool(tf.config.list_physical_devices("GPU"))
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
def _pointwise_convolution(inputs, kernel):
    """1x1 convolution; its kernel gradient as the product of two matrices, by which oneDNN takes two thirds of the time."""

    def gradient(upstream):
        channels, filters = kernel.shape[2:]
        pixels, gradients = tf.reshape(inputs, (-1, channels)), tf.reshape(upstream, (-1, filters))
        of_kernel = tf.reshape(tf.matmul(pixels, gradients, transpose_a=True), kernel.shape)
        return _input_gradient(inputs, kernel, upstream), of_kernel

    return tf.nn.conv2d(inputs, kernel, 1, "VALID"), gradient


def _dilated_convolution(inputs, kernel, dilation):
    """Dilated convolution on a GPU; its kernel gradient as that of a convolution without dilation, of space in batches.

    XLA asks cuDNN for the dilated one as a convolution of the inputs with the gradients, for which it has a float32
    kernel alone: for a layer of ResNet 0.46 ms, where the other takes 0.02 (H100, bfloat16).
    """

    @tf.custom_gradient
    def convolve(inputs, kernel):
        def gradient(upstream):
            with tf.GradientTape() as tape:
                tape.watch(kernel)
                outputs = tf.nn.convolution(inputs, kernel, 1, "SAME", dilations=dilation)
            of_kernel = tape.gradient(outputs, kernel, upstream)
            return _input_gradient(inputs, kernel, upstream, dilation), of_kernel

        return tf.nn.conv2d(inputs, kernel, 1, "SAME", dilations=dilation), gradient

    return convolve(inputs, kernel)


def _input_gradient(inputs, kernel, upstream, dilation=1):
    """Of a convolution without stride, of which what comes out is as large as what goes in."""
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(inputs),
        filter=kernel,
        out_backprop=upstream,
        strides=(1, 1, 1, 1),
        padding="SAME",
        dilations=(1, dilation, dilation, 1),
    )


def _convolution_by_taps(inputs, kernel, dilation):
    """Dilated convolution of many channels to few, as one 1x1 product and size ** 2 shifted sums of what it gives.

    oneDNN's kernel gradient of such a layer runs at a twentieth of the machine's rate; this one's is a matrix product.
    """
    size, _, channels, filters = kernel.shape
    taps = tf.reshape(tf.transpose(kernel, (2, 0, 1, 3)), (1, 1, channels, size**2 * filters))
    products = tf.cast(symmetric_convolution(inputs, taps, strides=1, dilation=1), tf.float32)
    products = tf.split(products, size**2, axis=-1)
    offsets = [dilation * (index - size // 2) for index in range(size)]
    placed = zip(products, itertools.product(offsets, offsets), strict=True)
    return tf.cast(tf.add_n([_shifted(product, *offset) for product, offset in placed]), inputs.dtype)


def _shifted(maps, down, right):
    """NHWC `maps` of which (y, x) holds what was at (y + down, x + right), 0 where that lies outside."""
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


def in_eights(convolve, inputs, kernel):
    """`convolve(inputs, kernel)`, with empty channels and filters up to multiples of eight where a GPU computes in half
    precision: where XLA gives convolution and bias to cuDNN as one (`processor.xla_flags`), its kernels have no others.
    """
    more_channels, more_filters = (-count % 8 for count in kernel.shape[-2:])
    half = tf.as_dtype(inputs.dtype).size == 2
    if not half or not (more_channels or more_filters) or not tf.config.list_physical_devices("GPU"):
        return convolve(inputs, kernel)
    kept = [(0, 0)] * 2
    outputs = convolve(
        tf.pad(inputs, [*kept, (0, 0), (0, more_channels)]),
        tf.pad(kernel, [*kept, (0, more_channels), (0, more_filters)]),
    )
    return outputs[..., : kernel.shape[-1]]


def symmetric_output_shape(input_shape, filters, kernel_size, strides, dilation):
    """The static NHWC shape that `symmetric_convolution` makes of `input_shape`."""
    reach = dilation * (kernel_size - 1)
    batch, height, width, _ = input_shape
    height, width = (
        size if size is None else (size + 2 * (reach // 2) - reach - 1) // strides + 1
        for size in (height, width)
    )
    return (batch, height, width, filters)
