"""Training steps as `fit` takes them, their memory, and random batches for them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from udas_tf import devices
from udas_tf.bench import measuring
from udas_tf.data.records import UNTUNED
from udas_tf.training.method import Method


def timed_steps(method: Method, dataset: tf.data.Dataset, least_seconds: float) -> list[float]:
    """Seconds for a step on the batches of an endless dataset, by the function that Keras's `fit` calls."""
    method.make_train_function()
    dataset = dataset.with_options(UNTUNED)
    batches = iter(method.distribute_strategy.experimental_distribute_dataset(dataset))
    return measuring.timed_steps(
        step=lambda: method.train_function(batches),
        read=lambda logs: {name: float(np.asarray(value)) for name, value in logs.items()},
        gpu=devices.has_gpu(),
        least_seconds=least_seconds,
    )


def peak_memory() -> int:
    """The most bytes that this process has held; of the GPU's memory where there is a GPU."""
    if devices.has_gpu():
        return tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return measuring.peak_memory()


def images(batch: int, size: tuple[int, int], seed: int) -> tf.Tensor:
    """Random images, uint8 [batch, height, width, 3]."""
    return tf.cast(tf.random.stateless_uniform((batch, *size, 3), (seed, 0), 0, 256, tf.int32), tf.uint8)


def labels(batch: int, size: tuple[int, int], classes: int) -> tf.Tensor:
    """Random labels, uint8 [batch, height, width]."""
    drawn = tf.random.stateless_uniform((batch, *size), (0, 1), 0, classes, tf.int32)
    return tf.cast(drawn, tf.uint8)
