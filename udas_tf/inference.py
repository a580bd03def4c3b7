"""What a segmenter says of images: logits at image size, probabilities, predictions over several views."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from udas_tf import pseudo_labels
from udas_tf.data import augment, geometry
from udas_tf.models.deeplab_v2 import upsample

# The levels a network may have, and the letter that names the loss terms of each.
LEVELS = {"primary": "p", "auxiliary": "a"}


# Ways to look at an image at test time: the scales it is seen at, and whether also mirrored.
VIEWS: dict[str, tuple[Sequence[float], bool]] = {
    "plain": ((1.0,), False),
    "flip": ((1.0,), True),
    "multi_scale": ((0.75, 1.0, 1.25), True),
}


class PseudoLabels(NamedTuple):
    """What several views of images say.

    Attributes:
      labels: uint8 [B, H, W], the class of the most confident view at each pixel.
      confidence: float32 [B, H, W] in [0, 1], that view's.
      shared: bool [B, H, W], pixels that two views or more saw.
      agreeing: bool [B, H, W], those of them that all views which saw them give one class.
    """

    labels: tf.Tensor
    confidence: tf.Tensor
    shared: tf.Tensor
    agreeing: tf.Tensor


@contextlib.contextmanager
def constant_weights(network: keras.Model) -> Iterator[None]:
    """Within, a graph that is traced has the weights of `network` as they are now for constants. TensorFlow then folds
    batch norms into kernels, and lays these out as its convolutions want them, once and not at every call."""
    with tf.init_scope():
        values = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    constants = [
        (variable, tf.constant(value)) for variable, value in zip(network.variables, values, strict=True)
    ]
    with keras.StatelessScope(state_mapping=constants):
        yield


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
    but for deeplab_v3_plus, whose batch norm sees the batches together. Outputs that are no level's come as they are.
    """
    counts = [batch.shape[0] for batch in batches]
    size = batches[0].shape[1:3]
    # Split before upsampling: the small maps are an eighth as high and wide.
    small = {
        level: tf.split(maps, counts)
        for level, maps in segmenter(tf.concat(batches, 0), training=True).items()
    }
    return [
        {name: upsample(parts[i], size) if name in LEVELS else parts[i] for name, parts in small.items()}
        for i in range(len(batches))
    ]


def probabilities(segmenter: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """F_p(x): the primary classifier's softmax, float32 [B, H, W, C]."""
    return tf.nn.softmax(logits(segmenter, images)["primary"])


def averaged_probabilities(
    segmenter: keras.Model, images: tf.Tensor, views: str, size: tuple[int, int] | None = None
) -> tf.Tensor:
    """The mean of the primary classifier's softmax over the views of an image, each brought to one size.

    Args:
      images: RGB in [0, 255], uint8 or float [B, H, W, 3], static height and width.
      views: a key of VIEWS.
      size: (height, width) of the result; the images' own by default.

    Returns:
      float32 [B, height, width, C].
    """
    scales, mirrored = VIEWS[views]
    height, width = images.shape[1:3]
    found = []
    for scale in scales:
        seen = tf.cast(images, tf.float32)
        if scale != 1.0:
            seen = tf.image.resize(seen, (round(scale * height), round(scale * width)))
        for flipped in (False, True)[: 1 + mirrored]:
            small = segmenter(seen[:, :, ::-1] if flipped else seen, training=False)["primary"]
            whole = tf.nn.softmax(upsample(small, size or (height, width)))
            found.append(whole[:, :, ::-1] if flipped else whole)
    return tf.add_n(found) / len(found)


def confidence_and_class(
    segmenter: keras.Model, images: tf.Tensor, views: str = "plain", size: tuple[int, int] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The most probable class and its probability: float32 [B, H, W] in [0, 1], uint8 [B, H, W].

    Arguments as `averaged_probabilities`'; plain images of the size that is asked for may be of any size.
    """
    if views == "plain" and size is None:
        probability = probabilities(segmenter, images)
    else:
        probability = averaged_probabilities(segmenter, images, views, size)
    return tf.reduce_max(probability, -1), tf.cast(tf.argmax(probability, -1), tf.uint8)


def pseudo_label(segmenter: keras.Model, images: tf.Tensor, views: int, seed: tf.Tensor) -> PseudoLabels:
    """Pseudo-labels of `views` AutoAugment views: the class and confidence of the view most confident at each pixel.

    Args:
      images: uint8 [B, H, W, 3], or float in [0, 255], of static shape.
      views: K.
      seed: int32 [2].
    """
    augmented, transforms = augment.k_views(images, views, seed)
    confidence, label = confidence_and_class(segmenter, _join(augmented))
    # Warping back with nearest neighbours commutes with taking the maximum over classes, and moves two maps
    # instead of C.
    maps, seen = geometry.warp_back(tf.stack([confidence, tf.cast(label, tf.float32)], -1), _join(transforms))
    maps, seen = _split(maps, views), _split(seen, views)
    view = pseudo_labels.maximum_confidence(maps[..., 0], seen)
    chosen = pseudo_labels.choose(maps, view)
    return PseudoLabels(
        tf.cast(chosen[..., 1], tf.uint8), chosen[..., 0], *pseudo_labels.agreement(maps[..., 1], seen)
    )


def maximum_confidence_distribution(
    segmenter: keras.Model, images: tf.Tensor, views: int, seed: tf.Tensor, moved: tf.Tensor | None = None
) -> tf.Tensor:
    """The whole softmax of the view most confident at each pixel, float32 [B, H, W, C]. Arguments as above.

    With `moved`, transforms float32 [B, 2, 3], at the pixels to which these move the images; 0 where no image is.
    """
    augmented, transforms = augment.k_views(images, views, seed)
    distributions, transforms = probabilities(segmenter, _join(augmented)), _join(transforms)
    confidence, seen = geometry.warp_back(tf.reduce_max(distributions, -1), transforms)
    view = pseudo_labels.maximum_confidence(_split(confidence, views), _split(seen, views))
    # The views' pixels are numbered, from 1, and the numbers moved, so that of C probabilities only those chosen are.
    *size, classes = distributions.shape
    numbers = tf.reshape(1 + tf.range(math.prod(size)), size)
    chosen = pseudo_labels.choose(_split(geometry.warp_back(numbers, transforms)[0], views), view)
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
