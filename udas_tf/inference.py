"""Predictions of a segmenter: logits at image size, probabilities, classes, with or without test-time augmentation."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import keras
import tensorflow as tf

from udas_tf.models.kernels.upsampling import upsample

# The levels that a network may have, and the letter of each in the names of loss terms.
LEVELS = {"primary": "p", "auxiliary": "a"}

# Test-time augmentation: the scales of the image, and whether it is mirrored as well.
TTA: dict[str, tuple[Sequence[float], bool]] = {
    "none": ((1.0,), False),
    "flip": ((1.0,), True),
    "multi_scale": ((0.75, 1.0, 1.25), True),
}


@contextlib.contextmanager
def constant_weights(network: keras.Model) -> Iterator[None]:
    """Within this context, a graph that is traced gets the present weights of `network` as constants.

    TensorFlow then folds batch norms into kernels, and arranges the kernels for its convolutions, once instead of at
    every call.
    """
    with tf.init_scope():
        values = [keras.ops.convert_to_numpy(variable) for variable in network.variables]
    constants = [(variable, tf.constant(value)) for variable, value in zip(network.variables, values, strict=True)]
    with keras.StatelessScope(state_mapping=constants):
        yield


def levels(segmenter: keras.Model) -> dict[str, str]:
    """LEVELS without those that the network lacks."""
    return {level: letter for level, letter in LEVELS.items() if level in segmenter.output}


def used_terms(weights: Mapping[str, float], segmenter: keras.Model) -> dict[str, float]:
    """The term weights that are not 0, without the auxiliary classifier's where the network has none.

    Args:
      weights: term name -> weight.
      segmenter: the network to train.
    """
    both = "auxiliary" in levels(segmenter)
    return {
        name: weight
        for name, weight in weights.items()
        if weight != 0.0 and (both or (not name.endswith("_a") and name != "L_kl"))
    }


def logits(segmenter: keras.Model, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
    """Logits of each level of a network, at the images' size.

    Args:
      segmenter: the network.
      images: RGB in [0, 255], uint8 or float [B, H, W, 3].
      training: as in `keras.Model.__call__`.

    Returns:
      Level -> float32 [B, H, W, C].
    """
    size = images.shape[1:3] if images.shape[1:3].is_fully_defined() else tf.shape(images)[1:3]
    return {level: upsample(small, size) for level, small in segmenter(images, training=training).items()}


def joint_logits(segmenter: keras.Model, *batches: tf.Tensor) -> list[dict[str, tf.Tensor]]:
    """`logits` in training for several batches, from one pass of the network over all of them.

    With group norm or frozen batch norm no statistics cross images, so the result is that of separate passes. The
    batch norm of deeplab_v3_plus sees the batches together.

    Args:
      segmenter: the network.
      *batches: as `images` in `logits`, with static shapes and one size.

    Returns:
      For each batch level -> logits. Outputs of the network that are no level are neither upsampled nor renamed.
    """
    counts = [batch.shape[0] for batch in batches]
    size = batches[0].shape[1:3]
    # Split before upsampling: the small maps are an eighth as high and wide.
    small = {level: tf.split(maps, counts) for level, maps in segmenter(tf.concat(batches, 0), training=True).items()}
    return [
        {name: upsample(parts[i], size) if name in LEVELS else parts[i] for name, parts in small.items()}
        for i in range(len(batches))
    ]


def probabilities(segmenter: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """F_p(x), the softmax of the primary classifier: float32 [B, H, W, C]; arguments as in `logits`."""
    return tf.nn.softmax(logits(segmenter, images)["primary"])


def averaged_probabilities(
    segmenter: keras.Model, images: tf.Tensor, tta: str, size: tuple[int, int] | None = None
) -> tf.Tensor:
    """The mean softmax of the primary classifier over augmented copies of the images.

    Args:
      segmenter: the network.
      images: RGB in [0, 255], uint8 or float [B, H, W, 3], static height and width.
      tta: a key of TTA.
      size: (height, width) of the result; None = the images' own.

    Returns:
      float32 [B, height, width, C].
    """
    scales, mirrored = TTA[tta]
    height, width = images.shape[1:3]
    distributions = []
    for scale in scales:
        scaled = tf.cast(images, tf.float32)
        if scale != 1.0:
            scaled = tf.image.resize(scaled, (round(scale * height), round(scale * width)))
        for flipped in (False, True)[: 1 + mirrored]:
            small = segmenter(scaled[:, :, ::-1] if flipped else scaled, training=False)["primary"]
            whole = tf.nn.softmax(upsample(small, size or (height, width)))
            distributions.append(whole[:, :, ::-1] if flipped else whole)
    return tf.add_n(distributions) / len(distributions)


def confidence_and_class(
    segmenter: keras.Model, images: tf.Tensor, tta: str = "none", size: tuple[int, int] | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The probability of the most probable class, and the class.

    Args:
      segmenter, images, tta, size: as in `averaged_probabilities`. Without augmentation and without `size` the size of
        the images need not be static.

    Returns:
      Confidence, float32 [B, H, W] in [0, 1], and train id, uint8 [B, H, W].
    """
    if tta == "none" and size is None:
        probability = probabilities(segmenter, images)
    else:
        probability = averaged_probabilities(segmenter, images, tta, size)
    return tf.reduce_max(probability, -1), tf.cast(tf.argmax(probability, -1), tf.uint8)
