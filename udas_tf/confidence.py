"""The arithmetic of pseudo-labels: the maximum confidence map, thresholds, class weights, and lost classes."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from udas_tf.taxonomy import IGNORE

MAX_CLASS_WEIGHT = 5.0
VANISHED = 0.1  # a class is lost when it falls below this fraction of its earlier share
PRESENT = 1e-4  # a class with a smaller share of the pixels cannot be lost


def maximum_confidence(confidences: tf.Tensor, seen: tf.Tensor) -> tf.Tensor:
    """The most confident view at every pixel (docs/equations.md section 4).

    Only the views that saw a pixel count there. The first view, the plain image, sees every pixel and wins ties.

    Args:
      confidences: float32 [K, B, H, W], the largest probability of each view, warped back.
      seen: bool [K, B, H, W], whether the view saw the pixel.

    Returns:
      int32 [B, H, W], the number of a view.
    """
    return tf.argmax(tf.where(seen, confidences, -1.0), axis=0, output_type=tf.int32)


def choose(per_view: tf.Tensor, view: tf.Tensor) -> tf.Tensor:
    """Takes the value of one view at every pixel.

    Args:
      per_view: values, [K, B, H, W] or [K, B, H, W, C].
      view: int32 [B, H, W], the number of the view to take.

    Returns:
      [B, H, W] or [B, H, W, C].
    """
    chosen = per_view[0]
    if per_view.shape.rank == 5:
        view = view[..., tf.newaxis]
    for number in range(1, per_view.shape[0]):  # K is small, and selecting is then cheaper than gathering along K
        chosen = tf.where(view == number, per_view[number], chosen)
    return chosen


def agreement(labels: tf.Tensor, seen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which pixels several views saw, and on which of them the views agree.

    Args:
      labels: [K, B, H, W], the class of each view, warped back; any number type.
      seen: bool [K, B, H, W], whether the view saw the pixel.

    Returns:
      shared: bool [B, H, W], pixels that two views or more saw.
      agreeing: bool [B, H, W], those of them to which all the views that saw them give one class.
    """
    shared = tf.reduce_sum(tf.cast(seen, tf.int32), axis=0) >= 2
    lowest = tf.reduce_min(tf.where(seen, labels, labels.dtype.max), axis=0)
    highest = tf.reduce_max(tf.where(seen, labels, labels.dtype.min), axis=0)
    return shared, shared & (lowest == highest)


def class_thresholds(histogram: np.ndarray, threshold: float, class_share: float) -> np.ndarray:
    """The least stored confidence at which a pseudo-label is kept, for each class.

    docs/equations.md section 4 keeps pixels at or above one threshold. A class of which the teacher is seldom sure then
    vanishes from round to round. So a class may keep at least a share of its pixels, as in class-balanced self-training
    [Zou et al. 2018]: its threshold falls to the confidence that this share of its pixels reaches.

    Args:
      histogram: int [256, 256], pixels by label and stored confidence.
      threshold: 0..1, for every class that keeps its share with it.
      class_share: 0..1, the share; 0 gives all classes the one threshold.

    Returns:
      uint8 [256] by label, as stored: round(255 * probability).
    """
    reaching = np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]  # pixels of a label at a confidence or above
    granted = reaching >= class_share * reaching[:, :1]  # true up to the highest confidence that keeps the share
    highest = granted.sum(axis=1) - 1
    return np.minimum(highest, round(255.0 * threshold)).astype(np.uint8)


def class_weights(histogram: np.ndarray, thresholds: np.ndarray, classes: int, balance: float) -> np.ndarray:
    """Weights of the classes in the loss over the pixels kept: (1 / share) ** balance, scaled to a mean of 1 per pixel.

    Rare classes get fewer hard labels than their probabilities suggest, so a student that weighs every pixel alike
    loses some of them in each round. No class weighs more than `MAX_CLASS_WEIGHT` times a class of average share.

    Args:
      histogram: int [256, 256], pixels by label and stored confidence.
      thresholds: uint8 [256] of `class_thresholds`.
      classes: C.
      balance: 0..1; 0 weighs all pixels alike, 1 would give every class the same part of the loss.

    Returns:
      float32 [C]; all 1 where no pixel is kept.
    """
    kept = kept_pixels(histogram[:classes], thresholds)
    if not kept.any():
        return np.ones(classes, np.float32)
    shares = kept / kept.sum()
    rarity = 1.0 / np.maximum(classes * shares, 1e-9)
    weights = np.minimum(rarity**balance, MAX_CLASS_WEIGHT)
    return (weights / (weights * shares).sum()).astype(np.float32)


def kept_pixels(histogram: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """The number of pixels of each label that reach its threshold.

    Args:
      histogram: int [C, 256], pixels by label and stored confidence.
      thresholds: uint8 [at least C] of `class_thresholds`.

    Returns:
      int64 [C].
    """
    return np.array([row[threshold:].sum() for row, threshold in zip(histogram, thresholds, strict=False)])


def suggested_threshold(pixels: np.ndarray, right: np.ndarray, wanted: float) -> float | None:
    """The smallest threshold at which the pixels kept reach a precision.

    Args:
      pixels: int [256], pixels with a true label, by stored confidence.
      right: int [256], those of them whose pseudo-label is the true one.
      wanted: 0..1, the precision: the fraction of the pixels kept that are right.

    Returns:
      A probability, a multiple of 1/255; None where no threshold that keeps a pixel reaches the precision.
    """
    reaching, right_reaching = (np.cumsum(counts[::-1])[::-1] for counts in (pixels, right))
    enough = (reaching > 0) & (right_reaching >= wanted * reaching)
    return float(np.argmax(enough) / 255.0) if enough.any() else None


def vanished(shares: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Which classes are lost: those whose share has fallen below a tenth (`VANISHED`).

    Args:
      shares, before: float [C], share of each class among the pixels, now and before, 0..1.

    Returns:
      bool [C]; false for a class whose share before was less than `PRESENT`.
    """
    return (before >= PRESENT) & (shares < VANISHED * before)


def mask(labels: tf.Tensor, confidence: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Labels with IGNORE where the confidence is below the label's threshold.

    Args:
      labels: uint8 [B, H, W].
      confidence: uint8 [B, H, W], round(255 * probability).
      thresholds: uint8 [256] of `class_thresholds`.

    Returns:
      uint8 [B, H, W].
    """
    kept = confidence >= tf.gather(thresholds, tf.cast(labels, tf.int32))
    return tf.where(kept, labels, tf.constant(IGNORE, labels.dtype))
