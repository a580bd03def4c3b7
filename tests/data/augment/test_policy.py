"""AutoAugment: the policy's draws, and what comes out against a chain of Pillow's operations."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from udas_tf.data.augment import geometry, policy

SIZE = (60, 97)

PILLOW = {
    "identity": lambda image, m: image,
    "posterize": lambda image, m: ImageOps.posterize(image, int(m)),
    "solarize": lambda image, m: ImageOps.solarize(image, m),
    "invert": lambda image, m: ImageOps.invert(image),
    "brightness": lambda image, m: ImageEnhance.Brightness(image).enhance(m),
    "auto_contrast": lambda image, m: ImageOps.autocontrast(image),
    "equalize": lambda image, m: ImageOps.equalize(image),
    "contrast": lambda image, m: ImageEnhance.Contrast(image).enhance(m),
    "colour": lambda image, m: ImageEnhance.Color(image).enhance(m),
    "sharpness": lambda image, m: ImageEnhance.Sharpness(image).enhance(m),
    "rotate": lambda image, m: image.rotate(m, fillcolor=(128, 128, 128)),
    "shear_x": lambda image, m: _affine(image, 1, m, 0, 0, 1, 0),
    "shear_y": lambda image, m: _affine(image, 1, 0, 0, m, 1, 0),
    "translate_x": lambda image, m: _affine(image, 1, 0, m, 0, 1, 0),
    "translate_y": lambda image, m: _affine(image, 1, 0, 0, 0, 1, m),
}
MAGNITUDES = {
    "posterize": 5,
    "solarize": 85.0,
    "rotate": -20.0,
    "shear_x": 0.2,
    "shear_y": -0.2,
    "translate_x": 20.0,
}


def _affine(image, *data, fill=(128, 128, 128)):
    return image.transform(image.size, Image.Transform.AFFINE, data, fillcolor=fill)


def street_like(count):
    """Smooth images with edges: no two neighbouring operations have the same effect on them."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(30, 220, (count, 7, 11, 3)).astype(np.uint8)
    size = SIZE[::-1]
    images = np.stack([np.array(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)) for image in coarse])
    images[:, 40:, 20:70] = (70, 72, 75)
    return images


@pytest.fixture(scope="module")
def many_draws():
    return tf.nest.map_structure(lambda drawn: drawn.numpy(), policy.draw(100_000, (360, 640), tf.constant([3, 4])))


def chi_square(counts, expected):
    return np.sum((counts - expected) ** 2 / expected)


def test_sub_policies_are_drawn_alike(many_draws):
    counts = np.bincount(many_draws.sub_policies, minlength=25)
    assert len(counts) == 25
    assert chi_square(counts, 100_000 / 25) < 51.18  # 24 degrees of freedom, p = 0.001


def test_operations_are_applied_with_their_probability(many_draws):
    statistic = degrees = 0
    for position, sub_policy in enumerate(policy.IMAGENET_POLICY):
        drawn = many_draws.operations[many_draws.sub_policies == position]
        # The two coins are independent: four cells for each sub-policy.
        first, second = (probability for _, probability, _ in sub_policy)
        cells = {(a, b): (first if a else 1 - first) * (second if b else 1 - second) for a in (0, 1) for b in (0, 1)}
        applied = drawn > 0
        for (a, b), probability in cells.items():
            count = np.sum((applied[:, 0] == a) & (applied[:, 1] == b))
            if probability == 0:
                assert count == 0
            else:
                statistic += chi_square(count, probability * len(drawn))
        degrees += sum(probability > 0 for probability in cells.values()) - 1
        names = [{policy.OPERATIONS[index] for index in np.unique(column[column > 0])} for column in drawn.T]
        assert all(seen <= {name} for seen, (name, _, _) in zip(names, sub_policy, strict=True))
    # Wilson and Hilferty's approximation to the chi-square quantile at p = 0.001 (z = 3.09).
    limit = degrees * (1 - 2 / (9 * degrees) + 3.09 * np.sqrt(2 / (9 * degrees))) ** 3
    assert statistic < limit


def test_magnitudes_have_either_sign_equally_often(many_draws):
    rotated = many_draws.magnitudes[:, 0][(many_draws.operations[:, 0] == policy.OPERATIONS.index("rotate"))]
    share = np.mean(rotated > 0)
    assert abs(share - 0.5) < 3.3 * 0.5 / np.sqrt(len(rotated))
    colours = many_draws.magnitudes[many_draws.operations == policy.OPERATIONS.index("colour")]
    np.testing.assert_allclose(np.unique(colours), [0.2, 0.6, 0.8, 1.0, 1.2, 1.4, 1.8], rtol=1e-6)


def test_magnitudes_are_torchvisions():
    # Worked out from torchvision's AutoAugment._augmentation_space(10, (360, 640)).
    expected = {
        ("posterize", 8): 4, ("posterize", 7): 5, ("posterize", 6): 5, ("posterize", 5): 6,
        ("posterize", 0): 8, ("solarize", 5): 113.3333, ("solarize", 3): 170.0,
        ("rotate", 9): 30.0, ("rotate", 8): 26.6667, ("shear_x", 5): 0.166667,
        ("colour", 4): 0.4, ("contrast", 8): 0.8, ("translate_x", 9): 290.0, ("translate_y", 9): 163.0,
    }  # fmt: skip
    for (name, index), value in expected.items():
        assert policy.magnitude(name, index, (360, 640)) == pytest.approx(value, rel=1e-5)
    with pytest.raises(ValueError, match="invert"):
        policy.magnitude("invert", 3, SIZE)


