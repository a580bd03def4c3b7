"""The confusion matrix of label maps and predictions."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale
from udas_tf.evaluation import metrics

BATCH = 4  # maps, `evaluate.batch_size` of configs/base.py
DIFFERENT = 8  # maps that are used again and again


def measure(scale: Scale, directory: Path) -> Measured:
    """Seconds for a map of uint8 labels and its uint8 predictions."""
    labels, predictions = map(tf.constant, fixtures.label_maps(DIFFERENT, scale.map_size))

    @tf.function(autograph=False)
    def confusion(first: tf.Tensor) -> tf.Tensor:
        some = slice(first, first + BATCH)
        return metrics.confusion_matrix(labels[some], predictions[some], fixtures.CLASSES)

    starts = itertools.cycle(tf.range(0, DIFFERENT, BATCH))

    def evaluate() -> np.ndarray:
        return sum(confusion(next(starts)).numpy() for _ in range(scale.maps // BATCH))

    seconds = timed(evaluate, scale.maps // BATCH * BATCH, scale.seconds)
    return Measured(seconds, {"bytes": 2 * math.prod(scale.map_size)}, peak_memory())
