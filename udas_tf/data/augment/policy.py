"""AutoAugment's ImageNet policy [Cubuk 2019, arXiv:1805.09501, table 9] on batches and their labels.

The 25 sub-policies, probabilities and magnitude indices are the paper's. What an index means follows
torchvision's `AutoAugmentPolicy.IMAGENET`, with ten magnitudes per operation, and Pillow's rules for the
pixels. Other codes:

* DeepVoltaire/AutoAugment solarizes from 256 down where torchvision starts at 255, shears with bicubic
  interpolation where torchvision (and this) takes the nearest pixel, and fills with grey 128 where
  torchvision's default is black. Grey is followed here.
* TensorFlow's EfficientNet code divides the range by ten steps instead of nine, never darkens (its
  enhancements run from 0.1 to 1.9 without a sign), counts the magnitude of posterize and solarize the other
  way round, and its "v0" is another list of sub-policies.

How it is computed: per image one pass for each histogram needed, one for each operation that mixes pixels or
channels (rotate, shear, colour, sharpness), and one look-up at the end into the table that all point-wise
operations were composed into. One XLA program augments one image: conditionals stay conditionals there, so that
nothing is computed that was not drawn, and the images of a batch run side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from udas_tf.data.augment import geometry, pixels
from udas_tf.data.augment.seeded import seeded_uniform, split_seed


class Augmented(NamedTuple):
    """What an augmentation gives back.

    Attributes:
      images: uint8 [B, H, W, 3].
      labels: uint8 [B, H, W], 255 where the view sees outside; None when none were given.
      transforms: float32 [B, 2, 3], from the view's coordinates to the original's (see `geometry`).
    """

    images: tf.Tensor
    labels: tf.Tensor | None
    transforms: tf.Tensor


class Draws(NamedTuple):
    """One sub-policy drawn for each image.

    Attributes:
      sub_policies: int32 [B], position in `IMAGENET_POLICY`.
      operations: int32 [B, 2], position in `OPERATIONS`; 0 where the coin fell against the operation.
      magnitudes: float32 [B, 2], in the unit of the operation, sign included; 0 where it has none.
    """

    sub_policies: tf.Tensor
    operations: tf.Tensor
    magnitudes: tf.Tensor


IMAGENET_POLICY = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("auto_contrast", 0.6, None)),
    (("equalize", 0.8, None), ("equalize", 0.6, None)),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (("equalize", 0.4, None), ("solarize", 0.2, 4)),
    (("equalize", 0.4, None), ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), ("equalize", 0.6, None)),
    (("posterize", 0.8, 5), ("equalize", 1.0, None)),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (("equalize", 0.6, None), ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("colour", 0.4, 0)),
    (("rotate", 0.4, 9), ("equalize", 0.6, None)),
    (("equalize", 0.0, None), ("equalize", 0.8, None)),
    (("invert", 0.6, None), ("equalize", 1.0, None)),
    (("colour", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("colour", 1.0, 2)),
    (("colour", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, None)),
    (("shear_x", 0.6, 5), ("equalize", 1.0, None)),
    (("colour", 0.4, 0), ("equalize", 0.6, None)),
    (("equalize", 0.4, None), ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("auto_contrast", 0.6, None)),
    (("invert", 0.6, None), ("equalize", 1.0, None)),
    (("colour", 0.6, 4), ("contrast", 1.0, 8)),
    (("equalize", 0.8, None), ("equalize", 0.6, None)),
)
"""(operation, probability, magnitude index 0..9) twice for each sub-policy."""

OPERATIONS = (
    "identity", "posterize", "solarize", "invert", "brightness", "auto_contrast", "equalize",
    "contrast", "colour", "sharpness", "rotate", "shear_x", "shear_y", "translate_x", "translate_y",
)  # fmt: skip

# The operations before it are tables; from it on they mix pixels or channels, and a pending table goes first.
_FIRST_THAT_MIXES = OPERATIONS.index("colour")

_GEOMETRIC = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
_ENHANCEMENTS = ("brightness", "contrast", "colour", "sharpness")


def magnitude(operation: str, index: int | None, size: tuple[int, int]) -> float:
    """What a magnitude index means, before its sign.

    Args:
      operation: one of `OPERATIONS`.
      index: 0..9, or None for an operation without magnitude.
      size: (height, width) of the images; translations are 150/331 of it at most.

    Returns:
      bits (posterize), threshold (solarize), degrees (rotate), slope (shear), whole pixels (translate),
      distance of the factor from 1 (enhancements).
    """
    if index is None:
        return 0.0
    share = index / 9
    if operation == "posterize":
        return 8.0 - round(4 * share)
    if operation == "solarize":
        return 255.0 * (1 - share)
    if operation == "rotate":
        return 30.0 * share
    if operation in ("shear_x", "shear_y"):
        return 0.3 * share
    if operation in ("translate_x", "translate_y"):
        return float(math.floor(150 / 331 * size[operation == "translate_x"] * share))
    if operation in _ENHANCEMENTS:
        return 0.9 * share
    raise ValueError(f"operation {operation!r} has no magnitude; received index {index}")


def draw(batch: int, size: tuple[int, int], seed: tf.Tensor) -> Draws:
    """Draws a sub-policy for each image, a coin for each of its operations, and a sign for each magnitude.

    Args:
      batch: number of images.
      size: (height, width) of the images.
      seed: int32 [2]; the same seed gives the same draws.
    """
    policy_seed, coin_seed, sign_seed = split_seed(seed, 3)
    chosen = tf.random.stateless_uniform([batch], policy_seed, 0, len(IMAGENET_POLICY), tf.int32, alg="philox")
    coins = seeded_uniform([batch, 2], coin_seed)
    signs = tf.where(seeded_uniform([batch, 2], sign_seed) < 0.5, -1.0, 1.0)

    def column(entry: Callable[[str, float, int | None], Any]) -> list[list[Any]]:
        return [[entry(*step) for step in sub_policy] for sub_policy in IMAGENET_POLICY]

    operations = tf.gather(column(lambda name, *_: OPERATIONS.index(name)), chosen)
    probabilities = tf.gather(column(lambda _, probability, __: probability), chosen)
    sizes = tf.gather(column(lambda name, _, index: magnitude(name, index, size)), chosen)
    signed = tf.gather(column(lambda name, *_: name in _GEOMETRIC + _ENHANCEMENTS), chosen)
    centres = tf.gather(column(lambda name, *_: float(name in _ENHANCEMENTS)), chosen)
    return Draws(
        sub_policies=chosen,
        operations=tf.where(coins < probabilities, operations, 0),
        magnitudes=centres + tf.where(signed, signs, 1.0) * sizes,
    )


@tf.function(autograph=False)
def auto_augment(images: tf.Tensor, labels: tf.Tensor | None, seed: tf.Tensor) -> Augmented:
    """One draw of AutoAugment's ImageNet policy for each image.

    Args:
      images: [B, H, W, 3], 0..255, uint8 or float32 (rounded to whole levels), of static shape.
      labels: uint8 [B, H, W], or None.
      seed: int32 [2]; the same seed gives the same result.

    Returns:
      `Augmented`; images are filled with grey 128 outside, labels with 255, both by the nearest pixel.
    """
    draws = draw(images.shape[0], (images.shape[1], images.shape[2]), seed)
    return apply(images, labels, draws.operations, draws.magnitudes)


@tf.function(autograph=False)
def k_views(images: tf.Tensor, k: int, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """K views of each image for a teacher to label: itself (weak) and K - 1 draws of AutoAugment (strong).

    Args:
      images: [B, H, W, 3], 0..255, uint8 or float32, of static shape.
      k: number of views, at least 1.
      seed: int32 [2]; the same seed gives the same views.

    Returns:
      views, uint8 [K, B, H, W, 3]; transforms, float32 [K, B, 2, 3], from each view to its original.
      View 0 is the images as they came, unless they hold fractions of levels: those are rounded.
    """
    if k < 1:
        raise ValueError(f"k is {k}; there must be at least 1 view")
    batch, height, width, _ = images.shape
    weak = pixels.to_levels(images)
    if k == 1:
        return weak[tf.newaxis], geometry.identity(batch)[tf.newaxis]
    drawn = draw((k - 1) * batch, (height, width), seed)
    apart = tf.unstack(weak)
    strong = apply_to_each(apart * (k - 1), None, drawn.operations, drawn.magnitudes)
    views = tf.stack([*apart, *(view.images for view in strong)])  # the only copy
    transforms = tf.stack([*tf.unstack(geometry.identity(batch)), *(view.transforms for view in strong)])
    return tf.reshape(views, [k, *images.shape]), tf.reshape(transforms, [k, batch, 2, 3])


def apply(images: tf.Tensor, labels: tf.Tensor | None, operations: tf.Tensor, magnitudes: tf.Tensor) -> Augmented:
    """Does the operations named, in their order, to each image.

    Args:
      images, labels: as for `auto_augment`.
      operations: int32 [B, N], positions in `OPERATIONS`.
      magnitudes: float32 [B, N], what the operation's function in `pixels` takes.

    Returns:
      `Augmented`.
    """
    apart = tf.unstack(pixels.to_levels(images))
    seen = None if labels is None else tf.unstack(labels)
    augmented = apply_to_each(apart, seen, operations, magnitudes)
    return Augmented(*(None if part[0] is None else tf.stack(part) for part in zip(*augmented, strict=True)))


def apply_to_each(
    images: Sequence[tf.Tensor],
    labels: Sequence[tf.Tensor] | None,
    operations: tf.Tensor,
    magnitudes: tf.Tensor,
) -> list[Augmented]:
    """`apply` to images that lie apart, uint8 [H, W, 3] each; the results have no batch axis."""
    parts = (images, labels or [None] * len(images), tf.unstack(operations), tf.unstack(magnitudes))
    return [_augment_one(*part) for part in zip(*parts, strict=True)]


@tf.function(jit_compile=True, autograph=False)
def _augment_one(image: tf.Tensor, label: tf.Tensor | None, operations: tf.Tensor, magnitudes: tf.Tensor) -> Augmented:
    """`apply` to uint8 [H, W, 3], uint8 [H, W] or None, int32 [N], float32 [N]; a result without batch."""
    image, transform = _apply_to_one(image[tf.newaxis], operations, magnitudes[:, tf.newaxis])
    return Augmented(image, None if label is None else _label_seen(label, transform), transform)


def _apply_to_one(image: tf.Tensor, operations: tf.Tensor, magnitudes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """uint8 [1, H, W, 3], int32 [N], float32 [N, 1] to the new image [H, W, 3] and its transform [2, 3]."""

    # Conditionals that compute from pixels take the loop's own image: of a computed one, tf2xla works out
    # pixel by pixel whether it is constant: half a minute at 640x360. So the steps are a loop, too.
    def advance(step: tf.Tensor, image: tf.Tensor, table: tf.Tensor, transform: tf.Tensor) -> tuple[tf.Tensor, ...]:
        operation, size = operations[step], magnitudes[step]
        extended = _extend(table, image, operation, size)
        image, table, transform = tf.cond(
            operation >= _FIRST_THAT_MIXES,
            lambda: _mix(_look_up_if_needed(image, table), transform, operation, size),
            lambda: (image, extended, transform),
        )
        return step + 1, image, table, transform

    _, image, table, transform = tf.while_loop(
        cond=lambda step, *_: step < operations.shape[0],
        body=advance,
        loop_vars=(0, image, pixels.identity_table(1), geometry.identity(1)),
        parallel_iterations=1,
    )
    return _look_up_if_needed(image, table)[0], transform[0]


def _label_seen(label: tf.Tensor, transform: tf.Tensor) -> tf.Tensor:
    """Warps one label [H, W] by its transform [2, 3], if it moves anything."""
    transform = transform[tf.newaxis]
    return tf.cond(
        tf.reduce_any(transform != geometry.identity(1)),
        lambda: geometry.warp(label[tf.newaxis], transform, fill=geometry.LABEL_FILL)[0],
        lambda: label,
    )


def _extend(table: tf.Tensor, image: tf.Tensor, operation: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """The table still to be applied to the image, with a point-wise operation added; others add nothing."""

    def histogram() -> tf.Tensor:
        return pixels.remap_histogram(pixels.histogram(image), table)

    tables = {
        "identity": lambda: pixels.identity_table(1),
        "posterize": lambda: pixels.posterize_table(size),
        "solarize": lambda: pixels.solarize_table(size),
        "invert": lambda: pixels.invert_table(1),
        "brightness": lambda: pixels.brightness_table(size),
        "auto_contrast": lambda: pixels.auto_contrast_table(histogram()),
        "equalize": lambda: pixels.equalize_table(histogram()),
        "contrast": lambda: pixels.contrast_table(pixels.mean_grey(pixels.look_up(image, table)), size),
    }
    names = OPERATIONS[:_FIRST_THAT_MIXES]
    position = tf.where(operation < len(names), operation, OPERATIONS.index("identity"))
    return pixels.chain_tables(table, tf.switch_case(position, [tables[name] for name in names]))


def _mix(
    image: tf.Tensor, transform: tf.Tensor, operation: tf.Tensor, size: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Does an operation that mixes pixels or channels: the new image, its table (empty) and transform."""
    height_width = image.shape[1:3]

    def view(made: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return geometry.warp(image, made, fill=geometry.IMAGE_FILL), geometry.compose(transform, made)

    mixers = {
        "colour": lambda: (pixels.colour(image, size), transform),
        "sharpness": lambda: (pixels.sharpness(image, size), transform),
        "rotate": lambda: view(geometry.rotation(size, height_width)),
        "shear_x": lambda: view(geometry.horizontal_shear(size)),
        "shear_y": lambda: view(geometry.vertical_shear(size)),
        "translate_x": lambda: view(geometry.horizontal_shift(size)),
        "translate_y": lambda: view(geometry.vertical_shift(size)),
    }
    names = OPERATIONS[_FIRST_THAT_MIXES:]
    image, transform = tf.switch_case(operation - _FIRST_THAT_MIXES, [mixers[name] for name in names])
    return image, pixels.identity_table(1), transform


def _look_up_if_needed(image: tf.Tensor, table: tf.Tensor) -> tf.Tensor:
    return tf.cond(
        tf.reduce_any(table != pixels.identity_table(1)),
        lambda: pixels.look_up(image, table),
        lambda: image,
    )
