"""Segmentation scores from a confusion matrix; how far confidences can be believed; what changes class."""

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
    cells = num_classes * num_classes
    index = _confusion_cells(labels, predictions, num_classes)
    # tf.math.bincount passes over the pixels twice more, for checks that our own indices do not need.
    counts = tf.raw_ops.DenseBincount(input=index, size=cells + 1, weights=tf.zeros([0], tf.int64))
    return tf.reshape(counts[:cells], [num_classes, num_classes])


@tf.function(jit_compile=True, autograph=False)
def _confusion_cells(labels: tf.Tensor, predictions: tf.Tensor, num_classes: int) -> tf.Tensor:
    """int32 [pixels]: the cell of the confusion matrix; one past the last for ignored pixels, which costs less than
    gathering the others."""
    labels, predictions = tf.cast(labels, tf.int32), tf.cast(predictions, tf.int32)
    cells = tf.where(labels == IGNORE, num_classes * num_classes, labels * num_classes + predictions)
    return tf.reshape(cells, [-1])


def iou(confusion: np.ndarray) -> np.ndarray:
    """IoU_i = TP_i / (TP_i + FP_i + FN_i), float64 [C]; NaN for a class in neither labels nor predictions."""
    true_positive = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - true_positive
    return np.divide(true_positive, union, out=np.full(len(confusion), np.nan), where=union > 0)


def scores(confusion: np.ndarray, classes: tuple[str, ...]) -> dict:
    """The scores of docs/equations.md section 5, as cityscapesScripts' pixel-level evaluation counts them.

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


def calibration(pixels: np.ndarray, right: np.ndarray, bins: int = 10) -> dict:
    """How often pixels of a confidence are right, and the expected calibration error.

    ECE = sum over bins of (share of the pixels) * |accuracy - mean confidence| [Guo et al. 2017], in bins of equal
    width; the last one includes 1.

    Args:
      pixels: int [256], pixels by stored confidence v, which stands for v / 255.
      right: int [256], those of them that are predicted right.
      bins: how many.

    Returns:
      {"expected_calibration_error": fraction or None without pixels,
       "bins": [{"from", "to", "share", "confidence", "accuracy"}, ...]}; bins without pixels are left out.
    """
    values = np.arange(256) / 255.0
    # In whole numbers: in floats a confidence at the edge of a bin may fall to either side.
    place = np.minimum(np.arange(256) * bins // 255, bins - 1)
    table, error = [], 0.0
    for number in range(bins):
        inside = place == number
        count = int(pixels[inside].sum())
        if not count:
            continue
        confidence = float((pixels[inside] * values[inside]).sum() / count)
        accuracy = float(right[inside].sum() / count)
        share = count / int(pixels.sum())
        error += share * abs(accuracy - confidence)
        edges = {"from": number / bins, "to": (number + 1) / bins}
        table.append({**edges, "share": share, "confidence": confidence, "accuracy": accuracy})
    return {"expected_calibration_error": error if table else None, "bins": table}


def class_flow(confusion: np.ndarray, classes: tuple[str, ...]) -> dict[str, dict]:
    """Which class became which.

    Args:
      confusion: int [C, C], pixels by class before and after.

    Returns:
      {class before: {"share": of all pixels, "stayed": fraction of it, "became": {other class: fraction of it}}} for
      the classes that occur before; the others in falling order, those below a thousandth left out.
    """
    flow = {}
    for number, name in enumerate(classes):
        count = confusion[number].sum()
        if not count:
            continue
        fractions = confusion[number] / count
        others = [i for i in np.argsort(-fractions, kind="stable") if i != number and fractions[i] >= 1e-3]
        flow[name] = {
            "share": float(count / confusion.sum()),
            "stayed": float(fractions[number]),
            "became": {classes[i]: float(fractions[i]) for i in others},
        }
    return flow
