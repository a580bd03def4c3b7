"""Random flips and scaled crops of whole batches.

Both run inside the graph and are compiled by XLA. Shapes are static, randomness comes from an explicit seed, and each
returns the transform it made, so that predictions on a view can be brought back to the original
(`geometry.warp_back`).
"""

from __future__ import annotations

import tensorflow as tf

from udas_tf.data.augment import geometry
from udas_tf.data.augment.pixels import to_levels
from udas_tf.data.augment.policy import Augmented
from udas_tf.data.augment.seeded import seeded_uniform


@tf.function(jit_compile=True, autograph=False)
def random_flip(images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> Augmented:
    """Mirrors each image and its label left and right with probability 1/2.

    Args:
      images: [B, H, W, 3], 0..255, uint8 or float32.
      labels: uint8 [B, H, W], or None.
      seed: int32 [2].

    Returns:
      `Augmented`.
    """
    flipped = seeded_uniform([images.shape[0]], seed) < 0.5
    images = tf.where(flipped[:, tf.newaxis, tf.newaxis, tf.newaxis], tf.reverse(images, [2]), images)
    if labels is not None:
        labels = tf.where(flipped[:, tf.newaxis, tf.newaxis], tf.reverse(labels, [2]), labels)
    return Augmented(images, labels, geometry.horizontal_flip(flipped, images.shape[2]))


@tf.function(jit_compile=True, autograph=False)
def random_scale_crop(
    images: tf.Tensor,
    labels: tf.Tensor | None,
    size: tuple[int, int],
    scale_range: tuple[float, float],
    seed: tf.Tensor,
) -> Augmented:
    """Enlarges each image by a random factor and cuts a random window of one size from it, in one sampling.

    Where the enlarged image is smaller than the window, it lies at a random place within the window,
    surrounded by grey 128 in the image and 255 in the label. Images are sampled bilinearly (without
    smoothing, so scales well below 1/2 alias) and rounded to whole levels, labels by the nearest pixel.

    Args:
      images: [B, H, W, 3], 0..255, uint8 or float32.
      labels: uint8 [B, H, W], or None.
      size: (height, width) of the window.
      scale_range: the least and the greatest factor, uniform between.
      seed: int32 [2].

    Returns:
      `Augmented`, of size `size`.
    """
    lowest, highest = scale_range
    if not 0 < lowest <= highest:
        raise ValueError(f"scale_range is {scale_range}; expected (lowest, highest) with 0 < lowest <= highest")
    batch, height, width, _ = images.shape
    draws = seeded_uniform([3, batch], seed)
    scales = lowest + draws[0] * (highest - lowest)
    # A negative room is padding, shared out at random between the two sides.
    tops = draws[1] * (height * scales - size[0])
    lefts = draws[2] * (width * scales - size[1])
    transforms = geometry.crop(tops, lefts, scales)
    images = tf.cast(images, tf.float32)
    images = to_levels(geometry.warp(images, transforms, "bilinear", geometry.IMAGE_FILL, size))
    if labels is not None:
        labels = geometry.warp(labels, transforms, fill=geometry.LABEL_FILL, size=size)
    return Augmented(images, labels, transforms)