def test_the_policy_is_the_published_one():
    assert len(policy.IMAGENET_POLICY) == 25
    steps = [step for sub_policy in policy.IMAGENET_POLICY for step in sub_policy]
    counts = {name: sum(step[0] == name for step in steps) for name in policy.OPERATIONS}
    # Counted in the published list.
    assert {name: count for name, count in counts.items() if count} == {
        "equalize": 17, "rotate": 6, "solarize": 7, "colour": 6, "posterize": 5, "invert": 3,
        "auto_contrast": 2, "contrast": 2, "shear_x": 1, "sharpness": 1,
    }  # fmt: skip


def test_chains_of_operations_are_pillows():
    """Every ordered pair, among them all of the policy, as one batch."""
    pairs = [(first, second) for first in range(len(PILLOW)) for second in range(len(PILLOW))]
    images = np.resize(street_like(3), (len(pairs), *SIZE, 3))
    magnitudes = [[float(MAGNITUDES.get(policy.OPERATIONS[index], 1.4)) for index in pair] for pair in pairs]
    ours = policy.apply(tf.constant(images), None, tf.constant(pairs), tf.constant(magnitudes)).images.numpy()
    for image, result, pair, sizes in zip(images, ours, pairs, magnitudes, strict=True):
        names = [policy.OPERATIONS[index] for index in pair]
        expected = Image.fromarray(image)
        for name, size in zip(names, sizes, strict=True):
            expected = PILLOW[name](expected, size)
        difference = np.abs(result - np.array(expected).astype(float)).max(-1)
        # A level's difference after the first operation may be stretched by the second.
        assert np.mean(difference <= (1 if "identity" in names else 4)) >= 0.999, names


@pytest.fixture(scope="module")
def batch():
    """One shape for all tests, so that XLA compiles once."""
    labels = np.random.default_rng(0).integers(0, 19, (24, *SIZE)).astype(np.uint8)
    return tf.constant(street_like(24)), tf.constant(labels)


def test_auto_augment_does_what_was_drawn(batch):
    images, labels, seed = batch[0].numpy(), batch[1].numpy(), tf.constant([5, 6])
    augmented = policy.auto_augment(*batch, seed)
    assert augmented.images.dtype == tf.uint8 and augmented.labels.dtype == tf.uint8
    drawn = policy.draw(24, SIZE, seed)
    moved = 0
    for index in range(24):
        expected, seen = Image.fromarray(images[index]), Image.fromarray(labels[index])
        for operation, size in zip(drawn.operations[index].numpy(), drawn.magnitudes[index].numpy(), strict=True):
            name = policy.OPERATIONS[operation]
            expected = PILLOW[name](expected, float(size))
            if name == "rotate":
                seen, moved = seen.rotate(float(size), fillcolor=255), moved + 1
            if name == "shear_x":
                seen, moved = _affine(seen, 1, size, 0, 0, 1, 0, fill=255), moved + 1
        difference = np.abs(augmented.images[index].numpy() - np.array(expected).astype(float)).max(-1)
        assert np.mean(difference <= 4) >= 0.999
        assert np.mean(augmented.labels[index].numpy() == np.array(seen)) >= 0.999
    assert moved > 0


def test_same_seed_same_result_compiled_or_not(batch):
    images, labels = batch
    plain = tf.function(policy.auto_augment.python_function, autograph=False)
    first = policy.auto_augment(images, labels, tf.constant([1, 2]))
    for function in (policy.auto_augment, plain):
        again = function(images, labels, tf.constant([1, 2]))
        assert np.abs(first.images.numpy() - again.images.numpy()).max() <= 1
        np.testing.assert_array_equal(first.labels.numpy(), again.labels.numpy())
        np.testing.assert_array_equal(first.transforms.numpy(), again.transforms.numpy())
    other = policy.auto_augment(images, labels, tf.constant([1, 3]))
    assert np.abs(first.images.numpy() - other.images.numpy()).max() > 1


def test_runs_inside_a_parallel_map(batch):
    def one_batch(index):
        return policy.auto_augment(*batch, tf.stack([tf.cast(index, tf.int32), 0])).images

    data = tf.data.Dataset.range(6).map(one_batch, num_parallel_calls=2)
    for index, images in enumerate(data):
        expected = policy.auto_augment(*batch, tf.constant([index, 0])).images
        np.testing.assert_array_equal(images.numpy(), expected.numpy())


def test_label_moves_with_its_image():
    """An image that spells its own label, turned and sheared: where the label is valid, they still agree."""
    labels = np.random.default_rng(0).integers(0, 19, (2, *SIZE)).astype(np.uint8)
    images = np.repeat(labels[..., np.newaxis] * 10, 3, axis=-1)
    operations = tf.constant([[policy.OPERATIONS.index("rotate"), 0], [0, policy.OPERATIONS.index("shear_x")]])
    moved = policy.apply(tf.constant(images), tf.constant(labels), operations, tf.constant([[25.0, 0], [0, 0.3]]))
    seen = moved.labels.numpy() != geometry.LABEL_FILL
    assert 0.5 < seen.mean() < 1
    np.testing.assert_array_equal(moved.images.numpy()[seen][:, 0], moved.labels.numpy()[seen] * 10.0)
    assert np.all(moved.images.numpy()[~seen] == geometry.IMAGE_FILL)
