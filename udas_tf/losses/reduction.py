"""Means over the global batch, of which each replica sees a part."""

from __future__ import annotations

import tensorflow as tf


def share_of_mean(values: tf.Tensor, valid: tf.Tensor | None = None) -> tf.Tensor:
    """This replica's share of the mean of `values` over the global batch.

    The shares of all replicas add up to the mean over the valid elements of the global batch. Keras optimizers sum
    gradients over replicas, so the gradients add up to the mean's gradient, too. One replica has the plain mean.

    Args:
      values: float, any shape.
      valid: bool, same shape: the elements that count; None = all of them.

    Returns:
      float32 scalar; 0 where no element counts.
    """
    values = tf.cast(values, tf.float32)
    if valid is None:
        return tf.reduce_mean(values) / tf.distribute.get_strategy().num_replicas_in_sync
    count = sum_over_replicas(tf.math.count_nonzero(valid, dtype=tf.float32))
    # tf.where and not a product: infinity times 0 would be NaN.
    return tf.reduce_sum(tf.where(valid, values, 0.0)) / tf.maximum(count, 1.0)


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """Sum of a scalar over all replicas, on each of them."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
