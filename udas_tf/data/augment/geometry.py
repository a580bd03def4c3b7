"""Affine maps of images: making them, sampling through them, and going back.

A transform is float32 [2, 3] and takes a point of the *output* (the view) to the point of the *input* (the
original) that is seen there:

    x_in = t[0, 0] x_out + t[0, 1] y_out + t[0, 2]        y_in = t[1, 0] x_out + t[1, 1] y_out + t[1, 2]

Coordinates are in pixels and continuous: pixel (row i, column j) covers [j, j + 1) x [i, i + 1) and has its
centre at (j + 0.5, i + 0.5). This is the convention of Pillow's `Image.transform(..., Image.AFFINE, data)`,
whose `data` is a transform's six numbers.

Everything here is plain TensorFlow of static shape, works with and without XLA, and takes one transform
per image.
"""

from __future__ import annotations

import math

import tensorflow as tf

IMAGE_FILL = 128
"""Grey level where a view sees outside its image [Cubuk 2019, code of AutoAugment]."""
LABEL_FILL = 255
"""Ignore id where a view sees outside its label."""

# Pillow samples nearest neighbours in 16.16 fixed point; the same numbers give the same pixels.
_FIXED_ONE = 65536


def identity(batch: int) -> tf.Tensor:
    """The transform that changes nothing: float32 [batch, 2, 3]."""
    return tf.tile(tf.constant([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), [batch, 1, 1])


def rotation(degrees: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Counter-clockwise rotation about the centre, as Pillow's `Image.rotate`.

    Args:
      degrees: float [B].
      size: (height, width) of the images.

    Returns:
      float32 [B, 2, 3].
    """
    height, width = size
    radians = tf.cast(degrees, tf.float64) * (-math.pi / 180)
    cos, sin = tf.cos(radians), tf.sin(radians)
    x, y = width / 2, height / 2
    return _stack(cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)


def horizontal_shear(levels: tf.Tensor) -> tf.Tensor:
    """x_in = x + level * y, from levels float [B] to transforms float32 [B, 2, 3]."""
    one, zero = _one_and_zero(levels)
    return _stack(one, levels, zero, zero, one, zero)


def vertical_shear(levels: tf.Tensor) -> tf.Tensor:
    """y_in = y + level * x, from levels float [B] to transforms float32 [B, 2, 3]."""
    one, zero = _one_and_zero(levels)
    return _stack(one, zero, zero, levels, one, zero)


def horizontal_shift(pixels: tf.Tensor) -> tf.Tensor:
    """x_in = x + pixels: positive moves the content left. float [B] to float32 [B, 2, 3]."""
    one, zero = _one_and_zero(pixels)
    return _stack(one, zero, pixels, zero, one, zero)


def vertical_shift(pixels: tf.Tensor) -> tf.Tensor:
    """y_in = y + pixels: positive moves the content up. float [B] to float32 [B, 2, 3]."""
    one, zero = _one_and_zero(pixels)
    return _stack(one, zero, zero, zero, one, pixels)


def horizontal_flip(flipped: tf.Tensor, width: int) -> tf.Tensor:
    """Mirrors left and right where `flipped` (bool [B]) says so: float32 [B, 2, 3]."""
    one, zero = _one_and_zero(flipped)
    sign = tf.where(flipped, -one, one)
    return _stack(sign, zero, tf.where(flipped, width * one, zero), zero, one, zero)


def crop(tops: tf.Tensor, lefts: tf.Tensor, scales: tf.Tensor) -> tf.Tensor:
    """Looks at the image enlarged `scales` times, from the corner (tops, lefts) of the enlarged image.

    Args:
      tops, lefts: float [B], pixels of the enlarged image; negative ones look outside.
      scales: float [B] > 0.

    Returns:
      float32 [B, 2, 3].
    """
    step = 1 / tf.cast(scales, tf.float64)
    zero = tf.zeros_like(step)
    return _stack(step, zero, tf.cast(lefts, tf.float64) * step, zero, step, tf.cast(tops, tf.float64) * step)


def compose(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The transform of doing `first` to an image and `second` to the result, both float32 [B, 2, 3]."""
    linear = tf.matmul(first[:, :, :2], second[:, :, :2])
    shift = tf.matmul(first[:, :, :2], second[:, :, 2:]) + first[:, :, 2:]
    return tf.concat([linear, shift], axis=2)


def inverse(transforms: tf.Tensor) -> tf.Tensor:
    """The transforms that undo `transforms`, float32 [B, 2, 3]; they must not be singular."""
    a, b, c, d, e, f = tf.unstack(tf.reshape(tf.cast(transforms, tf.float64), [-1, 6]), axis=1)
    determinant = a * e - b * d
    a, b, d, e = e / determinant, -b / determinant, -d / determinant, a / determinant
    return _stack(a, b, -(a * c + b * f), d, e, -(d * c + e * f))


def warp(
    values: tf.Tensor,
    transforms: tf.Tensor,
    interpolation: str = "nearest",
    fill: float = 0,
    size: tuple[int, int] | None = None,
) -> tf.Tensor:
    """Samples images, probabilities or labels through transforms.

    "nearest" gives Pillow's pixels (`Image.transform` and `Image.rotate` with NEAREST, their default).
    "bilinear" mixes the four pixels around the point, those beyond the border repeated; it does not
    smooth before shrinking.

    Args:
      values: [B, H, W, C] or [B, H, W] of any numeric type; static H, W and C.
      transforms: float32 [B, 2, 3].
      interpolation: "nearest", or "bilinear" for floating-point values.
      fill: what a pixel gets whose centre maps outside the input.
      size: (height, width) of the output; that of the input when None. Coordinates stay within +-32767.

    Returns:
      Like `values`, of size `size`.

    Raises:
      ValueError: an unknown interpolation, or "bilinear" on integers.
    """
    if interpolation not in ("nearest", "bilinear"):
        raise ValueError(f"interpolation is {interpolation!r}; it must be 'nearest' or 'bilinear'")
    if interpolation == "bilinear" and not values.dtype.is_floating:
        raise ValueError(f"bilinear interpolation of {values.dtype.name} values; cast to float, or use nearest")
    source_size = values.shape[1], values.shape[2]
    rows, columns = _fixed_point_grid(transforms, size or source_size)
    inside = _inside(rows, columns, source_size)
    if interpolation == "nearest":
        sampled = _take(values, _whole(rows), _whole(columns))
    else:
        sampled = _bilinear(values, rows, columns)
    if values.shape.rank == 4:
        inside = inside[..., tf.newaxis]
    return tf.where(inside, sampled, tf.cast(fill, values.dtype))


def warp_back(values: tf.Tensor, transforms: tf.Tensor, interpolation: str = "nearest") -> tuple[tf.Tensor, tf.Tensor]:
    """Brings what was computed on views back to the pixels of the originals.

    Args:
      values: [B, H, W, C] or [B, H, W], at the pixels of the views.
      transforms: float32 [B, 2, 3], the transforms that made the views.
      interpolation: as for `warp`.

    Returns:
      values at the original's pixels, 0 where not seen; and seen, bool [B, H, W]: false where the view did
      not show the pixel.
    """
    back = inverse(transforms)
    size = values.shape[1], values.shape[2]
    seen = _inside(*_fixed_point_grid(back, size), size)
    return warp(values, back, interpolation), seen


def _one_and_zero(like: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    batch = tf.shape(like)
    return tf.ones(batch, tf.float64), tf.zeros(batch, tf.float64)


def _stack(*entries: tf.Tensor) -> tf.Tensor:
    """Six [B] columns to float32 [B, 2, 3].

    The linear part is rounded to the fixed point in which it will be used, so that float32 holds it exactly:
    float32's own rounding would move Pillow's sampling by a hundredth of a pixel at the far border.
    """
    a, b, c, d, e, f = (tf.cast(entry, tf.float64) for entry in entries)
    a, b, d, e = (tf.floor(entry * _FIXED_ONE + 0.5) / _FIXED_ONE for entry in (a, b, d, e))
    return tf.cast(tf.reshape(tf.stack([a, b, c, d, e, f], axis=1), [-1, 2, 3]), tf.float32)


def _fixed_point_grid(transforms: tf.Tensor, size: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Where each output pixel's centre lies in the input: rows and columns, int32 [B, H, W] in 16.16."""
    height, width = size
    centred = transforms[:, :, 2] + 0.5 * (transforms[:, :, 0] + transforms[:, :, 1])
    entries = tf.concat([transforms[:, :, :2], centred[:, :, tf.newaxis]], axis=2)
    entries = tf.cast(tf.floor(entries * _FIXED_ONE + 0.5), tf.int32)[:, :, :, tf.newaxis, tf.newaxis]
    x = tf.range(width)[tf.newaxis, tf.newaxis, :]
    y = tf.range(height)[tf.newaxis, :, tf.newaxis]
    columns = entries[:, 0, 2] + y * entries[:, 0, 1] + x * entries[:, 0, 0]
    rows = entries[:, 1, 2] + y * entries[:, 1, 1] + x * entries[:, 1, 0]
    return rows, columns


def _whole(fixed: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.right_shift(fixed, 16)


def _inside(rows: tf.Tensor, columns: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    height, width = size
    return (rows >= 0) & (_whole(rows) < height) & (columns >= 0) & (_whole(columns) < width)


def _take(values: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """values[b, rows, columns] with rows and columns held within the image: one gather from a flat table."""
    batch = rows.shape[0] or tf.shape(rows)[0]
    height, width = values.shape[1], values.shape[2]
    pixels = tf.clip_by_value(rows, 0, height - 1) * width + tf.clip_by_value(columns, 0, width - 1)
    pixels += (tf.range(batch) * (height * width))[:, tf.newaxis, tf.newaxis]
    return tf.gather(tf.reshape(values, [-1, *values.shape[3:]]), pixels)


def _bilinear(values: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    half = _FIXED_ONE // 2
    rows, columns = rows - half, columns - half
    top, left = _whole(rows), _whole(columns)
    down = tf.cast(rows - top * _FIXED_ONE, values.dtype) / _FIXED_ONE
    right = tf.cast(columns - left * _FIXED_ONE, values.dtype) / _FIXED_ONE
    if values.shape.rank == 4:
        down, right = down[..., tf.newaxis], right[..., tf.newaxis]
    upper = _take(values, top, left) * (1 - right) + _take(values, top, left + 1) * right
    lower = _take(values, top + 1, left) * (1 - right) + _take(values, top + 1, left + 1) * right
    return upper * (1 - down) + lower * down
