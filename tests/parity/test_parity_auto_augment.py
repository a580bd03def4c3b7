"""AutoAugment against Pillow, every operation at every magnitude, and its draws against the probabilities.

The reference below is written from the published policy and Pillow's own functions, which compute by integer
rules of their own; nothing of the project is in it.
"""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from udas_tf.data.augment import policy

SIZE = (120, 213)  # height, width
SHARE = 0.999  # of the pixels must be within one level
P_VALUE = 0.001
DRAWS = 200_000
GREY = (128, 128, 128)


def affine(image, *data):
    return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.NEAREST, fillcolor=GREY)


def enhancement(kind):
    return lambda image, m: kind(image).enhance(1 + m)


# Name: (Pillow's way, the ten magnitudes, whether they come with either sign). The ranges are those of the
# published policy: shear 0.3, translation 150/331 of the image, rotation 30 degrees, posterize 8 to 4 bits,
# solarize 255 to 0, enhancements 1 +- 0.9.
TENTHS = np.linspace(0, 1, 10)
REFERENCE = {
    "shear_x": (lambda image, m: affine(image, 1, m, 0, 0, 1, 0), 0.3 * TENTHS, True),
    "shear_y": (lambda image, m: affine(image, 1, 0, 0, m, 1, 0), 0.3 * TENTHS, True),
    "translate_x": (
        lambda image, m: affine(image, 1, 0, m, 0, 1, 0),
        np.floor(150 / 331 * SIZE[1] * TENTHS),
        True,
    ),
    "translate_y": (
        lambda image, m: affine(image, 1, 0, 0, 0, 1, m),
        np.floor(150 / 331 * SIZE[0] * TENTHS),
        True,
    ),
    "rotate": (lambda image, m: image.rotate(m, fillcolor=GREY), 30 * TENTHS, True),
    "colour": (enhancement(ImageEnhance.Color), 0.9 * TENTHS, True),
    "brightness": (enhancement(ImageEnhance.Brightness), 0.9 * TENTHS, True),
    "contrast": (enhancement(ImageEnhance.Contrast), 0.9 * TENTHS, True),
    "sharpness": (enhancement(ImageEnhance.Sharpness), 0.9 * TENTHS, True),
    "posterize": (lambda image, m: ImageOps.posterize(image, int(m)), 8 - np.round(4 * TENTHS), False),
    # 255 - 28.3 i, where thresholds that are whole levels are exactly so.
    "solarize": (lambda image, m: ImageOps.solarize(image, m), 255 - 85 * np.arange(10) / 3, False),
    "auto_contrast": (lambda image, m: ImageOps.autocontrast(image), None, False),
    "equalize": (lambda image, m: ImageOps.equalize(image), None, False),
    "invert": (lambda image, m: ImageOps.invert(image), None, False),
}
ENHANCEMENTS = ("colour", "brightness", "contrast", "sharpness")


def photograph():
    """Soft shading and camera noise."""
    rng = np.random.default_rng(2)
    coarse = Image.fromarray(rng.integers(20, 230, (6, 9, 3)).astype(np.uint8))
    soft = np.array(coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC)).astype(float)
    return np.clip(soft + rng.normal(0, 4, soft.shape), 0, 255).astype(np.uint8)


def drawing():
    image = Image.new("RGB", SIZE[::-1], (90, 120, 200))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 70, *SIZE[::-1]), fill=(80, 80, 83))
    pen.polygon(((20, 119), (80, 60), (200, 119)), fill=(60, 62, 60))
    pen.ellipse((130, 10, 170, 50), fill=(255, 0, 3))
    return np.array(image)


