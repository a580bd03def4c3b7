"""DeepLab v3+: sizes, gradients, no network; on keras-cv's backbone against keras-cv's own."""

import socket
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_networks import small

from udas_tf.errors import UserError
from udas_tf.models import segmenter
from udas_tf.models.backbones import keras_cv_resnet50
from udas_tf.models.segmenter import classifier_variables

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
def build(offline, monkeypatch):
    """A function that builds it on a small backbone."""
    pytest.importorskip("keras_cv")
    monkeypatch.setattr(keras_cv_resnet50, "WIDTH", 16)
    monkeypatch.setattr(keras_cv_resnet50, "BLOCKS", (1, 1, 1, 1))
    return lambda head="deeplab_v3_plus": segmenter.build("keras_cv_resnet50", head, CLASSES, output_stride=32)


@pytest.fixture
def v3_plus(build):
    return build()


def assert_gradients_reach_everything(model, images):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True)["primary"] ** 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None and float(tf.reduce_max(tf.abs(gradient))) > 0, variable.path


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
    head = {v.path.rsplit("/", 2)[-2] for v in classifier_variables(v3_plus)}
    assert head == {"segmentation_head_conv", "segmentation_head_norm", "segmentation_output"}


def test_v3_plus_in_half_precision(images, build):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(before)
    logits = model(images, training=True)["primary"]
    assert logits.dtype == tf.float32 and np.isfinite(logits).all()


def test_v3_plus_weights_come_back(v3_plus, build, images, tmp_path):
    v3_plus.save_weights(tmp_path / "network.weights.h5")
    other = build()
    other.load_weights(tmp_path / "network.weights.h5")
    np.testing.assert_array_equal(other(images)["primary"], v3_plus(images)["primary"])


@pytest.mark.parametrize(("backbone", "output_stride"), [("keras_cv_resnet50", 32), ("compact", 8)])
def test_keras_cv_is_asked_for(monkeypatch, backbone, output_stride):
    monkeypatch.setitem(sys.modules, "keras_cv", None)
    with pytest.raises(UserError, match=r"pip install 'udas_tf\[baselines\]'"):
        segmenter.build(backbone, "deeplab_v3_plus", output_stride=output_stride)


@pytest.mark.parametrize("size", [(33, 70), (64, 96)])
def test_on_a_backbone_whose_cells_do_not_tile_the_image(offline, size):
    pytest.importorskip("keras_cv")
    model = small("deeplab_v3_plus")
    assert model(np.zeros((1, *size, 3), np.uint8))["primary"].shape == (1, *size, 5)
    assert all(model.get_layer(name).corners for name in ("coarse", "enlarged"))


def test_another_head_on_cells_that_tile_the_image_answers_at_its_size(build, images):
    model = build("fcn")
    assert model(images)["primary"].shape == (*images.shape[:3], CLASSES)
    assert model.get_layer("primary_enlarged").corners is False
