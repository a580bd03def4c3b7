"""Losses of CycleGAN (docs/equations.md section 1) on RGB images in [0, 255]."""

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


def semantic(original_logits: tf.Tensor, translated_logits: tf.Tensor) -> tf.Tensor:
    """L_sem in one direction: the mean over pixels of -log f(G(x))[argmax f(x)], f a fixed segmenter.

    A translated image is to keep the classes that f, trained on the source, sees in the original [CyCADA, Hoffman et
    al. 2018, equation 4].

    Args:
      original_logits, translated_logits: float [B, H, W, C], f's of x and of its translation; no gradient flows to
        the first.
    """
    labels = tf.argmax(original_logits, axis=-1, output_type=tf.int32)
    values = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(translated_logits, tf.float32))
    return share_of_mean(values)
