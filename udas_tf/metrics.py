"""Segmentation scores from a confusion matrix."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from udas_tf.taxonomy import IGNORE


def confusion_matrix(labels: tf.Tensor, predictions: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Counts of (label, prediction) over the pixels that have a label.

    Args:
      labels: integer train ids, any shape; IGNORE (255) is left out.
      predictions: integer train ids below `num_classes`, the same shape.

    Returns:
      int64 [num_classes, num_classes]: entry (i, j) counts pixels of class i predicted as j.
    """
    labels = tf.reshape(tf.cast(labels, tf.int32), [-1])
    predictions = tf.reshape(tf.cast(predictions, tf.int32), [-1])
    cells = num_classes * num_classes
    # Ignored pixels are counted in one cell past the matrix, which costs less than gathering the others.
    index = tf.where(labels == IGNORE, cells, labels * num_classes + predictions)
    counts = tf.math.bincount(index, minlength=cells + 1, maxlength=cells + 1, dtype=tf.int64)
    return tf.reshape(counts[:cells], [num_classes, num_classes])


def iou(confusion: np.ndarray) -> np.ndarray:
    """IoU_i = TP_i / (TP_i + FP_i + FN_i), float64 [C]; NaN for a class in neither labels nor predictions."""
    true_positive = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - true_positive
    return np.divide(true_positive, union, out=np.full(len(confusion), np.nan), where=union > 0)


def scores(confusion: np.ndarray, classes: tuple[str, ...]) -> dict:
    """The scores of METHOD.md section 5, as cityscapesScripts' pixel-level evaluation counts them.

    Returns:
      {"miou": mean IoU over the classes that occur in the labels or, wrongly, in the predictions,
       "pixel_accuracy": ..., "iou": {class name: IoU, or None where the class occurs in neither}}; fractions of 1.
    """
    per_class = iou(confusion)
    occurs = ~np.isnan(per_class)
    return {
        "miou": float(per_class[occurs].mean()) if occurs.any() else None,
        "pixel_accuracy": float(np.trace(confusion) / confusion.sum()) if occurs.any() else None,
        "iou": {name: float(per_class[i]) if occurs[i] else None for i, name in enumerate(classes)},
    }
