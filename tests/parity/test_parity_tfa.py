"""Operations of TensorFlow Addons 0.23, which the original used, from golden/tfa_golden.npz.

The file is made by golden/make_tfa_golden.py in an environment of its own. Where Pillow, which this project
follows, and Addons differ by more than one level, the difference is spelled out here: with it undone, the
results are the same.
"""

import pathlib

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.data.augment import geometry, pixels
from udas_tf.models.layers import GroupNorm


@pytest.fixture(scope="module")
def golden():
    with np.load(pathlib.Path(__file__).parent / "golden" / "tfa_golden.npz") as file:
        return dict(file)


def results(operation, golden, magnitudes, sign=1):
    """`operation(images, magnitudes)` at every magnitude: int [magnitudes, images, H, W, 3]."""
    images = tf.constant(golden["images"])
    return np.stack(
        [
            operation(images, tf.fill([len(images)], sign * float(size))).numpy().astype(int)
            for size in golden[magnitudes]
        ]
    )


def distance(ours, theirs):
    """The largest difference over a pixel's channels, in levels."""
    return np.abs(ours - theirs.astype(int)).max(-1)


def test_rotate_but_for_ties(golden):
    """Addons rounds float32 coordinates, Pillow cuts 16.16 fixed point: a tie may fall to either side."""
    far = distance(results(pixels.rotate, golden, "degrees"), golden["rotate"])
    assert golden["fill"] == geometry.IMAGE_FILL
    assert np.mean(far <= 1) >= 0.999
    assert np.sum(far > 1, axis=(2, 3)).max() <= 1  # pixels of 37 x 52


@pytest.mark.parametrize("axis", ["x", "y"])
def test_translate(golden, axis):
    """`translate_xy` names where the content goes, Pillow's transform where it comes from."""
    operation = getattr(pixels, f"translate_{axis}")
    ours = results(operation, golden, "pixels", sign=-1)
    np.testing.assert_array_equal(ours, golden[f"translate_{axis}"])


@pytest.mark.parametrize("axis", ["x", "y"])
def test_shear_but_for_its_origin(golden, axis):
    """Addons' origin is the centre of the first pixel, Pillow's that pixel's corner: half the slope apart.

    A line (row of shear_x, column of shear_y) moves by whole pixels in both; where these are the same, so is
    the line.
    """
    operation = getattr(pixels, f"shear_{axis}")
    far = distance(results(operation, golden, "slopes"), golden[f"shear_{axis}"])
    if axis == "y":
        far = far.swapaxes(2, 3)
    line = np.arange(far.shape[2])
    for slope, found in zip(golden["slopes"].astype(np.float64), far, strict=True):
        pillows = np.floor(slope * (line + 0.5) + 0.5)
        addons, tie = np.round(slope * line), np.abs(slope * line % 1 - 0.5) < 1e-3
        assert np.all(found[:, (pillows == addons) & ~tie] == 0)
        assert np.mean((pillows != addons) & ~tie) <= np.abs(slope) / 2 + 0.01
        assert np.abs(pillows - addons).max() <= 1


def test_equalize(golden):
    ours = pixels.equalize(tf.constant(golden["images"])).numpy()
    np.testing.assert_array_equal(ours, golden["equalize"])


def test_sharpness_within_one_level_up_to_factor_1_3_and_two_beyond(golden):
    far = distance(results(pixels.sharpness, golden, "factors"), golden["sharpness"])
    small = golden["factors"] < 1.5
    assert far[small].max() <= 1
    assert far.max() <= 2


def test_sharpness_but_for_where_it_rounds(golden):
    """Pillow rounds the smoothed image and cuts the blend; Addons cuts the smoothed and rounds the blend."""
    images = golden["images"].astype(np.float32)
    rows = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    box = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:]
    inner = images[:, 1:-1, 1:-1]
    # A thirteenth is not exact in float32: where the mean is a whole number, it may be cut to the one below.
    means = [np.floor((box + 4 * inner) / np.float32(13) - np.float32(slack)) for slack in (0, 1e-4)]
    for factor, theirs in zip(golden["factors"], golden["sharpness"], strict=True):
        expected = [np.round(np.clip(mean + factor * (inner - mean), 0, 255)) for mean in means]
        off = np.min([np.abs(one - theirs[:, 1:-1, 1:-1]) for one in expected], axis=0)
        assert off.max() == 0


def test_instance_norm(golden):
    features = tf.constant(golden["features"])
    layer = GroupNorm(groups=-1, epsilon=float(golden["epsilon"]))
    layer.build(features.shape)
    layer.set_weights([golden["gamma"], golden["beta"]])
    np.testing.assert_allclose(layer(features).numpy(), golden["instance_norm"], rtol=1e-5, atol=1e-5)


def test_the_networks_instance_norm_is_pytorchs_not_addons(golden):
    """CycleGAN's epsilon is PyTorch's 1e-5; Addons' default of 1e-3 shrinks features of small variance."""
    assert GroupNorm(groups=-1).epsilon == 1e-5 and golden["epsilon"] == np.float32(1e-3)
