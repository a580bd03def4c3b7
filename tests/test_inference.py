import keras
import numpy as np
import pixel_networks
import pytest
import tensorflow as tf

from udas_tf import inference
from udas_tf.models.kernels.upsampling import upsample

SIZE, CLASSES = (32, 48), 4


@pytest.fixture(scope="module")
def segmenter():
    return pixel_networks.by_colour(CLASSES)


@pytest.fixture(scope="module")
def images():
    return tf.constant(np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3)).astype(np.float32))


def test_constant_weights_are_those_at_the_time_of_tracing(images):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.Conv2D(2, 3, bias_initializer="ones")(inputs))

    @tf.function(autograph=False)
    def answer(images):
        with inference.constant_weights(network):
            return network(images)

    before = network(images)
    np.testing.assert_allclose(answer(images), before, rtol=1e-5, atol=1e-3)
    operations = [one.type for one in answer.get_concrete_function(images).graph.get_operations()]
    assert "Conv2D" in operations and "ReadVariableOp" not in operations
    for variable in network.variables:
        variable.assign(0.0 * variable)
    np.testing.assert_allclose(answer(images), before, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(network(images), 0.0 * before)


def test_logits_of_both_classifiers_at_the_images_size(segmenter, images):
    logits = inference.logits(segmenter, images)
    small = segmenter(images)
    assert set(logits) == {"primary", "auxiliary"}
    for level, values in logits.items():
        assert values.shape == (2, *SIZE, CLASSES) and values.dtype == tf.float32
        np.testing.assert_allclose(values, upsample(small[level], SIZE), rtol=1e-6)


def test_logits_of_any_size(segmenter, images):
    spec = tf.TensorSpec((None, None, None, 3), tf.float32)
    traced = tf.function(lambda x: inference.logits(segmenter, x), input_signature=[spec], autograph=False)
    for level, values in traced(images).items():
        np.testing.assert_allclose(values, inference.logits(segmenter, images)[level], atol=1e-5)
    assert traced(images[:1, :16, :24])["primary"].shape == (1, 16, 24, CLASSES)


def test_bytes_and_floats_give_the_same(segmenter, images):
    floats = inference.probabilities(segmenter, images)
    np.testing.assert_array_equal(inference.probabilities(segmenter, tf.cast(images, tf.uint8)), floats)


def test_confidence_and_class_are_the_largest_of_the_primary_probabilities(segmenter, images):
    logits = inference.logits(segmenter, images)["primary"].numpy().astype(np.float64)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(inference.probabilities(segmenter, images), expected, rtol=1e-4)
    confidence, label = inference.confidence_and_class(segmenter, images)
    assert confidence.dtype == tf.float32 and label.dtype == tf.uint8
    np.testing.assert_array_equal(label, expected.argmax(-1))
    np.testing.assert_allclose(confidence, expected.max(-1), rtol=1e-4)


def test_one_level(segmenter, images):
    alone = keras.Model(segmenter.input, {"primary": segmenter.output["primary"]})
    assert inference.levels(segmenter) == {"primary": "p", "auxiliary": "a"}
    assert inference.levels(alone) == {"primary": "p"}
    assert set(inference.logits(alone, images)) == {"primary"}
    np.testing.assert_array_equal(inference.probabilities(alone, images), inference.probabilities(segmenter, images))


def softmax_of(segmenter, images, size=SIZE):
    logits = upsample(segmenter(images)["primary"], size).numpy().astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def test_test_time_augmentation_averages_probabilities(segmenter, images):
    alone = inference.averaged_probabilities(segmenter, images, "none")
    np.testing.assert_allclose(alone, inference.probabilities(segmenter, images), rtol=1e-6)
    mirrored = softmax_of(segmenter, images.numpy()[:, :, ::-1])[:, :, ::-1]
    flip = (softmax_of(segmenter, images) + mirrored) / 2
    np.testing.assert_allclose(inference.averaged_probabilities(segmenter, images, "flip"), flip, rtol=1e-4)
    total = 2 * flip
    for size in ((24, 36), (40, 60)):  # three and five quarters of 32x48
        resized = tf.image.resize(images, size).numpy()
        total = total + softmax_of(segmenter, resized)
        total = total + softmax_of(segmenter, resized[:, :, ::-1])[:, :, ::-1]
    found = inference.averaged_probabilities(segmenter, images, "multi_scale")
    np.testing.assert_allclose(found, total / 6, rtol=1e-4)
    _, classes = inference.confidence_and_class(segmenter, tf.cast(images, tf.uint8), "multi_scale")
    assert classes.dtype == tf.uint8 and np.mean(classes == total.argmax(-1)) > 0.999


def test_predictions_in_another_size_come_from_the_logits(segmenter, images):
    size = (50, 70)
    expected = softmax_of(segmenter, images, size)
    confidence, classes = inference.confidence_and_class(segmenter, images, "none", size)
    assert classes.shape == (2, *size)
    np.testing.assert_allclose(confidence, expected.max(-1), rtol=1e-4)
    np.testing.assert_array_equal(classes, expected.argmax(-1))


def test_several_batches_in_one_pass_give_the_logits_of_each(segmenter, images):
    other = 255.0 - images[:1]
    together = inference.joint_logits(segmenter, images, other)
    for batch, found in zip((images, other), together, strict=True):
        for level, expected in inference.logits(segmenter, batch).items():
            np.testing.assert_allclose(found[level], expected, rtol=1e-4, atol=1e-5)


def test_terms_of_an_auxiliary_classifier_need_one(segmenter):
    weights = {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_kl": 0.2, "L_ent_p": 0.0}
    assert inference.used_terms(weights, segmenter) == {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_kl": 0.2}
    alone = keras.Model(segmenter.input, {"primary": segmenter.output["primary"]})
    assert inference.used_terms(weights, alone) == {"L_seg_p": 1.0}
