"""Means over the global batch, computed by replicas that each see a part of it."""

from __future__ import annotations

import tensorflow as tf


def share_of_mean(values: tf.Tensor, valid: tf.Tensor | None = None) -> tf.Tensor:
    """This replica's share of the mean of `values` over the global batch.

    The shares of all replicas add up to the mean over every (valid) element of the global batch, and so do their
    gradients, which Keras optimizers sum over replicas. With one replica it is the plain mean.

    Args:
      values: float, any shape.
      valid: bool, the shape of `values`: the elements that count; all of them by default.

    Returns:
      float32 scalar; 0 where no element counts.
    """
    values = tf.cast(values, tf.float32)
    if valid is None:
        return tf.reduce_mean(values) / tf.distribute.get_strategy().num_replicas_in_sync
    count = sum_over_replicas(tf.math.count_nonzero(valid, dtype=tf.float32))
    # tf.where, not a product: an infinite value at an element that does not count must not become NaN.
    return tf.reduce_sum(tf.where(valid, values, 0.0)) / tf.maximum(count, 1.0)


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """Sum of a scalar over all replicas."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
