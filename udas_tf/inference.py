"""What a segmenter says of images: logits at image size, probabilities, predictions over several views."""

from __future__ import annotations

import keras
import tensorflow as tf

from udas_tf import pseudo_labels
from udas_tf.data import augment, geometry
from udas_tf.models.deeplab_v2 import upsample

# The levels a network may have, and the letter that names the loss terms of each.
LEVELS = {"primary": "p", "auxiliary": "a"}


def levels(segmenter: keras.Model) -> dict[str, str]:
    """LEVELS less those the network does not have."""
    return {level: letter for level, letter in LEVELS.items() if level in segmenter.output}


def logits(segmenter: keras.Model, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
    """Logits of each of the network's levels at the images' size: float32 [B, H, W, C].

    Args:
      images: RGB in [0, 255], uint8 or float [B, H, W, 3].
    """
    size = images.shape[1:3] if images.shape[1:3].is_fully_defined() else tf.shape(images)[1:3]
    return {level: upsample(small, size) for level, small in segmenter(images, training=training).items()}


def joint_logits(segmenter: keras.Model, *batches: tf.Tensor) -> list[dict[str, tf.Tensor]]:
    """`logits` in training, for several batches of images of one size, from one pass over all of them.

    No layer's statistics cross images (group norm, or frozen batch norm), so this is what separate passes give;
    but for deeplab_v3_plus, whose batch norm sees the batches together.
    """
    counts = [batch.shape[0] for batch in batches]
    size = batches[0].shape[1:3]
    # Split before upsampling: the small maps are an eighth as high and wide.
    small = {
        level: tf.split(maps, counts)
        for level, maps in segmenter(tf.concat(batches, 0), training=True).items()
    }
    return [{level: upsample(parts[i], size) for level, parts in small.items()} for i in range(len(batches))]


def probabilities(segmenter: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """F_p(x): the primary classifier's softmax, float32 [B, H, W, C]."""
    return tf.nn.softmax(logits(segmenter, images)["primary"])


def confidence_and_class(segmenter: keras.Model, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The most probable class and its probability: float32 [B, H, W] in [0, 1], uint8 [B, H, W]."""
    probability = probabilities(segmenter, images)
    return tf.reduce_max(probability, -1), tf.cast(tf.argmax(probability, -1), tf.uint8)


def pseudo_label(
    segmenter: keras.Model, images: tf.Tensor, views: int, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pseudo-labels of `views` AutoAugment views: the class and confidence of the view most confident at each pixel.

    Args:
      images: float32 [B, H, W, 3] in [0, 255], static shape.
      views: K.
      seed: int32 [2].

    Returns:
      labels uint8 [B, H, W], and confidences float32 [B, H, W] in [0, 1].
    """
    augmented, transforms = augment.k_views(images, views, seed)
    confidence, label = confidence_and_class(segmenter, _join(augmented))
    # Warping back with nearest neighbours commutes with taking the maximum over classes, and moves two maps
    # instead of C.
    maps, seen = geometry.warp_back(tf.stack([confidence, tf.cast(label, tf.float32)], -1), _join(transforms))
    maps, seen = _split(maps, views), _split(seen, views)
    view = pseudo_labels.maximum_confidence(maps[..., 0], seen)
    chosen = pseudo_labels.choose(maps, view)
    return tf.cast(chosen[..., 1], tf.uint8), chosen[..., 0]


def maximum_confidence_distribution(
    segmenter: keras.Model, images: tf.Tensor, views: int, seed: tf.Tensor
) -> tf.Tensor:
    """The whole softmax of the view most confident at each pixel, float32 [B, H, W, C]. Arguments as above."""
    augmented, transforms = augment.k_views(images, views, seed)
    distributions, seen = geometry.warp_back(probabilities(segmenter, _join(augmented)), _join(transforms))
    distributions, seen = _split(distributions, views), _split(seen, views)
    view = pseudo_labels.maximum_confidence(tf.reduce_max(distributions, -1), seen)
    return pseudo_labels.choose(distributions, view)


def _join(tensor: tf.Tensor) -> tf.Tensor:
    """[K, B, ...] -> [K*B, ...]."""
    return tf.reshape(tensor, [-1, *tensor.shape[2:]])


def _split(tensor: tf.Tensor, views: int) -> tf.Tensor:
    """[K*B, ...] -> [K, B, ...]."""
    return tf.reshape(tensor, [views, -1, *tensor.shape[1:]])
