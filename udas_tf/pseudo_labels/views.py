"""Several views of an image: pseudo-labels from a teacher, and the whole softmax of its most confident view."""

from __future__ import annotations

import math
from typing import NamedTuple

import keras
import tensorflow as tf

from udas_tf import confidence
from udas_tf.data.augment import geometry, policy
from udas_tf.inference import confidence_and_class, probabilities


class PseudoLabels(NamedTuple):
    """Pseudo-labels of a batch of images.

    Attributes:
      labels: uint8 [B, H, W], the class of the most confident view at each pixel.
      confidence: float32 [B, H, W] in [0, 1], the confidence of that view.
      shared: bool [B, H, W], pixels that two views or more saw.
      agreeing: bool [B, H, W], those of them to which all the views that saw them give one class.
    """

    labels: tf.Tensor
    confidence: tf.Tensor
    shared: tf.Tensor
    agreeing: tf.Tensor


def pseudo_label(segmenter: keras.Model, images: tf.Tensor, views: int, seed: tf.Tensor) -> PseudoLabels:
    """Pseudo-labels from AutoAugment views: at each pixel the class and confidence of the most confident view.

    Args:
      segmenter: the teacher.
      images: uint8 [B, H, W, 3], or float in [0, 255], of static shape.
      views: K; the first view is the image itself.
      seed: int32 [2], of the other views.
    """
    augmented, transforms = policy.k_views(images, views, seed)
    certainty, label = confidence_and_class(segmenter, _join(augmented))
    # Warping back takes nearest neighbours, so the maximum over classes can be taken before: two maps are warped
    # instead of C.
    maps, seen = geometry.warp_back(tf.stack([certainty, tf.cast(label, tf.float32)], -1), _join(transforms))
    maps, seen = _split(maps, views), _split(seen, views)
    view = confidence.maximum_confidence(maps[..., 0], seen)
    chosen = confidence.choose(maps, view)
    return PseudoLabels(tf.cast(chosen[..., 1], tf.uint8), chosen[..., 0], *confidence.agreement(maps[..., 1], seen))


def maximum_confidence_distribution(
    segmenter: keras.Model, images: tf.Tensor, views: int, seed: tf.Tensor, moved: tf.Tensor | None = None
) -> tf.Tensor:
    """The whole softmax of the most confident view at each pixel.

    Args:
      segmenter, images, views, seed: as in `pseudo_label`.
      moved: transforms, float32 [B, 2, 3], that move the result as they move the images; None leaves it in place.

    Returns:
      float32 [B, H, W, C]; 0 at pixels outside of a moved image.
    """
    augmented, transforms = policy.k_views(images, views, seed)
    distributions, transforms = probabilities(segmenter, _join(augmented)), _join(transforms)
    certainty, seen = geometry.warp_back(tf.reduce_max(distributions, -1), transforms)
    view = confidence.maximum_confidence(_split(certainty, views), _split(seen, views))
    # The pixels of all views are numbered from 1, and the numbers are warped: one map instead of C probabilities.
    *size, classes = distributions.shape
    numbers = tf.reshape(1 + tf.range(math.prod(size)), size)
    chosen = confidence.choose(_split(geometry.warp_back(numbers, transforms)[0], views), view)
    if moved is not None:
        chosen = geometry.warp(chosen, moved, fill=0)
    taken = tf.gather(tf.reshape(distributions, (-1, classes)), tf.maximum(chosen - 1, 0))
    return tf.where(chosen[..., tf.newaxis] > 0, taken, 0.0)


def _join(tensor: tf.Tensor) -> tf.Tensor:
    """[K, B, ...] -> [K*B, ...]."""
    return tf.reshape(tensor, [-1, *tensor.shape[2:]])


def _split(tensor: tf.Tensor, views: int) -> tf.Tensor:
    """[K*B, ...] -> [K, B, ...]."""
    return tf.reshape(tensor, [views, -1, *tensor.shape[1:]])
