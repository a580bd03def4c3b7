import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from udas_tf.data.augment import geometry

HEIGHT, WIDTH = 40, 64


def coordinates_image():
    """float32 [1, H, W, 2]: every pixel holds its own centre (x, y)."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    return tf.constant(np.stack([x, y], -1)[np.newaxis].astype(np.float32))


def any_transform(degrees, shear, shift_x, shift_y):
    turned = geometry.rotation(tf.constant([degrees]), (HEIGHT, WIDTH))
    sheared = geometry.compose(turned, geometry.horizontal_shear(tf.constant([shear])))
    shifted = geometry.compose(sheared, geometry.horizontal_shift(tf.constant([shift_x])))
    return geometry.compose(shifted, geometry.vertical_shift(tf.constant([shift_y])))


transforms = st.builds(any_transform, st.floats(-60, 60), st.floats(-0.4, 0.4), st.floats(-15, 15), st.floats(-9, 9))

warp = tf.function(geometry.warp, jit_compile=True)
warp_back = tf.function(geometry.warp_back, jit_compile=True)


def points(transform, x, y):
    return transform[:, :2] @ np.stack([x, y]) + transform[:, 2:]


@given(transforms)
@settings(max_examples=20, deadline=None)
def test_warp_shows_what_lies_at_the_transformed_point(transform):
    image = coordinates_image()
    moved = warp(image, transform, fill=-1.0).numpy()[0]
    seen = moved[..., 0] >= 0
    rows, columns = np.nonzero(seen)
    expected = points(transform[0].numpy().astype(float), columns + 0.5, rows + 0.5).T
    # Nearest: half a pixel, and the hundredth that 16.16 fixed point may be off.
    assert np.abs(moved[seen] - expected).max(initial=0) <= 0.51


@given(transforms)
@settings(max_examples=20, deadline=None)
def test_inverse_undoes(transform):
    both = geometry.compose(transform, geometry.inverse(transform))[0].numpy()
    np.testing.assert_allclose(both, [[1, 0, 0], [0, 1, 0]], atol=0.01)


@given(transforms)
@settings(max_examples=20, deadline=None)
def test_round_trip_is_right_to_within_a_pixel(transform):
    image = coordinates_image()
    back, seen = warp_back(warp(image, transform, fill=-1000.0), transform)
    back, seen = back.numpy()[0], seen.numpy()[0]
    # A pixel on the rim may fall on a neighbour that the view saw outside the image.
    inner = seen & (back[..., 0] > -1000)
    assert inner.sum() >= 0.95 * seen.sum() - 5
    assert np.abs(back - image.numpy()[0])[inner].max(initial=0) <= 1.01
    assert np.all(back[~seen] == 0)


@given(transforms)
@settings(max_examples=20, deadline=None)
def test_pixels_beyond_the_view_are_not_seen(transform):
    _, seen = warp_back(coordinates_image(), transform)
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    linear, shift = transform[0, :, :2].numpy().astype(float), transform[0, :, 2:].numpy().astype(float)
    view_x, view_y = np.linalg.solve(linear, np.stack([x.ravel(), y.ravel()]) - shift).reshape(2, HEIGHT, WIDTH)
    margin = np.minimum.reduce([view_x, WIDTH - view_x, view_y, HEIGHT - view_y])
    assert np.all(seen.numpy()[0][margin > 0.02])
    assert not np.any(seen.numpy()[0][margin < -0.02])


@given(transforms, st.integers(0, 2**31 - 1))
@settings(max_examples=20, deadline=None)
def test_labels_and_images_are_sampled_alike(transform, seed):
    labels = np.random.default_rng(seed).integers(0, 19, (1, HEIGHT, WIDTH)).astype(np.uint8)
    moved_label = warp(tf.constant(labels), transform, fill=255).numpy()
    moved_image = warp(tf.constant(labels[..., np.newaxis].astype(np.float32)), transform, fill=255.0).numpy()
    np.testing.assert_array_equal(moved_label, moved_image[..., 0])


def test_shift_by_hand():
    image = tf.reshape(tf.range(6), [1, 2, 3])
    moved = geometry.warp(image, geometry.horizontal_shift(tf.constant([1.0])), fill=-1)
    np.testing.assert_array_equal(moved[0], [[1, 2, -1], [4, 5, -1]])
    back, seen = geometry.warp_back(moved, geometry.horizontal_shift(tf.constant([1.0])))
    np.testing.assert_array_equal(back[0], [[0, 1, 2], [0, 4, 5]])
    np.testing.assert_array_equal(seen[0], [[False, True, True]] * 2)


def test_compose_does_the_first_first():
    image = tf.constant(np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH)).astype(np.uint8))
    first = geometry.horizontal_shift(tf.constant([5.0]))
    second = geometry.horizontal_flip(tf.constant([True]), WIDTH)
    stepwise = geometry.warp(geometry.warp(image, first), second)
    at_once = geometry.warp(image, geometry.compose(first, second))
    np.testing.assert_array_equal(stepwise, at_once)
    assert np.any(stepwise.numpy() != geometry.warp(image, geometry.compose(second, first)).numpy())


def test_transforms_are_each_images_own():
    image = np.random.default_rng(0).integers(0, 256, (1, HEIGHT, WIDTH, 3)).astype(np.uint8)
    degrees = tf.constant([0.0, 20.0, -7.0])
    together = geometry.warp(tf.constant(np.repeat(image, 3, 0)), geometry.rotation(degrees, (HEIGHT, WIDTH)))
    for index in range(3):
        alone = geometry.warp(tf.constant(image), geometry.rotation(degrees[index : index + 1], (HEIGHT, WIDTH)))
        np.testing.assert_array_equal(together[index], alone[0])
    np.testing.assert_array_equal(together[0], image[0])


def test_bilinear_is_pillows():
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9)).astype(np.uint8)
    image = np.array(Image.fromarray(coarse).resize((WIDTH, HEIGHT)))
    transform = geometry.rotation(tf.constant([17.0]), (HEIGHT, WIDTH))
    ours = geometry.warp(tf.constant(image[np.newaxis], tf.float32), transform, "bilinear", fill=128)[0].numpy()
    expected = np.array(Image.fromarray(image).rotate(17, Image.Resampling.BILINEAR, fillcolor=128)).astype(float)
    # Pillow interpolates in floating point: a few pixels of the rim fall on the other side of it.
    assert np.mean(np.abs(ours - expected) <= 1) >= 0.997


def test_crop_enlarges():
    image = tf.constant([[[1, 2], [3, 4]]])
    doubled = geometry.warp(image, geometry.crop(tf.zeros([1]), tf.zeros([1]), tf.constant([2.0])), size=(4, 4))
    np.testing.assert_array_equal(doubled[0], np.kron([[1, 2], [3, 4]], np.ones((2, 2), int)))


@pytest.mark.parametrize(
    ("interpolation", "dtype", "message"), [("cubic", tf.float32, "'cubic'"), ("bilinear", tf.uint8, "uint8")]
)
def test_what_cannot_be_interpolated_is_refused(interpolation, dtype, message):
    with pytest.raises(ValueError, match=message):
        geometry.warp(tf.zeros([1, 4, 4], dtype), geometry.identity(1), interpolation)
