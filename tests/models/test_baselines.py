"""The supervised baselines: sizes, gradients, no network; DeepLab v3+ against keras-cv's own."""

import socket
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.models import baselines, deeplab_v2

COMPACT = {"width": 8, "blocks": (1, 1, 1, 1)}
CLASSES = 5


@pytest.fixture
def images():
    return np.random.default_rng(7).integers(0, 256, (2, 33, 70, 3)).astype("float32")


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise OSError("the test has no network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture
def v3_plus(offline):
    pytest.importorskip("keras_cv")
    return baselines.deeplab_v3_plus(CLASSES, width=16, blocks=(1, 1, 1, 1))


def assert_gradients_reach_everything(model, images):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True)["primary"] ** 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None and float(tf.reduce_max(tf.abs(gradient))) > 0, variable.path


# --- FCN ----------------------------------------------------------------------------------------------------


def test_fcn_on_resnet50(offline):
    model = baselines.fcn(19)
    backbone = 25_557_032 - 2_049_000 + 2 * 26_560  # see test_resnet.py
    assert model.count_params() == backbone + 9 * 2048 * 512 + 2 * 512 + 512 * 19 + 19
    assert set(model.output) == {"primary"}


def test_fcn_trains(images):
    model = baselines.fcn(CLASSES, "compact", dropout=0.0, **COMPACT)
    assert model(images)["primary"].shape == (2, 5, 9, CLASSES)
    assert_gradients_reach_everything(model, images)
    assert len(deeplab_v2.classifier_variables(model)) == 5  # kernel; gamma, beta; kernel, bias


def test_fcn_at_output_stride_sixteen(images):
    model = baselines.fcn(CLASSES, "compact", output_stride=16, **COMPACT)
    assert model(images)["primary"].shape == (2, 3, 5, CLASSES)


# --- DeepLab v3+ --------------------------------------------------------------------------------------------


def test_v3_plus_answers_at_the_images_size(v3_plus, images):
    for height, width in [(33, 70), (64, 96), (20, 31)]:
        maps = v3_plus(np.resize(images, (1, height, width, 3)))
        assert set(maps) == {"primary"} and maps["primary"].shape == (1, height, width, CLASSES)
        assert maps["primary"].dtype == tf.float32
    np.testing.assert_array_equal(v3_plus(images.astype(np.uint8))["primary"], v3_plus(images)["primary"])


def test_v3_plus_in_a_graph_of_unknown_sizes(v3_plus, images):
    spec = [tf.TensorSpec((None, None, None, 3))]
    traced = tf.function(lambda x: v3_plus(x)["primary"], input_signature=spec, autograph=False)
    expected = v3_plus(images)["primary"]
    np.testing.assert_allclose(traced(images), expected, atol=1e-4 * np.abs(expected).max())


def test_v3_plus_is_keras_cvs(v3_plus, images):
    """Its default head with softmax, on a size that needs no padding."""
    import keras_cv

    backbone = keras_cv.models.ResNetBackbone(
        stackwise_filters=[16, 32, 64, 128],
        stackwise_blocks=[1, 1, 1, 1],
        stackwise_strides=[1, 2, 2, 2],
        include_rescaling=True,
    )
    original = keras_cv.models.DeepLabV3Plus(backbone=backbone, num_classes=CLASSES)
    rng = np.random.default_rng(0)
    weights = [w * rng.uniform(0.5, 1.5, w.shape).astype(w.dtype) for w in v3_plus.get_weights()]
    v3_plus.set_weights(weights)
    original.set_weights(weights)
    whole = np.resize(images, (2, 64, 96, 3))
    found, expected = tf.nn.softmax(v3_plus(whole)["primary"]), original(whole)
    assert np.std(expected, axis=(1, 2)).max() > 1e-3, "the answer is the same everywhere"
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_v3_plus_trains(v3_plus, images):
    means = [v.numpy() for v in v3_plus.non_trainable_variables]
    assert_gradients_reach_everything(v3_plus, images)
    assert all(np.any(v != old) for v, old in zip(v3_plus.non_trainable_variables, means, strict=True))
    head = {v.path.rsplit("/", 2)[-2] for v in deeplab_v2.classifier_variables(v3_plus)}
    assert head == {"segmentation_head_conv", "segmentation_head_norm", "segmentation_output"}


def test_v3_plus_in_half_precision(images, offline):
    pytest.importorskip("keras_cv")
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = baselines.deeplab_v3_plus(CLASSES, width=16, blocks=(1, 1, 1, 1))
    finally:
        keras.config.set_dtype_policy(before)
    logits = model(images, training=True)["primary"]
    assert logits.dtype == tf.float32 and np.isfinite(logits).all()


def test_v3_plus_weights_come_back(v3_plus, images, tmp_path):
    v3_plus.save_weights(tmp_path / "network.weights.h5")
    other = baselines.deeplab_v3_plus(CLASSES, width=16, blocks=(1, 1, 1, 1))
    other.load_weights(tmp_path / "network.weights.h5")
    np.testing.assert_array_equal(other(images)["primary"], v3_plus(images)["primary"])


def test_keras_cv_is_asked_for(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    with pytest.raises(UserError, match=r"pip install 'udas_tf\[baselines\]'"):
        baselines.deeplab_v3_plus()


@pytest.mark.parametrize(("size", "padded"), [((64, 32), (64, 32)), ((33, 31), (64, 32))])
def test_padding_repeats_the_border(size, padded):
    image = np.random.default_rng(0).uniform(size=(1, *size, 2)).astype("float32")
    layer = baselines.PadToMultiple(32)
    out = layer(image)
    down, right = padded[0] - size[0], padded[1] - size[1]
    np.testing.assert_array_equal(out, np.pad(image, ((0, 0), (0, down), (0, right), (0, 0)), mode="edge"))
    assert layer.compute_output_shape(image.shape) == out.shape
    assert layer.compute_output_shape((None, None, size[1], 2)) == (None, None, padded[1], 2)
