"""AutoAugment: K views of a batch of images."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import tensorflow as tf

from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale
from udas_tf.data.augment import policy


def measure(scale: Scale, directory: Path) -> Measured:
    """Seconds for an augmented image. The first view of each image is the image itself and does not count."""
    images = tf.constant(fixtures.pictures(scale.images, scale.size))
    numbers = itertools.count()

    def views() -> float:
        seed = tf.constant([0, next(numbers)])
        return policy.k_views(images, scale.views, seed)[0][-1, -1, -1, -1].numpy()

    augmented = scale.images * (scale.views - 1)
    values = 3 * math.prod(scale.size)
    moved = scale.images * values * (1 + scale.views)  # read once, K views written
    return Measured(timed(views, augmented, scale.seconds), {"bytes": moved / augmented}, peak_memory())
