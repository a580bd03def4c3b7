"""Floating-point operations that networks need, counted from the shapes of their convolutions."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf


class Passes(NamedTuple):
    """Operations of one image's pass through a network. A multiplication and an addition count as two.

    Attributes:
      forward: of all convolutions and matrix products. The gradient with respect to their inputs takes as many, and
        that with respect to their kernels as many again.
      first: of the first convolution. Its input is the image, which needs no gradient.
    """

    forward: float
    first: float


def passes(network: keras.Model, size: tuple[int, int], channels: int = 3) -> Passes:
    """Counts a network's operations on one image of `size`, (height, width)."""
    images = tf.TensorSpec((1, *size, channels), tf.float32)
    traced = tf.function(lambda x: network(x, training=False), autograph=False).get_concrete_function(images)
    counts = [count for count in map(_count, traced.graph.get_operations()) if count]
    return Passes(float(sum(counts)), float(counts[0]))


def adaptation_step(segmenter: Passes, discriminators: list[Passes], batch: int) -> float:
    """Operations of a step of adversarial adaptation on `batch` source and `batch` target images.

    The segmenter makes a forward pass and both gradients for each image. A discriminator makes a forward pass for each
    image, the gradient with respect to its input for the target image, which the segmenter's loss needs, and both
    gradients for each image, which its own loss needs. First convolutions need no gradient with respect to images.
    """
    segmenters = 2 * (3 * segmenter.forward - segmenter.first)
    return batch * (segmenters + sum(7 * one.forward - 2 * one.first for one in discriminators))


def cyclegan_step(generator: Passes, discriminator: Passes, batch: int) -> float:
    """Operations of a CycleGAN step with identity loss and image pools, on `batch` images of each domain.

    A generator translates, reconstructs, and maps its own domain to itself: three forward passes with both gradients,
    of which the first convolution needs that with respect to its input in the reconstruction alone. A discriminator
    makes a forward pass and the gradient with respect to its input for the new translation, and a forward pass and both
    gradients, but for those with respect to images, for a real image and one from the pool.
    """
    generators = 2 * (9 * generator.forward - 2 * generator.first)
    discriminators = 2 * (8 * discriminator.forward - 2 * discriminator.first)
    return batch * (generators + discriminators)


def _count(operation: tf.Operation) -> int:
    """Operations of one node of a graph; 0 for what is neither a convolution nor a matrix product."""
    match operation.type:
        case "Conv2D":
            kernel = operation.inputs[1].shape  # height, width, in, out
            return 2 * operation.outputs[0].shape.num_elements() * math.prod(kernel[:3])
        case "Conv2DBackpropInput":  # a transposed convolution
            kernel = operation.inputs[1].shape  # height, width, out, in
            return 2 * operation.inputs[2].shape.num_elements() * math.prod(kernel[:3])
        case "MatMul":
            rows = operation.inputs[1].shape[1 if operation.get_attr("transpose_b") else 0]
            return 2 * operation.outputs[0].shape.num_elements() * rows
    return 0
