"""Losses of CycleGAN (docs/equations.md section 1) on RGB images in [0, 255]."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean

REAL, FAKE = 1.0, 0.0


def gan(scores: tf.Tensor, target: float) -> tf.Tensor:
    """L_GAN, least squares: mean of (score - target)^2.

    Args:
      scores: float, any shape: the score map of a PatchGAN.
      target: REAL or FAKE.

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    return share_of_mean(tf.square(tf.cast(scores, tf.float32) - target))


def reconstruction(images: tf.Tensor, reconstructed: tf.Tensor) -> tf.Tensor:
    """L_cyc in one direction, or the identity loss: the mean L1 distance of images scaled to [-1, 1].

    CycleGAN's code compares images at that scale, and its weight of 10 belongs to it.

    Args:
      images, reconstructed: float [B, H, W, 3] in [0, 255].

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    difference = tf.cast(images, tf.float32) - tf.cast(reconstructed, tf.float32)
    return share_of_mean(tf.abs(difference) / 127.5)


def semantic(original_logits: tf.Tensor, translated_logits: tf.Tensor) -> tf.Tensor:
    """L_semantic in one direction: mean over pixels of -log f(G(x))[argmax f(x)], where f is a fixed segmenter.

    A translated image should keep the classes that f, trained on the source, sees in the original [CyCADA, Hoffman
    et al. 2018, equation 4]. No gradient flows to `original_logits`.

    Args:
      original_logits, translated_logits: float [B, H, W, C], what f says of x and of G(x).

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    labels = tf.argmax(original_logits, axis=-1, output_type=tf.int32)
    values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(translated_logits, tf.float32))
    return share_of_mean(values)
