"""The confusion matrix of label maps and predictions by numpy's bincount."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale

DIFFERENT = 8


def measure(scale: Scale, directory: Path) -> Measured:
    labels, predictions = fixtures.label_maps(DIFFERENT, scale.map_size)

    def evaluate():
        confusion = np.zeros(fixtures.CLASSES**2, np.int64)
        for index in range(scale.maps):
            confusion += _confusion(labels[index % DIFFERENT], predictions[index % DIFFERENT])
        return confusion

    return Measured(timed(evaluate, scale.maps, scale.seconds), {}, peak_memory())


def _confusion(label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    known = label < fixtures.CLASSES
    pairs = fixtures.CLASSES * label[known].astype(np.int32) + prediction[known]
    return np.bincount(pairs, minlength=fixtures.CLASSES**2)
