"""Adversarial losses on discriminator score maps.

The domains are numbered as in AdaptSegNet and ADVENT (train_gta2cityscapes_multi.py: source_label = 0,
target_label = 1), here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean

SOURCE, TARGET = 0, 1


def binary_cross_entropy(scores: tf.Tensor, domain: int) -> tf.Tensor:
    """Mean of -log D for TARGET and -log(1 - D) for SOURCE, D = sigmoid(scores) the probability of TARGET.

    Args:
      scores: float logits, any shape.
      domain: SOURCE or TARGET.

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    scores = tf.cast(scores, tf.float32)
    return share_of_mean(tf.nn.softplus(scores if domain == SOURCE else -scores))


def least_squares(scores: tf.Tensor, domain: int) -> tf.Tensor:
    """Mean of (score - domain)^2, the least-squares GAN loss [Mao 2017]. Arguments as above."""
    return share_of_mean(tf.square(tf.cast(scores, tf.float32) - float(domain)))


LOSSES = {"bce": binary_cross_entropy, "least_squares": least_squares}


def adversarial(score_maps: Sequence[tf.Tensor], domain: int, kind: str) -> tf.Tensor:
    """The loss of taking all of `score_maps` for `domain`: the sum over the discriminator's scales.

    With target predictions and SOURCE it is L_adv of the segmenter in its non-saturating form.

    Args:
      score_maps: float logits, one map a scale.
      domain: SOURCE or TARGET.
      kind: a key of LOSSES.
    """
    return tf.add_n([LOSSES[kind](scores, domain) for scores in score_maps])


def discriminator(source_maps: Sequence[tf.Tensor], target_maps: Sequence[tf.Tensor], kind: str) -> tf.Tensor:
    """Loss of a discriminator: half of taking source for SOURCE and half of taking target for TARGET.

    Minimising it maximises L_adv of docs/equations.md section 2; the half is AdaptSegNet's (loss_D / 2).
    """
    return 0.5 * (adversarial(source_maps, SOURCE, kind) + adversarial(target_maps, TARGET, kind))


def accuracy(source_maps: Sequence[tf.Tensor], target_maps: Sequence[tf.Tensor], kind: str) -> tf.Tensor:
    """Fraction of scores on the right side of the decision boundary; 0.5 = the domains are indistinguishable."""
    boundary = {"bce": 0.0, "least_squares": 0.5}[kind]
    right = [share_of_mean(tf.cast(scores < boundary, tf.float32)) for scores in source_maps]
    right += [share_of_mean(tf.cast(scores >= boundary, tf.float32)) for scores in target_maps]
    return tf.add_n(right) / len(right)
