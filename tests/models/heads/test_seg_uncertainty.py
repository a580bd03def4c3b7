"""Seg-Uncertainty's network: parameter counts of the original, what each classifier reads, dropout."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_networks import small

from udas_tf.errors import UserError
from udas_tf.models import segmenter
from udas_tf.models.heads.seg_uncertainty import Config
from udas_tf.models.segmenter import classifier_variables


@pytest.fixture(scope="module")
def compact():
    return small("seg_uncertainty")


@pytest.fixture
def images():
    return np.random.default_rng(7).integers(0, 256, (2, 33, 48, 3)).astype("float32")


def head_parameters(channels, classes, squeeze_excite):
    """1x1 and four 3x3 branches of 256 filters, each with bias and norm; the 3x3 bottleneck to 512 alike; the
    squeeze to an 80th part of 1280 and back; classes without bias."""
    branches = 256 * (1 + 4 * 9) * channels + 5 * 3 * 256
    bottleneck = 9 * 1280 * 512 + 3 * 512
    squeezed = (1280 * 80 + 80 + 80 * 1280 + 1280) if squeeze_excite else 0
    return branches + bottleneck + squeezed + 512 * classes


@pytest.mark.parametrize("squeeze_excite", [True, False])
def test_parameters(squeeze_excite):
    model = small("seg_uncertainty", head_keys=Config(squeeze_excite=squeeze_excite))
    found = {
        level: sum(int(np.prod(v.shape)) for v in model.variables if v.path.startswith(level))
        for level in ("primary", "auxiliary")
    }
    # The compact backbone's third and fourth stage have 4 * 8 channels each, and the primary reads both.
    assert found == {
        "primary": head_parameters(64, 5, squeeze_excite),
        "auxiliary": head_parameters(32, 5, squeeze_excite),
    }


def test_sizes_and_levels(compact, images):
    assert {level: tuple(v.shape) for level, v in compact(images).items()} == {
        "primary": (2, 5, 7, 5),
        "auxiliary": (2, 5, 7, 5),
    }
    single = small("seg_uncertainty", auxiliary=False, output_stride=16)
    assert {level: tuple(v.shape) for level, v in single(images).items()} == {"primary": (2, 3, 4, 5)}


def test_the_primary_classifier_reads_the_fourth_stage_and_then_the_third(compact):
    fourth, third = compact.get_layer("stages").input
    assert third is compact.get_layer("layer3_0_relu").output
    assert fourth is compact.get_layer("layer4_0_relu").output


def test_gradients(compact, images):
    with tf.GradientTape(persistent=True) as tape:
        out = compact(images, training=True)
        losses = {level: tf.reduce_sum(v**2) for level, v in out.items()}
    variables = compact.trainable_variables
    untouched = {
        level: {
            v.path
            for v, g in zip(variables, tape.gradient(loss, [v.value for v in variables]), strict=True)
            if g is None
        }
        for level, loss in losses.items()
    }
    assert all(path.startswith("auxiliary_") for path in untouched["primary"])
    assert all(path.startswith(("layer4_", "primary_")) for path in untouched["auxiliary"])
    assert any(path.startswith("layer4_") for path in untouched["auxiliary"])


def test_all_of_the_classifiers_learns_faster(compact):
    classifiers = classifier_variables(compact)
    # Five branches and the bottleneck of four variables, squeeze and excite of two, the head of one.
    assert len(classifiers) == 2 * (6 * 4 + 2 * 2 + 1)


def test_dropout_in_training_only(compact, images):
    np.testing.assert_array_equal(compact(images)["primary"], compact(images)["primary"])
    first, second = (compact(images, training=True)["primary"].numpy() for _ in range(2))
    assert np.abs(first - second).max() > 1e-4 * np.abs(first).max()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_a_mixed_policy(images, policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = small("seg_uncertainty")
    finally:
        keras.config.set_dtype_policy(before)
    assert all(v.dtype == tf.float32 and np.isfinite(v).all() for v in model(images, training=True).values())


def test_weights_come_back(compact, images, tmp_path):
    compact(images, training=True)  # dropout has counted a call, which is no weight
    compact.save_weights(tmp_path / "network.weights.h5")
    other = small("seg_uncertainty")
    other.load_weights(tmp_path / "network.weights.h5")
    np.testing.assert_array_equal(other(images)["primary"], compact(images)["primary"])


def test_a_rate_is_needed():
    with pytest.raises(UserError, match="rates is empty; expected at least one dilation"):
        small("seg_uncertainty", head_keys=Config(rates=()))


def test_the_two_stages_must_have_one_size():
    with pytest.raises(UserError, match=r"theirs are strides 16 and 32; set model\.output_stride=16"):
        segmenter.build("efficientnet_lite0", "seg_uncertainty", output_stride=32)
