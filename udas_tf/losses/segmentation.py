"""Supervised segmentation loss, and the agreement of the two classifiers on the target."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean
from udas_tf.taxonomy import IGNORE


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, class_weights: tf.Tensor | None = None) -> tf.Tensor:
    """L_seg^p or L_seg^a: the mean over labelled pixels of -log F(x)[y], or of -w[y] log F(x)[y].

    METHOD.md section 2; means over valid pixels rather than the text's sums, by ruling.

    Args:
      labels: integer train ids [B, H, W]; 255 = ignored.
      logits: float [B, H, W, C].
      class_weights: w, float32 [C]; all 1 by default.

    Returns:
      float32 scalar, this replica's share of the mean (see losses/reduction.py).
    """
    values = _cross_entropy_map(labels, logits)
    if class_weights is not None:
        ids = tf.minimum(tf.cast(labels, tf.int32), class_weights.shape[0] - 1)  # IGNORE counts nowhere
        values *= tf.gather(class_weights, ids)
    return share_of_mean(values, labels != IGNORE)


def symmetric_divergence(primary_logits: tf.Tensor, auxiliary_logits: tf.Tensor) -> tf.Tensor:
    """L_kl = mean over pixels of -sum_c F_a log F_p - sum_c F_p log F_a, on target images.

    METHOD.md section 2, as printed: both directions, cross entropies rather than divergences, so that it is small
    where the classifiers agree and are sure. Gradients reach both classifiers.

    Args:
      primary_logits, auxiliary_logits: float [B, H, W, C].

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    return share_of_mean(_symmetric_map(primary_logits, auxiliary_logits))


# The per-pixel maps are compiled by XLA, which fuses their passes over [B, H, W, C]; the means are not, since
# replicas exchange counts there (docs/performance.md).


@tf.function(jit_compile=True, autograph=False)
def _cross_entropy_map(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """-log F(x)[y] at every pixel, of class 0 where the label is ignored: float32 [B, H, W]."""
    labels = tf.cast(labels, tf.int32)
    labels = tf.where(labels == IGNORE, 0, labels)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))


@tf.function(jit_compile=True, autograph=False)
def _symmetric_map(primary_logits: tf.Tensor, auxiliary_logits: tf.Tensor) -> tf.Tensor:
    primary = tf.nn.log_softmax(tf.cast(primary_logits, tf.float32))
    auxiliary = tf.nn.log_softmax(tf.cast(auxiliary_logits, tf.float32))
    return -tf.reduce_sum(tf.exp(auxiliary) * primary + tf.exp(primary) * auxiliary, axis=-1)
