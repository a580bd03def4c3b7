"""Floating-point operations that networks need, counted from the shapes of their convolutions."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf


class Passes(NamedTuple):
    """Operations of one image's way through a network: a multiplication and an addition count as two.

    Attributes:
      forward: of all convolutions and products. The gradient by what they read takes as many, and that by their
        kernels as many again.
      first: of the first convolution, whose input is an image that needs no gradient.
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
    """Operations of a step of output adaptation on `batch` source and `batch` target images.

    The segmenter is passed forwards and twice backwards with both. A discriminator is passed forwards with both, once
    more backwards with the target for the segmenter's gradient, and backwards with both for its own.
    """
    segmenters = 2 * (3 * segmenter.forward - segmenter.first)
    return batch * (segmenters + sum(7 * one.forward - 2 * one.first for one in discriminators))


def cyclegan_step(generator: Passes, discriminator: Passes, batch: int) -> float:
    """Operations of a CycleGAN step with identity loss and image pools, on `batch` images of each domain.

    Each generator translates, reconstructs and maps its own domain to itself, and is differentiated through all three,
    to its input in reconstructing alone. Each discriminator passes the new translation forwards and backwards to its
    input, and a real image and one of the pool forwards and backwards to its weights.
    """
    generators = 2 * (9 * generator.forward - 2 * generator.first)
    discriminators = 2 * (8 * discriminator.forward - 2 * discriminator.first)
    return batch * (generators + discriminators)


def _count(operation: tf.Operation) -> int:
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
