"""The operations of AutoAugment on batches, by Pillow's integer rules.

Images are [B, H, W, 3] holding whole levels 0..255, as uint8 or float32; results have the same type.
Magnitudes are [B], one per image. An operation that treats every pixel alike is a table, uint8 [B, 3, 256]
(image, channel, level), so that a chain of them is one table and one pass over the pixels (`look_up`).

References: Pillow's ImageOps.py, ImageEnhance.py and ImageFilter.py, and libImaging's Blend.c, Convert.c and
Filter.c for the arithmetic.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from udas_tf.data.augment import geometry

_LEVELS = np.arange(256, dtype=np.int32)


def to_levels(images: tf.Tensor) -> tf.Tensor:
    """uint8 of images 0..255 of any type, rounded."""
    if images.dtype == tf.uint8:
        return images
    return tf.cast(tf.clip_by_value(tf.round(images), 0, 255), tf.uint8)


def posterize(images: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Keeps the `bits` (int [B], 1..8) highest bits of every level: `ImageOps.posterize`."""
    return look_up(images, posterize_table(bits))


def solarize(images: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Inverts levels at or above `thresholds` (float [B], 0..256): `ImageOps.solarize`."""
    return look_up(images, solarize_table(thresholds))


def invert(images: tf.Tensor) -> tf.Tensor:
    """255 - level: `ImageOps.invert`."""
    return look_up(images, invert_table(_batch(images)))


def auto_contrast(images: tf.Tensor) -> tf.Tensor:
    """Stretches each channel to 0..255: `ImageOps.autocontrast` without cut-off."""
    return look_up(images, auto_contrast_table(histogram(images)))


def equalize(images: tf.Tensor) -> tf.Tensor:
    """Evens out each channel's histogram: `ImageOps.equalize`."""
    return look_up(images, equalize_table(histogram(images)))


def brightness(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """From black (factor 0) to the image (1) and beyond: `ImageEnhance.Brightness`."""
    return look_up(images, brightness_table(factors))


def contrast(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """From the image's mean grey (factor 0) to the image (1) and beyond: `ImageEnhance.Contrast`."""
    return look_up(images, contrast_table(mean_grey(images), factors))


def colour(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """From the image in grey (factor 0) to the image (1) and beyond: `ImageEnhance.Color`."""
    plain = tf.cast(_grey(images), tf.float32)[..., tf.newaxis]
    return tf.cast(_blend(plain, tf.cast(images, tf.float32), _per_image(factors)), images.dtype)


def sharpness(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """From the smoothed image (factor 0) to the image (1) and beyond: `ImageEnhance.Sharpness`.

    Smoothing is a 3x3 mean with the centre counted five times; the outermost pixels are left as they are.
    """
    batch, height, width = _batch(images), images.shape[1], images.shape[2]
    flat = tf.reshape(images, [batch, height, width * 3])  # long rows, in which XLA's loops become SIMD
    levels = tf.cast(flat, tf.float32)
    rows = levels[:, :-2] + levels[:, 1:-1] + levels[:, 2:]
    box = rows[:, :, :-6] + rows[:, :, 3:-3] + rows[:, :, 6:]
    centre = levels[:, 1:-1, 3:-3]
    smooth = tf.floor((box + 4 * centre) / 13 + 0.5)
    inner = tf.cast(_blend(smooth, centre, factors[:, tf.newaxis, tf.newaxis]), images.dtype)
    middle = tf.concat([flat[:, 1:-1, :3], inner, flat[:, 1:-1, -3:]], axis=2)
    return tf.reshape(tf.concat([flat[:, :1], middle, flat[:, -1:]], axis=1), [batch, height, width, 3])


def rotate(images: tf.Tensor, degrees: tf.Tensor, fill: float = geometry.IMAGE_FILL) -> tf.Tensor:
    """Counter-clockwise about the centre, nearest neighbour: `Image.rotate`."""
    return geometry.warp(images, geometry.rotation(degrees, images.shape[1:3]), fill=fill)


def shear_x(images: tf.Tensor, levels: tf.Tensor, fill: float = geometry.IMAGE_FILL) -> tf.Tensor:
    """`Image.transform(size, AFFINE, (1, level, 0, 0, 1, 0))`, nearest neighbour."""
    return geometry.warp(images, geometry.horizontal_shear(levels), fill=fill)


def shear_y(images: tf.Tensor, levels: tf.Tensor, fill: float = geometry.IMAGE_FILL) -> tf.Tensor:
    """`Image.transform(size, AFFINE, (1, 0, 0, level, 1, 0))`, nearest neighbour."""
    return geometry.warp(images, geometry.vertical_shear(levels), fill=fill)


def translate_x(images: tf.Tensor, pixels: tf.Tensor, fill: float = geometry.IMAGE_FILL) -> tf.Tensor:
    """`Image.transform(size, AFFINE, (1, 0, pixels, 0, 1, 0))`: positive moves the content left."""
    return geometry.warp(images, geometry.horizontal_shift(pixels), fill=fill)


def translate_y(images: tf.Tensor, pixels: tf.Tensor, fill: float = geometry.IMAGE_FILL) -> tf.Tensor:
    """`Image.transform(size, AFFINE, (1, 0, 0, 0, 1, pixels))`: positive moves the content up."""
    return geometry.warp(images, geometry.vertical_shift(pixels), fill=fill)


def look_up(images: tf.Tensor, tables: tf.Tensor) -> tf.Tensor:
    """Replaces every level by its entry in the image's and channel's table.

    Args:
      images: [B, H, W, 3].
      tables: uint8 [B, 3, 256].

    Returns:
      Like `images`.
    """
    return tf.cast(tf.gather(tf.reshape(tables, [-1]), _table_index(images)), images.dtype)


def histogram(images: tf.Tensor) -> tf.Tensor:
    """How many pixels have each level: int32 [B, 3, 256].

    XLA counts one value at a time, so two are counted at once, as one of 256 x 256 pairs, and the sums over its first
    and its second are the two histograms: red with green, and the two halves of blue.
    """
    batch, pixels = _batch(images), images.shape[1] * images.shape[2]
    red, green, blue = tf.unstack(tf.cast(tf.reshape(images, [batch, pixels, 3]), tf.int32), axis=2)
    half = pixels // 2
    upper, lower = _two_histograms(blue[:, :half], blue[:, half : 2 * half])
    rest = tf.reduce_sum(tf.one_hot(blue[:, 2 * half :], 256, dtype=tf.int32), axis=1)  # one pixel, or none
    return tf.stack([*_two_histograms(red, green), upper + lower + rest], axis=1)


def remap_histogram(counts: tf.Tensor, tables: tf.Tensor) -> tf.Tensor:
    """The histogram of look_up(images, tables) from that of the images, without touching a pixel."""
    batch = counts.shape[0] or tf.shape(counts)[0]
    index = tf.range(batch * 3)[:, tf.newaxis] * 256 + tf.cast(tf.reshape(tables, [-1, 256]), tf.int32)
    remapped = tf.math.unsorted_segment_sum(tf.reshape(counts, [-1]), tf.reshape(index, [-1]), batch * 3 * 256)
    return tf.reshape(remapped, [batch, 3, 256])


def mean_grey(images: tf.Tensor) -> tf.Tensor:
    """The mean of the grey image, rounded to a whole level: float32 [B]."""
    # Exact: rows of levels fit int32, and their sum float64.
    total = tf.reduce_sum(tf.cast(tf.reduce_sum(_grey(images), axis=2), tf.float64), axis=1)
    pixels = images.shape[1] * images.shape[2]
    return tf.cast(tf.floor(total / pixels + 0.5), tf.float32)


def chain_tables(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """The table of looking up in `first` and then in `second`, both uint8 [B, 3, 256]."""
    return tf.gather(second, tf.cast(first, tf.int32), batch_dims=2)


def identity_table(batch: int) -> tf.Tensor:
    """The table that changes nothing: uint8 [batch, 3, 256]."""
    return _three_channels(tf.tile(_LEVELS[tf.newaxis], [batch, 1]))


def invert_table(batch: int) -> tf.Tensor:
    """255 - level: uint8 [batch, 3, 256]."""
    return 255 - identity_table(batch)


def posterize_table(bits: tf.Tensor) -> tf.Tensor:
    """Table of `posterize`: uint8 [B, 3, 256]."""
    step = tf.bitwise.left_shift(1, 8 - tf.cast(bits, tf.int32))[:, tf.newaxis]
    return _three_channels(_LEVELS // step * step)


def solarize_table(thresholds: tf.Tensor) -> tf.Tensor:
    """Table of `solarize`: uint8 [B, 3, 256]."""
    kept = tf.cast(_LEVELS, tf.float32) < tf.cast(thresholds, tf.float32)[:, tf.newaxis]
    return _three_channels(tf.where(kept, _LEVELS, 255 - _LEVELS))


def brightness_table(factors: tf.Tensor) -> tf.Tensor:
    """Table of `brightness`: uint8 [B, 3, 256]."""
    return _three_channels(_blend(0.0, tf.cast(_LEVELS, tf.float32), factors[:, tf.newaxis]))


def contrast_table(means: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Table of `contrast` from `mean_grey`: uint8 [B, 3, 256]."""
    return _three_channels(_blend(means[:, tf.newaxis], tf.cast(_LEVELS, tf.float32), factors[:, tf.newaxis]))


def auto_contrast_table(counts: tf.Tensor) -> tf.Tensor:
    """Table of `auto_contrast` from `histogram`: uint8 [B, 3, 256]. A channel of one level stays."""
    low = tf.reduce_min(tf.where(counts > 0, _LEVELS, 255), axis=2, keepdims=True)
    high = tf.reduce_max(tf.where(counts > 0, _LEVELS, 0), axis=2, keepdims=True)
    # In float64 as Pillow: 255 / (high - low) is not exact, and the result is cut, not rounded.
    scale = 255 / tf.cast(tf.maximum(high - low, 1), tf.float64)
    stretched = tf.cast(_LEVELS, tf.float64) * scale - tf.cast(low, tf.float64) * scale
    stretched = tf.cast(tf.clip_by_value(stretched, 0, 255), tf.int32)
    return tf.cast(tf.where(high > low, stretched, _LEVELS), tf.uint8)


def equalize_table(counts: tf.Tensor) -> tf.Tensor:
    """Table of `equalize` from `histogram`: uint8 [B, 3, 256]. A channel of one level stays."""
    highest = tf.reduce_max(tf.where(counts > 0, _LEVELS, 0), axis=2, keepdims=True)
    last = tf.reduce_sum(tf.where(highest == _LEVELS, counts, 0), axis=2, keepdims=True)
    step = (tf.reduce_sum(counts, axis=2, keepdims=True) - last) // 255
    below = tf.cumsum(counts, axis=2, exclusive=True)
    evened = (below + step // 2) // tf.maximum(step, 1)
    return tf.cast(tf.where(step > 0, tf.minimum(evened, 255), _LEVELS), tf.uint8)


def _three_channels(table: tf.Tensor) -> tf.Tensor:
    return tf.tile(tf.cast(table, tf.uint8)[:, tf.newaxis], [1, 3, 1])


def _blend(degenerate: tf.Tensor | float, image: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Pillow's Image.blend: degenerate + factor * (image - degenerate), within 0..255, cut to whole."""
    return tf.floor(tf.clip_by_value(degenerate + factors * (image - degenerate), 0.0, 255.0))


def _two_histograms(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """How often each level is in int32 [B, N]; both, int32 [B, 256], from one count of pairs."""
    batch = _batch(first)
    index = tf.reshape(first * 256 + second + tf.range(batch)[:, tf.newaxis] * 65536, [-1])
    pairs = tf.math.unsorted_segment_sum(tf.ones_like(index), index, batch * 65536)
    pairs = tf.reshape(pairs, [batch, 256, 256])
    return tf.reduce_sum(pairs, axis=2), tf.reduce_sum(pairs, axis=1)


def _grey(images: tf.Tensor) -> tf.Tensor:
    """Luma of ITU-R 601-2 in 16-bit fixed point, as Pillow's convert("L"): int32 [B, H, W]."""
    red, green, blue = tf.unstack(tf.cast(images, tf.int32), axis=-1)
    return tf.bitwise.right_shift(red * 19595 + green * 38470 + blue * 7471 + 0x8000, 16)


def _table_index(images: tf.Tensor) -> tf.Tensor:
    """Position of every level in tables flattened from [B, 3, 256]: int32 [B, H, W, 3]."""
    rows = tf.reshape(tf.range(_batch(images) * 3), [-1, 1, 1, 3])
    return tf.cast(images, tf.int32) + rows * 256


def _batch(images: tf.Tensor) -> int | tf.Tensor:
    return images.shape[0] or tf.shape(images)[0]


def _per_image(factors: tf.Tensor) -> tf.Tensor:
    return tf.cast(factors, tf.float32)[:, tf.newaxis, tf.newaxis, tf.newaxis]
