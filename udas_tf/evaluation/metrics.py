"""Segmentation scores from a confusion matrix, calibration of confidences, and which class became which."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from udas_tf.taxonomy import IGNORE


@dataclasses.dataclass(frozen=True)
class Bin:
    """The pixels whose confidence lies in [low, high); in the last bin also 1.

    Attributes:
      low, high: edges of the bin, confidences in [0, 1].
      share: of all pixels.
      confidence: mean over the pixels.
      accuracy: fraction of the pixels that are right.
    """

    low: float
    high: float
    share: float
    confidence: float
    accuracy: float


@dataclasses.dataclass(frozen=True)
class Calibration:
    """How well confidences match accuracies.

    Attributes:
      expected_calibration_error: fraction; None without pixels.
      bins: those that hold a pixel, in ascending order.
    """

    expected_calibration_error: float | None
    bins: list[Bin]


@dataclasses.dataclass(frozen=True)
class ClassFlow:
    """The classes that the pixels of one class have afterwards.

    Attributes:
      share: of the class among all pixels before.
      stayed: fraction of its pixels that keep the class.
      became: other class -> fraction of its pixels, in falling order.
    """

    share: float
    stayed: float
    became: dict[str, float]


def confusion_matrix(labels: tf.Tensor, predictions: tf.Tensor, num_classes: int) -> tf.Tensor:
    """Counts of (label, prediction) over the pixels that have a label.

    Args:
      labels: integer train ids, any shape; IGNORE (255) is left out.
      predictions: integer train ids below `num_classes`, the same shape.
      num_classes: C.

    Returns:
      int64 [C, C]: entry (i, j) counts pixels of class i predicted as j.
    """
    cells = num_classes * num_classes
    index = _confusion_cells(labels, predictions, num_classes)
    # tf.math.bincount reads the pixels twice more, for checks that these indices do not need.
    counts = tf.raw_ops.DenseBincount(input=index, size=cells + 1, weights=tf.zeros([0], tf.int64))
    return tf.reshape(counts[:cells], [num_classes, num_classes])


@tf.function(jit_compile=True, autograph=False)
def _confusion_cells(labels: tf.Tensor, predictions: tf.Tensor, num_classes: int) -> tf.Tensor:
    """int32 [pixels]: the cell of the confusion matrix. Ignored pixels get the number after the last cell: that is
    cheaper than gathering the others."""
    labels, predictions = tf.cast(labels, tf.int32), tf.cast(predictions, tf.int32)
    cells = tf.where(labels == IGNORE, num_classes * num_classes, labels * num_classes + predictions)
    return tf.reshape(cells, [-1])


def iou(confusion: np.ndarray) -> np.ndarray:
    """IoU_i = TP_i / (TP_i + FP_i + FN_i).

    Args:
      confusion: int [C, C], pixels by label and prediction.

    Returns:
      float64 [C]; NaN for a class in neither labels nor predictions.
    """
    true_positive = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - true_positive
    return np.divide(true_positive, union, out=np.full(len(confusion), np.nan), where=union > 0)


def scores(confusion: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    """The scores of docs/equations.md section 5, counted as by the pixel-level evaluation of cityscapesScripts.

    Args:
      confusion: int [C, C], pixels by label and prediction.
      classes: names by train id.

    Returns:
      {"miou": mean IoU over the classes that occur in the labels or in the predictions,
       "pixel_accuracy": fraction of the pixels that are right,
       "iou": {class name: IoU, or None where the class occurs in neither}};
      fractions, the first two None without pixels.
    """
    per_class = iou(confusion)
    occurs = ~np.isnan(per_class)
    return {
        "miou": float(per_class[occurs].mean()) if occurs.any() else None,
        "pixel_accuracy": float(np.trace(confusion) / confusion.sum()) if occurs.any() else None,
        "iou": {name: float(per_class[i]) if occurs[i] else None for i, name in enumerate(classes)},
    }


def calibration(pixels: np.ndarray, right: np.ndarray, bins: int = 10) -> Calibration:
    """The accuracy of pixels by their confidence, and the expected calibration error.

    ECE = sum over bins of (share of the pixels) * |accuracy - mean confidence| [Guo et al. 2017]. The bins have equal
    widths; the last one includes 1.

    Args:
      pixels: int [256], pixels by stored confidence v, which means v / 255.
      right: int [256], those of them that are predicted right.
      bins: how many.
    """
    values = np.arange(256) / 255.0
    # Computed in integers: in floats a confidence at the edge of a bin could fall on either side.
    place = np.minimum(np.arange(256) * bins // 255, bins - 1)
    table: list[Bin] = []
    error = 0.0
    for number in range(bins):
        inside = place == number
        count = int(pixels[inside].sum())
        if not count:
            continue
        confidence = float((pixels[inside] * values[inside]).sum() / count)
        accuracy = float(right[inside].sum() / count)
        share = count / int(pixels.sum())
        error += share * abs(accuracy - confidence)
        table.append(Bin(number / bins, (number + 1) / bins, share, confidence, accuracy))
    return Calibration(error if table else None, table)


def class_flow(confusion: np.ndarray, classes: tuple[str, ...]) -> dict[str, ClassFlow]:
    """Which class became which.

    Args:
      confusion: int [C, C], pixels by class before and after.
      classes: names by train id.

    Returns:
      Class name -> its flow, for the classes that occur before. `became` leaves out fractions below a thousandth.
    """
    flow: dict[str, ClassFlow] = {}
    for number, name in enumerate(classes):
        count = confusion[number].sum()
        if not count:
            continue
        fractions = confusion[number] / count
        others = [i for i in np.argsort(-fractions, kind="stable") if i != number and fractions[i] >= 1e-3]
        flow[name] = ClassFlow(
            share=float(count / confusion.sum()),
            stayed=float(fractions[number]),
            became={classes[i]: float(fractions[i]) for i in others},
        )
    return flow
