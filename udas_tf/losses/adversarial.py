"""Adversarial losses on the score maps of discriminators.

The numbers of the domains are AdaptSegNet's and ADVENT's (train_gta2cityscapes_multi.py: source_label = 0,
target_label = 1). They are defined here alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean

SOURCE, TARGET = 0, 1


def binary_cross_entropy(scores: tf.Tensor, domain: int) -> tf.Tensor:
    """Mean of -log D for TARGET, of -log(1 - D) for SOURCE; D = sigmoid(scores) is the probability of TARGET.

    Args:
      scores: float logits, any shape.
      domain: SOURCE or TARGET, the domain that the scores should say.

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    scores = tf.cast(scores, tf.float32)
    return share_of_mean(tf.nn.softplus(scores if domain == SOURCE else -scores))


def least_squares(scores: tf.Tensor, domain: int) -> tf.Tensor:
    """Mean of (score - domain)^2, the least-squares GAN loss [Mao 2017].

    Arguments and result are those of `binary_cross_entropy`.
    """
    return share_of_mean(tf.square(tf.cast(scores, tf.float32) - float(domain)))


LOSSES = {"bce": binary_cross_entropy, "least_squares": least_squares}


def adversarial(score_maps: Sequence[tf.Tensor], domain: int, kind: str) -> tf.Tensor:
    """Sum, over the discriminator's scales, of the loss against scores that say `domain`.

    On the scores of target predictions, with SOURCE, it is L_adv of the segmenter in its non-saturating form.

    Args:
      score_maps: float logits, one map for each scale.
      domain: SOURCE or TARGET.
      kind: key of LOSSES.

    Returns:
      float32 scalar, this replica's share of the sum of the means.
    """
    return tf.add_n([LOSSES[kind](scores, domain) for scores in score_maps])


def discriminator(source_maps: Sequence[tf.Tensor], target_maps: Sequence[tf.Tensor], kind: str) -> tf.Tensor:
    """L_D: half the loss of the source's scores against SOURCE, and half that of the target's against TARGET.

    Minimising it maximises L_adv of docs/equations.md section 2. The factor of a half is AdaptSegNet's (loss_D / 2).

    Args:
      source_maps, target_maps: float logits of each domain, one map for each scale.
      kind: key of LOSSES.

    Returns:
      float32 scalar, this replica's share.
    """
    return 0.5 * (adversarial(source_maps, SOURCE, kind) + adversarial(target_maps, TARGET, kind))


def accuracy(source_maps: Sequence[tf.Tensor], target_maps: Sequence[tf.Tensor], kind: str) -> tf.Tensor:
    """Fraction of the scores on the right side of the decision boundary; 0.5 = the discriminator cannot tell.

    Arguments are those of `discriminator`. Returns this replica's share, a float32 scalar.
    """
    boundary = {"bce": 0.0, "least_squares": 0.5}[kind]
    right = [share_of_mean(tf.cast(scores < boundary, tf.float32)) for scores in source_maps]
    right += [share_of_mean(tf.cast(scores >= boundary, tf.float32)) for scores in target_maps]
    return tf.add_n(right) / len(right)
