"""DeepLab v2: shapes, parameter counts, the two classifiers."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_networks import small

from udas_tf.errors import UserError
from udas_tf.models import segmenter
from udas_tf.models.heads import deeplab_v2
from udas_tf.models.segmenter import classifier_variables


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="module")
def compact():
    return small()


def head_parameters(channels, classes, rates):
    return rates * (9 * channels * classes + classes)


def test_resnet101():
    model = segmenter.build("resnet101", "deeplab_v2")
    # torchvision's ResNet-101 without its classifier, mean and variance of 52,672 channels, two heads.
    backbone = 44_549_160 - 2_049_000
    heads = head_parameters(1024, 19, 4) + head_parameters(2048, 19, 4)
    assert model.count_params() == backbone + 2 * 52_672 + heads
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == backbone - 2 * 52_672 + heads
    logits = model(np.zeros((1, 65, 97, 3), np.uint8))
    assert {level: tuple(v.shape) for level, v in logits.items()} == dict.fromkeys(
        ("primary", "auxiliary"), (1, 9, 13, 19)
    )


@pytest.mark.parametrize(("size", "logits"), [((321, 513), (41, 65)), ((96, 192), (13, 25)), ((97, 190), (13, 24))])
def test_sizes(compact, size, logits):
    out = compact(np.zeros((1, *size, 3), np.uint8))
    assert set(out) == {"primary", "auxiliary"}
    assert all(tuple(v.shape) == (1, *logits, 5) for v in out.values())


def test_uint8_and_float_images_agree(compact, rng):
    images = rng.integers(0, 256, (2, 33, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(compact(images)["primary"], compact(images.astype("float32"))["primary"])


def test_classifier_sums_its_branches(compact, rng):
    """The dictionary's logits are the sum of four convolutions of the features, each with its own rate and
    bias."""
    images = rng.uniform(0, 255, (1, 40, 56, 3)).astype("float32")
    parts = keras.Model(compact.input, [compact.get_layer(f"primary_classifier_{i}").output for i in range(4)])(images)
    np.testing.assert_allclose(compact(images)["primary"], sum(np.asarray(p) for p in parts), atol=1e-5)
    rates = [compact.get_layer(f"primary_classifier_{i}").dilation_rate[0] for i in range(4)]
    assert rates == [6, 12, 18, 24]


def test_published_heads_have_two_rates():
    model = small(head_keys=deeplab_v2.Config(deeplab_v2.PUBLISHED_RATES))
    heads = [layer for layer in model.layers if "_classifier_" in layer.name]
    assert sorted((layer.name, layer.dilation_rate[0]) for layer in heads) == [
        ("auxiliary_classifier_0", 6),
        ("auxiliary_classifier_1", 12),
        ("primary_classifier_0", 6),
        ("primary_classifier_1", 12),
    ]
    assert sum(int(np.prod(v.shape)) for layer in heads for v in layer.variables) == 2 * head_parameters(32, 5, 2)


def test_variables_by_learning_rate(compact):
    classifiers = classifier_variables(compact)
    assert len(classifiers) == 2 * 4 * 2
    assert not any(v.path.startswith(("conv1", "layer")) for v in classifiers)


def test_auxiliary_classifier_does_not_reach_the_last_block(compact):
    images = tf.random.stateless_uniform((1, 32, 32, 3), (1, 2), 0, 255)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(compact(images, training=True)["auxiliary"])
    gradients = tape.gradient(loss, [v.value for v in compact.trainable_variables])
    untouched = {v.path for v, g in zip(compact.trainable_variables, gradients, strict=True) if g is None}
    assert all(path.startswith(("layer4_", "primary_")) for path in untouched)
    assert any(path.startswith("layer4_") for path in untouched)


def test_logits_are_float32_under_a_mixed_policy(rng):
    policy = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = small()
    finally:
        keras.mixed_precision.set_dtype_policy(policy)
    out = model(rng.integers(0, 256, (1, 32, 32, 3), dtype=np.uint8))
    assert all(v.dtype == tf.float32 for v in out.values())
    assert model.get_layer("layer1_0_conv1").compute_dtype == "bfloat16"


def test_saved_and_loaded_again(compact, tmp_path, rng):
    images = rng.integers(0, 256, (1, 33, 40, 3), dtype=np.uint8)
    compact.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(images)["primary"], compact(images)["primary"])


def test_one_rate_is_too_few():
    with pytest.raises(UserError, match=r"rates=\(6,\); expected at least two dilations, such as \(6, 12, 18, 24\)"):
        small(head_keys=deeplab_v2.Config((6,)))


def test_one_level():
    model = small(auxiliary=False)
    assert set(model(np.zeros((1, 32, 32, 3), np.uint8))) == {"primary"}
    assert not any(v.path.startswith("auxiliary") for v in model.variables)
    assert len(classifier_variables(model)) == 4 * 2


@pytest.mark.parametrize(
    "build", [small, lambda **options: segmenter.build("efficientnet_lite0", "deeplab_v2", 5, **options)]
)
def test_output_stride_sixteen(build):
    model = build(output_stride=16)
    for size, logits in [((321, 513), (21, 33)), ((96, 192), (7, 13))]:
        out = model(np.zeros((1, *size, 3), np.uint8))
        assert all(tuple(v.shape) == (1, *logits, 5) for v in out.values())
