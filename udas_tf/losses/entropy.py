"""Entropy of a classifier's predictions: AdvEnt's maps for its discriminators, MinEnt's loss [Vu et al. 2019]."""

from __future__ import annotations

import math

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean


@tf.function(jit_compile=True, autograph=False)
def self_information(logits: tf.Tensor) -> tf.Tensor:
    """Weighted self-information maps I = -p log2 p / log2 C, where p = softmax(logits).

    AdvEnt's discriminators see them in place of p (ADVENT, advent/utils/func.py, prob_2_entropy).

    Args:
      logits: float [B, H, W, C].

    Returns:
      float32 [B, H, W, C], each in [0, log2(e) / e / log2 C]. Their sum at a pixel is at most 1.
    """
    log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    return tf.exp(log_p) * log_p / -math.log(logits.shape[-1])


def entropy(logits: tf.Tensor) -> tf.Tensor:
    """L_ent: mean over pixels of the sum over classes of `self_information`, in [0, 1].

    MinEnt minimises it on target images (ADVENT, advent/utils/loss.py, entropy_loss).

    Args:
      logits: float [B, H, W, C].

    Returns:
      float32 scalar, this replica's share of the mean (see losses/reduction.py).
    """
    return share_of_mean(tf.reduce_sum(self_information(logits), axis=-1))
