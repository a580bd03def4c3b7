"""CycleGAN's generator: size, range, parameter count, and its two ways of doubling maps."""

import keras
import numpy as np
import pytest

from udas_tf.models import generators
from udas_tf.models.importers import state_dicts
from udas_tf.models.importers.formats import cyclegan


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module", params=generators.UPSAMPLING)
def small(request):
    return generators.resnet_generator(width=8, blocks=1, upsampling=request.param)


@pytest.mark.parametrize("upsampling", generators.UPSAMPLING)
def test_nine_blocks_have_the_originals_parameters(upsampling):
    assert generators.resnet_generator(upsampling=upsampling).count_params() == 11_378_179


@pytest.mark.parametrize("size", [(32, 64), (33, 62), (31, 47)])
def test_any_size_comes_back_in_0_255(small, rng, size):
    out = small(rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)).numpy()
    assert out.shape == (2, *size, 3)
    assert out.dtype == np.float32
    assert out.min() >= 0 and out.max() <= 255


def test_an_untrained_generator_answers_mid_grey_on_average(small, rng):
    out = small(rng.uniform(0, 255, (1, 64, 64, 3)).astype("float32")).numpy()
    assert abs(out.mean() - 127.5) < 40


@pytest.mark.parametrize("size", [(16, 24), (17, 22)])
def test_a_residual_generator_begins_with_its_image(rng, size):
    """Paler by a twentieth, black and white included; and what its last convolution says is added before tanh."""
    network = generators.resnet_generator(width=8, blocks=1, residual=True)
    images = rng.integers(0, 256, (2, *size, 3), dtype=np.uint8)
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    paler = 127.5 + 0.95 * (images - 127.5)
    np.testing.assert_allclose(network(images).numpy(), paler, atol=1e-3)
    last = network.get_layer("conv1")
    last.bias.assign([0.0, 0.5, -0.5])
    logits = np.arctanh(paler / 127.5 - 1) + np.array([0.0, 0.5, -0.5])
    np.testing.assert_allclose(network(images).numpy(), 127.5 * (1 + np.tanh(logits)), atol=1e-3)
    assert network.count_params() == generators.resnet_generator(width=8, blocks=1).count_params()


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


def test_resizing_by_hand():
    """Of a 2x2 map each pixel is doubled and mirrored at the borders; tap (r, c) of the kernel is 3 r + c."""
    inputs = keras.Input((None, None, 1))
    model = keras.Model(inputs, generators._resized_conv(inputs, 1, "up"))
    model.get_layer("up").kernel.assign(np.arange(9.0).reshape(3, 3, 1, 1))
    found = model(np.array([[1.0, 2], [3, 4]], np.float32)[None, ..., None])
    # Such as (1, 1): 0 1 2 on 1 1 2, 3 4 5 on 1 1 2 and 6 7 8 on 3 3 4 make 5 + 17 + 71.
    expected = [[36, 51, 63, 72], [78, 93, 105, 114], [102, 117, 129, 138], [108, 123, 135, 144]]
    np.testing.assert_array_equal(found[0, ..., 0], expected)


@pytest.mark.parametrize(("upsampling", "even"), [("transposed", False), ("resize", True)])
def test_a_constant_map_stays_constant_where_nothing_is_transposed(rng, upsampling, even):
    """A transposed convolution of stride 2 sets every second row and column apart."""
    inputs = x = keras.Input((None, None, 4))
    for index in range(2):
        x = generators.UPSAMPLING[upsampling](x, 3, f"up{index}")
    grown = keras.Model(inputs, x)(np.broadcast_to(rng.normal(size=4), (1, 8, 8, 4)).astype("float32")).numpy()
    assert grown.shape == (1, 32, 32, 3)
    inside = grown[:, 8:-8, 8:-8]
    spread = inside.std(axis=(1, 2)) / np.abs(inside).max(axis=(1, 2))
    assert np.all(spread < 1e-5) if even else np.all(spread > 0.1)
    for step in (grown[:, :, 1:] - grown[:, :, :-1], grown[:, 1:] - grown[:, :-1]):
        assert (np.abs(step).max() < 1e-5 * np.abs(grown).max()) == even, "the borders are no exception"


def test_a_published_checkpoint_does_not_fit_what_resizes():
    """Kernels of transposed convolutions are [in, out, 3, 3] in PyTorch, the others' [out, in, 3, 3]."""
    original, resizing = (
        generators.resnet_generator(width=4, blocks=1, upsampling=name) for name in ("transposed", "resize")
    )
    entries = {}
    for name, module, _ in cyclegan._generator(original):
        kernel, bias = original.get_layer(name).get_weights()
        entries |= {f"{module}.weight": kernel.transpose(3, 2, 0, 1), f"{module}.bias": bias}
    kind = state_dicts.recognise(entries, "generator")
    assert state_dicts.plan(original, entries, kind).fits
    plan = state_dicts.plan(resizing, entries, kind)
    assert not (plan.missing or plan.unexpected)
    assert plan.misshaped == [
        "model.11.weight is (16, 8, 3, 3), expected (8, 16, 3, 3)",
        "model.14.weight is (8, 4, 3, 3), expected (4, 8, 3, 3)",
    ]
