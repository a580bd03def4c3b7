"""Random numbers that a seed decides, wherever they are computed."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def seeded_uniform(shape: Sequence[int], seed: tf.Tensor) -> tf.Tensor:
    """Uniform numbers in [0, 1), multiples of 2^-24: float32 of `shape`.

    TensorFlow turns the same random bits into different floats with and without XLA, but into the same
    integers; made from those, a draw does not depend on what was compiled.

    Args:
      shape: of the result.
      seed: int32 [2].
    """
    whole = tf.random.stateless_uniform(shape, seed, 0, 2**24, tf.int32, alg="philox")
    return tf.cast(whole, tf.float32) / 2**24


def split_seed(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """`count` independent seeds from one, each int32 [2]."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count, alg="philox"))
