"""Cross entropies against labels and pseudo-labels, and the agreement of the two classifiers on the target."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean
from udas_tf.taxonomy import IGNORE

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, class_weights: tf.Tensor | None = None) -> tf.Tensor:
    """L_seg^p or L_seg^a: mean over labelled pixels of -w[y] log F(x)[y] (docs/equations.md section 2).

    The paper's text has a sum; the mean is that of AdaptSegNet's code (utils/loss.py).

    Args:
      labels: integer train ids [B, H, W]; 255 = ignored.
      logits: float [B, H, W, C].
      class_weights: w, float32 [C]; None = all 1.

    Returns:
      float32 scalar, this replica's share of the mean (see losses/reduction.py).
    """
    return share_of_mean(_weighted_map(labels, logits, class_weights), labels != IGNORE)


def rectified_cross_entropy(
    labels: tf.Tensor, logits: tf.Tensor, other_logits: tf.Tensor, class_weights: tf.Tensor | None = None
) -> tf.Tensor:
    """Mean over labelled pixels of exp(-D) * (-w[y] log F[y]) + D, where D = KL(F_other || F) at the pixel.

    Where the classifiers disagree, a pseudo-label counts less, and the disagreement itself is a loss [Zheng & Yang
    2021]. Gradients reach both classifiers. Seg-Uncertainty's code (trainer_ms_variance.py, update_variance) takes the
    mean over all pixels, the ignored ones included.

    Args:
      labels: integer train ids [B, H, W]; 255 = ignored.
      logits: float [B, H, W, C], of the classifier that learns from the labels.
      other_logits: the same of the other classifier.
      class_weights: w, float32 [C]; None = all 1.

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    divergence = _divergence_map(other_logits, logits)
    rectified = tf.exp(-divergence) * _weighted_map(labels, logits, class_weights)
    return share_of_mean(rectified + divergence, labels != IGNORE)


def symmetric_divergence(primary_logits: tf.Tensor, auxiliary_logits: tf.Tensor) -> tf.Tensor:
    """L_kl: mean over pixels of -sum_c F_a log F_p - sum_c F_p log F_a, on target images.

    docs/equations.md section 2, as printed there: two cross entropies rather than two divergences, so it is small only
    where the classifiers agree and are sure. Gradients reach both classifiers.

    Args:
      primary_logits, auxiliary_logits: float [B, H, W, C].

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    return share_of_mean(_symmetric_map(tf.cast(primary_logits, tf.float32), tf.cast(auxiliary_logits, tf.float32)))


def memory_regularization(primary_logits: tf.Tensor, auxiliary_logits: tf.Tensor) -> tf.Tensor:
    """L_kl of Seg-Uncertainty's code: mean over pixels of KL(M || F_p) + KL(M || F_a), on target images.

    M = softmax(primary logits + auxiliary logits / 2) is what the classifiers say together. No gradient flows to it.
    trainer_ms.py (gen_update, loss_kl) [Zheng & Yang 2020]. Arguments and result are those of `symmetric_divergence`.
    """
    mean = tf.stop_gradient(tf.cast(primary_logits, tf.float32) + 0.5 * tf.cast(auxiliary_logits, tf.float32))
    return share_of_mean(_divergence_map(mean, primary_logits) + _divergence_map(mean, auxiliary_logits))


AGREEMENTS = {"symmetric": symmetric_divergence, "memory": memory_regularization}


def _weighted_map(labels: tf.Tensor, logits: tf.Tensor, class_weights: tf.Tensor | None) -> tf.Tensor:
    values = _cross_entropy_map(labels, logits)
    if class_weights is None:
        return values
    ids = tf.minimum(tf.cast(labels, tf.int32), class_weights.shape[0] - 1)  # IGNORE counts nowhere
    return values * tf.gather(class_weights, ids)


# XLA compiles the maps by pixel and fuses their passes over [B, H, W, C]. It does not compile the means, in which
# replicas exchange counts (docs/performance.md).


@tf.function(jit_compile=True, autograph=False)
def _cross_entropy_map(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """-log F(x)[y] at every pixel: float32 [B, H, W]. Ignored labels are taken for class 0."""
    labels = tf.cast(labels, tf.int32)
    labels = tf.where(labels == IGNORE, 0, labels)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, tf.cast(logits, tf.float32))


@tf.custom_gradient
def _symmetric_map(primary: tf.Tensor, auxiliary: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """-sum_c F_a log F_p - sum_c F_p log F_a at every pixel, float32 [B, H, W], and its gradient.

    Computed from the softmaxes, which the discriminators need anyway, with log F = logits - log_sum_exp. XLA is slow at
    rows of some twenty numbers and took twice as long.
    """
    p, a = tf.nn.softmax(primary), tf.nn.softmax(auxiliary)
    a_in_p, p_in_a = (tf.reduce_sum(x * y, axis=-1) for x, y in ((p, auxiliary), (a, primary)))
    values = _log_sum_exp(primary, p) - p_in_a + _log_sum_exp(auxiliary, a) - a_in_p

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return _symmetric_gradient(upstream, p, a, primary, auxiliary, a_in_p, p_in_a)

    return values, gradient


def _log_sum_exp(logits: tf.Tensor, softmax: tf.Tensor) -> tf.Tensor:
    """log sum exp over the last axis, by the greatest probability, which is exp(greatest logit) / sum."""
    return tf.reduce_max(logits, axis=-1) - tf.math.log(tf.reduce_max(softmax, axis=-1))


@tf.function(jit_compile=True, autograph=False)
def _symmetric_gradient(
    upstream: tf.Tensor,
    p: tf.Tensor,
    a: tf.Tensor,
    primary: tf.Tensor,
    auxiliary: tf.Tensor,
    a_in_p: tf.Tensor,
    p_in_a: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradients to the logits of both classifiers; names as in `_symmetric_map`."""
    by_primary = p - a - p * (auxiliary - a_in_p[..., tf.newaxis])
    by_auxiliary = a - p - a * (primary - p_in_a[..., tf.newaxis])
    return upstream[..., tf.newaxis] * by_primary, upstream[..., tf.newaxis] * by_auxiliary


@tf.function(jit_compile=True, autograph=False)
def _divergence_map(logits: tf.Tensor, other_logits: tf.Tensor) -> tf.Tensor:
    """KL(softmax(logits) || softmax(other_logits)) at every pixel: float32 [B, H, W]."""
    log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    log_q = tf.nn.log_softmax(tf.cast(other_logits, tf.float32))
    return tf.reduce_sum(tf.exp(log_p) * (log_p - log_q), axis=-1)
