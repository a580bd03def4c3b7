"""Domain CutMix: labelled target images in a box of the source images (docs/equations.md, section 3).

The box is CutMix's [Yun 2019, arXiv:1905.04899, section 3.1], one for the whole batch:

    lambda ~ U(0, 1)   r_x ~ U(0, W)   r_y ~ U(0, H)   r_w = W sqrt(1 - lambda)   r_h = H sqrt(1 - lambda)

centred on (r_x, r_y) and clipped to the image. M is 0 inside it and 1 outside:

    x = M x_s + (1 - M) x_l          y = M y_s + (1 - M) y_l        pixel by pixel
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from udas_tf.data.augment.seeded import seeded_uniform


class Mixed(NamedTuple):
    """A mixed batch.

    Attributes:
      images: [B, H, W, 3], target inside the box, source outside.
      labels: [B, H, W], likewise.
      box: int32 [4]: top, left, bottom, right in pixels; bottom and right are the first ones outside.
    """

    images: tf.Tensor
    labels: tf.Tensor
    box: tf.Tensor


def draw_box(size: tuple[int, int], seed: tf.Tensor) -> tf.Tensor:
    """Draws CutMix's box for images of (height, width) `size`: int32 [4], top, left, bottom, right.

    A pixel belongs to the box when its centre does. The box is empty now and then: when lambda is almost 1.
    """
    mixing, *centre = tf.unstack(seeded_uniform([3], seed))
    extent = tf.constant(size, tf.float32)
    middle = tf.stack(centre) * extent
    half = extent * tf.sqrt(1 - mixing) / 2
    corners = tf.concat([middle - half, middle + half], axis=0)
    return tf.cast(tf.round(tf.clip_by_value(corners, 0.0, tf.tile(extent, [2]))), tf.int32)


@tf.function(jit_compile=True, autograph=False)
def domain_cutmix(
    source_images: tf.Tensor,
    source_labels: tf.Tensor,
    target_images: tf.Tensor,
    target_labels: tf.Tensor,
    seed: tf.Tensor,
) -> Mixed:
    """Puts one box of labelled target images into a batch of source images, labels with them.

    Args:
      source_images, target_images: [B, H, W, 3] of one type.
      source_labels, target_labels: uint8 [B, H, W].
      seed: int32 [2]; the same seed gives the same box.

    Returns:
      `Mixed`.

    Raises:
      ValueError: source and target differ in shape.
    """
    for source, target in ((source_images, target_images), (source_labels, target_labels)):
        if source.shape != target.shape:
            raise ValueError(
                f"source {source.shape} and target {target.shape} differ in shape; crop both to one size and "
                "batch them alike before mixing"
            )
    height, width = source_images.shape[1:3]
    box = draw_box((height, width), seed)
    row, column = tf.range(height)[:, tf.newaxis], tf.range(width)
    inside = (row >= box[0]) & (row < box[2]) & (column >= box[1]) & (column < box[3])
    return Mixed(
        images=tf.where(inside[..., tf.newaxis], target_images, source_images),
        labels=tf.where(inside, target_labels, source_labels),
        box=box,
    )