def noise():
    return np.random.default_rng(1).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def dark():
    """A narrow range of levels, another one in each channel."""
    return (photograph() // 8 + np.array([3, 40, 100])).astype(np.uint8)


IMAGES = [make() for make in (photograph, drawing, noise, dark)]


@pytest.fixture(scope="module")
def apply():
    """The policy's own path, compiled as it is used."""
    return policy.apply


@pytest.mark.parametrize("name", REFERENCE)
def test_operation(name, apply, within):
    pillow, magnitudes, signed = REFERENCE[name]
    sizes = [0.0] if magnitudes is None else [*magnitudes, *(-magnitudes[1:] if signed else [])]
    if magnitudes is not None:  # the project's meaning of the ten indices, before the sign
        ours = [policy.magnitude(name, index, SIZE) for index in range(10)]
        np.testing.assert_allclose(ours, magnitudes, rtol=1e-6)
    worst = 0.0
    for size in sizes:
        given = float(size + 1 if name in ENHANCEMENTS else size)
        steps = tf.constant([[policy.OPERATIONS.index(name), 0]] * len(IMAGES))
        result = apply(tf.constant(np.stack(IMAGES)), None, steps, tf.constant([[given, 0.0]] * len(IMAGES)))
        for image, found in zip(IMAGES, result.images.numpy(), strict=True):
            wanted = np.array(pillow(Image.fromarray(image), float(size))).astype(float)
            worst = max(worst, np.mean(np.abs(found - wanted).max(-1) > 1))
    within(worst, 1 - SHARE)


def test_all_operations_are_compared():
    assert {*REFERENCE, "identity"} == set(policy.OPERATIONS)


# --- the draws ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def draws():
    drawn = policy.draw(DRAWS, SIZE, tf.constant([2024, 7]))
    return tf.nest.map_structure(lambda values: values.numpy(), drawn)


def p_value(counts, probabilities):
    """Of a chi-square test of the counts; categories without probability must be empty."""
    counts, probabilities = np.asarray(counts, float), np.asarray(probabilities, float)
    assert np.all(counts[probabilities == 0] == 0)
    counts, expected = counts[probabilities > 0], counts.sum() * probabilities[probabilities > 0]
    if len(counts) == 1:
        return 1.0
    statistic = np.sum((counts - expected) ** 2 / expected)
    return float(tf.math.igammac(np.float64((len(counts) - 1) / 2), np.float64(statistic / 2)))


def report(name, value):
    print(f"parity: {name}: p = {value:.3g} (limit {P_VALUE:g})")
    assert value > P_VALUE


def test_p_value_by_hand():
    # One degree of freedom: the statistic 3.841 has p = 0.05; (60, 40) of 1:1 has 4, p = 0.0455.
    np.testing.assert_allclose(p_value([60, 40], [0.5, 0.5]), 0.0455, rtol=1e-3)


def test_sub_policies_are_uniform(draws):
    report("sub-policies", p_value(np.bincount(draws.sub_policies, minlength=25), np.full(25, 1 / 25)))


def test_each_operation_falls_with_its_probability(draws):
    """Both coins of all sub-policies as one table: 25 x 4 cells, each sub-policy with its own total."""
    counts, probabilities = [], []
    for position, ((first, p, _), (second, q, _)) in enumerate(policy.IMAGENET_POLICY):
        chosen = draws.operations[draws.sub_policies == position]
        expected = [policy.OPERATIONS.index(name) for name in (first, second)]
        assert np.all((chosen == 0) | (chosen == expected))
        code = 2 * (chosen[:, 0] > 0) + (chosen[:, 1] > 0)
        counts.append(np.bincount(code, minlength=4))
        probabilities.append([(1 - p) * (1 - q), (1 - p) * q, p * (1 - q), p * q])
    values = [p_value(*pair) for pair in zip(counts, probabilities, strict=True)]
    # The least of 25 must be judged as the least of 25 (Sidak).
    report("coins, the least of 25 sub-policies", 1 - (1 - min(values)) ** 25)
    report("coins, all", p_value(np.ravel(counts), np.ravel(probabilities) / 25))


def test_signs_are_even_and_magnitudes_the_policys(draws):
    values = []
    for position, sub_policy in enumerate(policy.IMAGENET_POLICY):
        chosen = draws.sub_policies == position
        for column, (name, probability, index) in enumerate(sub_policy):
            given = draws.magnitudes[chosen & (draws.operations[:, column] > 0), column]
            if index is None or probability == 0:
                assert np.all(given == 0)
                continue
            _, magnitudes, signed = REFERENCE[name]
            offset = given - 1 if name in ENHANCEMENTS else given
            np.testing.assert_allclose(np.abs(offset), magnitudes[index], rtol=1e-5)
            if signed and magnitudes[index] > 0:
                values.append(p_value([np.sum(offset < 0), np.sum(offset > 0)], [0.5, 0.5]))
            assert signed or np.all(offset > 0)
    report(f"signs, the least of {len(values)}", 1 - (1 - min(values)) ** len(values))


def test_coins_signs_and_sub_policies_are_independent_of_the_image(draws):
    """Neighbouring images draw independently: pairs of sub-policies are uniform over 625."""
    pairs = draws.sub_policies[0::2] * 25 + draws.sub_policies[1::2]
    report("pairs of neighbours", p_value(np.bincount(pairs, minlength=625), np.full(625, 1 / 625)))


# --- the policy's list --------------------------------------------------------------------------------------

# Table 9 of the paper with torchvision's names, magnitudes as indices from 0.
PUBLISHED = """
    Posterize 0.4 8, Rotate 0.6 9
    Solarize 0.6 5, AutoContrast 0.6 -
    Equalize 0.8 -, Equalize 0.6 -
    Posterize 0.6 7, Posterize 0.6 6
    Equalize 0.4 -, Solarize 0.2 4
    Equalize 0.4 -, Rotate 0.8 8
    Solarize 0.6 3, Equalize 0.6 -
    Posterize 0.8 5, Equalize 1.0 -
    Rotate 0.2 3, Solarize 0.6 8
    Equalize 0.6 -, Posterize 0.4 6
    Rotate 0.8 8, Color 0.4 0
    Rotate 0.4 9, Equalize 0.6 -
    Equalize 0.0 -, Equalize 0.8 -
    Invert 0.6 -, Equalize 1.0 -
    Color 0.6 4, Contrast 1.0 8
    Rotate 0.8 8, Color 1.0 2
    Color 0.8 8, Solarize 0.8 7
    Sharpness 0.4 7, Invert 0.6 -
    ShearX 0.6 5, Equalize 1.0 -
    Color 0.4 0, Equalize 0.6 -
    Equalize 0.4 -, Solarize 0.2 4
    Solarize 0.6 5, AutoContrast 0.6 -
    Invert 0.6 -, Equalize 1.0 -
    Color 0.6 4, Contrast 1.0 8
    Equalize 0.8 -, Equalize 0.6 -
"""
NAMES = {
    "AutoContrast": "auto_contrast", "Color": "colour", "ShearX": "shear_x", "ShearY": "shear_y",
    "TranslateX": "translate_x", "TranslateY": "translate_y",
}  # fmt: skip


def test_policy_is_the_published_list():
    rows = [[step.split() for step in line.split(",")] for line in PUBLISHED.strip().splitlines()]
    published = tuple(
        tuple((NAMES.get(name, name.lower()), float(p), None if m == "-" else int(m)) for name, p, m in row)
        for row in rows
    )
    assert published == policy.IMAGENET_POLICY
