"""Pseudo-labels from several views of an image: the maximum confidence map and the confidence mask."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from udas_tf.taxonomy import IGNORE

MAX_CLASS_WEIGHT = 5.0


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


def class_thresholds(histogram: np.ndarray, threshold: float, class_share: float) -> np.ndarray:
    """The least stored confidence at which a label is kept, by class.

    METHOD.md section 4 keeps pixels at or above one threshold. A class that its teacher is seldom sure of then vanishes
    from round to round, so a class may be granted a share of its pixels, as in class-balanced self-training
    [Zou et al. 2018]: its threshold falls to the confidence that this share of its pixels reaches.

    Args:
      histogram: int [256, 256], pixels by label and stored confidence.
      threshold: 0..1, of every class that reaches its share with it.
      class_share: 0..1; 0 gives every class the one threshold.

    Returns:
      uint8 [256] by label, in units of the stored confidence, round(255 * probability).
    """
    reaching = np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]  # pixels of a label at a confidence or above
    granted = (
        reaching >= class_share * reaching[:, :1]
    )  # falls along the confidences, and is true at the first
    highest = granted.sum(axis=1) - 1
    return np.minimum(highest, round(255.0 * threshold)).astype(np.uint8)


def class_weights(histogram: np.ndarray, thresholds: np.ndarray, classes: int, balance: float) -> np.ndarray:
    """Weights of the classes in the loss of the pixels kept: (1 / share) ** balance, and 1 in the mean over pixels.

    Hard labels of rare classes are fewer than their probabilities say; a student that counts every pixel alike
    loses some of them in each round. No class weighs more than `MAX_CLASS_WEIGHT` times what a class of average
    share does.

    Args:
      histogram, thresholds: see `class_thresholds`.
      classes: C.
      balance: 0 weighs all pixels alike; 1 would give every class the same part of the loss.

    Returns:
      float32 [C].
    """
    kept = np.array([histogram[label, thresholds[label] :].sum() for label in range(classes)], float)
    shares = kept / max(kept.sum(), 1.0)
    rarity = 1.0 / np.maximum(classes * shares, 1e-9)
    weights = np.minimum(rarity**balance, MAX_CLASS_WEIGHT)
    return (weights / max((weights * shares).sum(), 1e-9)).astype(np.float32)


def mask(labels: tf.Tensor, confidence: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Labels with IGNORE where the confidence is below the label's threshold.

    Args:
      labels: uint8 [B, H, W].
      confidence: uint8 [B, H, W], round(255 * probability).
      thresholds: uint8 [256] of `class_thresholds`.
    """
    kept = confidence >= tf.gather(thresholds, tf.cast(labels, tf.int32))
    return tf.where(kept, labels, tf.constant(IGNORE, labels.dtype))
