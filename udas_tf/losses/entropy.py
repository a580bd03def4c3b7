"""How unsure a classifier is: AdvEnt's maps for its adversary, and MinEnt's loss [Vu et al. 2019]."""

from __future__ import annotations

import math

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean


@tf.function(jit_compile=True, autograph=False)
def self_information(logits: tf.Tensor) -> tf.Tensor:
    """I = -p log2 p / log2 C, p = softmax(logits): the weighted self-information maps.

    ADVENT, advent/utils/func.py (prob_2_entropy), where the discriminators see them instead of p.

    Args:
      logits: float [B, H, W, C].

    Returns:
      float32 [B, H, W, C], each in [0, log2(e) / e / log2 C]; they sum to at most 1 at a pixel.
    """
    log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    return tf.exp(log_p) * log_p / -math.log(logits.shape[-1])


def entropy(logits: tf.Tensor) -> tf.Tensor:
    """L_ent: the mean over pixels of the sum over classes of `self_information`, in [0, 1].

    ADVENT, advent/utils/loss.py (entropy_loss): MinEnt minimises it on target images.

    Args:
      logits: float [B, H, W, C].

    Returns:
      float32 scalar, this replica's share of the mean (see losses/reduction.py).
    """
    return share_of_mean(tf.reduce_sum(self_information(logits), axis=-1))
