"""Each operation against Pillow's own result on the same image."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from udas_tf.data.augment import pixels

HEIGHT, WIDTH = 90, 161


def noise():
    return np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)


def smooth():
    coarse = np.random.default_rng(2).integers(40, 200, (6, 9, 3)).astype(np.uint8)
    return np.array(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def shapes():
    image = Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 200))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 50, WIDTH, HEIGHT), fill=(80, 80, 83))
    pen.polygon(((20, 89), (80, 45), (150, 89)), fill=(60, 62, 60))
    pen.ellipse((100, 10, 130, 40), fill=(255, 0, 3))
    return np.array(image)


def flat():
    return np.full((HEIGHT, WIDTH, 3), (7, 130, 255), np.uint8)


def two_levels():
    image = flat()
    image[5:9, 3:4] = (9, 130, 0)
    return image


IMAGES = {make.__name__: make() for make in (noise, smooth, shapes, flat, two_levels)}
BATCH = np.stack(list(IMAGES.values()))


def affine(image, *data):
    return image.transform(image.size, Image.Transform.AFFINE, data, fillcolor=(128, 128, 128))


FACTORS = (0.1, 0.3, 0.8, 0.9, 1.0, 1.1, 1.45, 1.9)
OPERATIONS = {
    "posterize": (lambda image, m: ImageOps.posterize(image, m), (4, 5, 6, 7, 8)),
    "solarize": (lambda image, m: ImageOps.solarize(image, m), (0.0, 56.67, 113.333, 170.0, 255.0, 256.0)),
    "brightness": (lambda image, m: ImageEnhance.Brightness(image).enhance(m), FACTORS),
    "contrast": (lambda image, m: ImageEnhance.Contrast(image).enhance(m), FACTORS),
    "colour": (lambda image, m: ImageEnhance.Color(image).enhance(m), FACTORS),
    "sharpness": (lambda image, m: ImageEnhance.Sharpness(image).enhance(m), FACTORS),
    "rotate": (
        lambda image, m: image.rotate(m, fillcolor=(128, 128, 128)),
        (-30.0, -26.6667, -10.0, 0.0, 0.5, 13.3333, 23.3333, 30.0),
    ),
    "shear_x": (lambda image, m: affine(image, 1, m, 0, 0, 1, 0), (-0.3, -0.16667, 0.0, 0.1, 0.3)),
    "shear_y": (lambda image, m: affine(image, 1, 0, 0, m, 1, 0), (-0.3, -0.16667, 0.0, 0.1, 0.3)),
    "translate_x": (lambda image, m: affine(image, 1, 0, m, 0, 1, 0), (-70.0, -3.0, 0.0, 8.0, 64.0)),
    "translate_y": (lambda image, m: affine(image, 1, 0, 0, 0, 1, m), (-40.0, -3.0, 0.0, 8.0, 33.0)),
}
WITHOUT_MAGNITUDE = {
    "auto_contrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "invert": ImageOps.invert,
}


def share_within_one_level(ours, expected):
    return np.mean(np.abs(ours.astype(int) - expected.astype(int)).max(-1) <= 1)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_is_pillows(name, compiled):
    reference, magnitudes = OPERATIONS[name]
    operation = tf.function(getattr(pixels, name), jit_compile=compiled)
    dtype = tf.int32 if name == "posterize" else tf.float32
    # One image and magnitude per element: every pair at once, so per-image magnitudes are tested too.
    images = np.repeat(BATCH, len(magnitudes), axis=0)
    ours = operation(tf.constant(images), tf.constant(magnitudes * len(BATCH), dtype)).numpy()
    for index, image in enumerate(images):
        magnitude = magnitudes[index % len(magnitudes)]
        expected = np.array(reference(Image.fromarray(image), magnitude))
        assert share_within_one_level(ours[index], expected) >= 0.999, (
            list(IMAGES)[index // len(magnitudes)],
            magnitude,
        )


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", WITHOUT_MAGNITUDE)
def test_operation_without_magnitude_is_exactly_pillows(name, compiled):
    ours = tf.function(getattr(pixels, name), jit_compile=compiled)(tf.constant(BATCH)).numpy()
    for image, result in zip(BATCH, ours, strict=True):
        np.testing.assert_array_equal(result, np.array(WITHOUT_MAGNITUDE[name](Image.fromarray(image))))


@pytest.mark.parametrize("name", ["posterize", "solarize", "translate_x", "translate_y"])
def test_integer_operation_is_exactly_pillows(name):
    reference, magnitudes = OPERATIONS[name]
    for magnitude in magnitudes:
        dtype = tf.int32 if name == "posterize" else tf.float32
        ours = getattr(pixels, name)(tf.constant(BATCH[:1]), tf.constant([magnitude], dtype)).numpy()[0]
        np.testing.assert_array_equal(ours, np.array(reference(Image.fromarray(BATCH[0]), magnitude)))


def test_large_rotation_keeps_to_pillows_fixed_point():
    image = np.random.default_rng(3).integers(0, 256, (360, 640, 3)).astype(np.uint8)
    for degrees in (-80 / 3, -10.0, 80 / 3, 30.0):
        ours = pixels.rotate(tf.constant(image[np.newaxis]), tf.constant([degrees], tf.float32)).numpy()[0]
        expected = np.array(Image.fromarray(image).rotate(degrees, fillcolor=(128, 128, 128)))
        assert share_within_one_level(ours, expected) >= 0.999


def test_float_images_give_the_levels_of_integer_ones():
    for operation in (pixels.colour, pixels.sharpness, pixels.contrast):
        factors = tf.fill([len(BATCH)], 1.7)
        as_float = operation(tf.constant(BATCH, tf.float32), factors)
        assert as_float.dtype == tf.float32
        np.testing.assert_array_equal(as_float.numpy(), operation(tf.constant(BATCH), factors).numpy())


@pytest.mark.parametrize("size", [BATCH.shape[1:3], (3, 5), (1, 1), (2, 1)])
def test_histogram_counts_each_channel(size):
    """Also of an odd number of pixels, of which one is left when they are counted in pairs."""
    batch = BATCH[:, : size[0], : size[1]]
    counts = pixels.histogram(tf.constant(batch)).numpy()
    for image, count in zip(batch, counts, strict=True):
        np.testing.assert_array_equal(count.reshape(-1), Image.fromarray(image).histogram())


def test_remapped_histogram_is_that_of_the_mapped_image():
    table = pixels.solarize_table(tf.fill([len(BATCH)], 100.0))
    expected = pixels.histogram(pixels.look_up(tf.constant(BATCH), table))
    remapped = pixels.remap_histogram(pixels.histogram(tf.constant(BATCH)), table)
    np.testing.assert_array_equal(remapped.numpy(), expected.numpy())


def test_chained_tables_look_up_one_after_the_other():
    first = pixels.posterize_table(tf.fill([len(BATCH)], 5))
    second = pixels.brightness_table(tf.fill([len(BATCH)], 1.3))
    images = tf.constant(BATCH)
    chained = pixels.look_up(images, pixels.chain_tables(first, second))
    stepwise = pixels.look_up(pixels.look_up(images, first), second)
    np.testing.assert_array_equal(chained.numpy(), stepwise.numpy())


def test_equalize_by_hand():
    # 1,020 pixels, a quarter each of 10, 20, 30 and 40: step = (1020 - 255) // 255 = 3, and level 20 becomes
    # (3 // 2 + 255) // 3 = 85, level 30 (1 + 510) // 3 = 170,
    # level 40 (1 + 765) // 3 = 255, level 10 (1 + 0) // 3 = 0.
    image = np.repeat([10, 20, 30, 40], 255).reshape(1, 30, 34, 1).repeat(3, -1).astype(np.uint8)
    result = pixels.equalize(tf.constant(image)).numpy()
    np.testing.assert_array_equal(np.unique(result), [0, 85, 170, 255])
