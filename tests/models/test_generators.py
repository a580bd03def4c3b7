"""CycleGAN's generator: size, range, parameter count, the transposed convolution's placement."""

import keras
import numpy as np
import pytest

from udas_tf.models import generators


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def small():
    return generators.resnet_generator(width=8, blocks=1)


def test_nine_blocks_have_the_originals_parameters():
    assert generators.resnet_generator().count_params() == 11_378_179


@pytest.mark.parametrize("size", [(32, 64), (33, 62), (31, 47)])
def test_any_size_comes_back_in_0_255(small, rng, size):
    out = small(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)).numpy()
    assert out.shape == (2, *size, 3)
    assert out.dtype == np.float32
    assert 0 <= out.min() and out.max() <= 255


def test_an_untrained_generator_answers_mid_grey_on_average(small, rng):
    out = small(rng.uniform(0, 255, (1, 64, 64, 3)).astype("float32")).numpy()
    assert abs(out.mean() - 127.5) < 40


def test_doubling_is_pytorchs_transposed_convolution(rng):
    """ConvTranspose2d(3, stride=2, padding=1, output_padding=1): input i meets outputs 2i - 1, 2i, 2i + 1."""
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, generators._doubling_conv(inputs, 3, "up"))
    x = rng.normal(size=(1, 4, 5, 2)).astype("float32")
    kernel = np.asarray(model.get_layer("up").kernel)  # [row, column, out, in]
    expected = np.zeros((1, 8, 10, 3))
    for i in range(4):
        for j in range(5):
            for r in range(3):
                for c in range(3):
                    row, column = 2 * i + r - 1, 2 * j + c - 1
                    if 0 <= row < 8 and 0 <= column < 10:
                        expected[:, row, column] += x[:, i, j] @ kernel[r, c].T
    np.testing.assert_allclose(model(x), expected, atol=1e-5)
