"""Pseudo-labels from several views of an image: the maximum confidence map and the confidence mask."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.taxonomy import IGNORE


def maximum_confidence(confidences: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
    """The most confident view at every pixel.

    METHOD.md section 4: views that saw nothing at a pixel are not counted there; the first view (the weak one)
    sees every pixel, and wins ties.

    Args:
      confidences: float32 [K, B, H, W], the largest probability of each view, warped back.
      seen: bool [K, B, H, W].

    Returns:
      int32 [B, H, W], a view number.
    """
    return tf.argmax(tf.where(seen, confidences, -1.0), axis=0, output_type=tf.int32)


def choose(per_view: tf.Tensor, view: tf.Tensor) -> tf.Tensor:
    """Takes, at every pixel, the value of the view given there.

    Args:
      per_view: [K, B, H, W] or [K, B, H, W, C].
      view: int32 [B, H, W].

    Returns:
      [B, H, W] or [B, H, W, C].
    """
    chosen = per_view[0]
    if per_view.shape.rank == 5:
        view = view[..., tf.newaxis]
    for number in range(1, per_view.shape[0]):  # K is small: selects are cheaper than a gather along K
        chosen = tf.where(view == number, per_view[number], chosen)
    return chosen


def mask(labels: tf.Tensor, confidence: tf.Tensor, threshold: float) -> tf.Tensor:
    """Labels with IGNORE where the confidence is below the threshold.

    Args:
      labels: uint8 [B, H, W].
      confidence: uint8 [B, H, W], round(255 * probability).
      threshold: 0..1; compared with the stored confidence at its own precision of 1/255.
    """
    kept = tf.cast(confidence, tf.float32) >= tf.round(255.0 * threshold)
    return tf.where(kept, labels, tf.constant(IGNORE, labels.dtype))
