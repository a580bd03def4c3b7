"""Augmented images by keras-cv's RandAugment with two operations an image, as AutoAugment has."""

from __future__ import annotations

from pathlib import Path

import keras_cv
import tensorflow as tf

from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale


def measure(scale: Scale, directory: Path) -> Measured:
    images = tf.constant(fixtures.pictures(scale.images, scale.size), tf.float32)
    layer = keras_cv.layers.RandAugment((0, 255), augmentations_per_image=2, magnitude=0.5)
    augment = tf.function(lambda batch: layer(batch, training=True))
    seconds = timed(lambda: augment(images)[-1, -1, -1, -1].numpy(), scale.images, scale.seconds)
    return Measured(seconds, {}, peak_memory())
