"""Losses of CycleGAN (METHOD.md section 1) on RGB images in [0, 255]."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean

REAL, FAKE = 1.0, 0.0


def gan(scores: tf.Tensor, target: float) -> tf.Tensor:
    """L_GAN, least squares: mean of (score - target)^2, target REAL or FAKE.

    Args:
      scores: float, any shape: a PatchGAN's score map.

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    return share_of_mean(tf.square(tf.cast(scores, tf.float32) - target))


def reconstruction(images: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """L_cyc in one direction, or the identity loss: the mean L1 distance in CycleGAN's units.

    CycleGAN's code compares images scaled to [-1, 1], and its weight of 10 belongs to that scale.

    Args:
      images, reconstructed: float [B, H, W, 3] in [0, 255].
    """
    difference = tf.cast(images, tf.float32) - tf.cast(reconstructed, tf.float32)
    return share_of_mean(tf.abs(difference) / 127.5)
