import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import inference
from udas_tf.data import augment, geometry
from udas_tf.models.deeplab_v2 import upsample

SIZE, CLASSES = (32, 48), 4


@pytest.fixture(scope="module")
def segmenter():
    """Reads classes from colours, at a quarter of the size (auxiliary) and an eighth (primary)."""
    keras.utils.set_random_seed(0)
    images = keras.Input((None, None, 3), dtype="float32")
    scaled = keras.layers.Rescaling(1 / 64, offset=-2.0)(images)
    outputs = {
        level: keras.layers.Conv2D(
            CLASSES, stride, stride, kernel_initializer=keras.initializers.RandomNormal(0.2)
        )(scaled)
        for level, stride in (("primary", 8), ("auxiliary", 4))
    }
    return keras.Model(images, outputs)


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


def test_one_view_is_the_prediction_itself(segmenter, images):
    label, confidence, shared, _ = inference.pseudo_label(segmenter, images, 1, tf.constant([0, 1]))
    assert not shared.numpy().any()
    expected_confidence, expected_label = inference.confidence_and_class(segmenter, images)
    np.testing.assert_array_equal(label, expected_label)
    np.testing.assert_allclose(confidence, expected_confidence, rtol=1e-5)


def pixel_by_pixel(segmenter, images, views, seed):
    """Each view's probabilities warped back, then those of the most confident view that saw the pixel."""
    augmented, transforms = augment.k_views(images, views, seed)
    best = np.zeros((2, *SIZE, CLASSES), np.float32)
    unseen = 0
    for view in range(views):
        back, seen = geometry.warp_back(inference.probabilities(segmenter, augmented[view]), transforms[view])
        better = seen.numpy() & (back.numpy().max(-1) > best.max(-1))
        best[better] = back.numpy()[better]
        unseen += np.count_nonzero(~seen.numpy())
    return best, unseen


def test_pseudo_labels_and_distributions_are_of_the_most_confident_view(segmenter, images):
    unseen = 0
    for number in range(4):
        seed = tf.constant([3, number])
        expected, hidden = pixel_by_pixel(segmenter, images, 3, seed)
        unseen += hidden
        label, confidence, _, _ = inference.pseudo_label(segmenter, images, 3, seed)
        assert label.dtype == tf.uint8 and confidence.dtype == tf.float32
        np.testing.assert_allclose(confidence, expected.max(-1), rtol=1e-4)
        # Where two classes are as good as equal, either is right.
        chosen = np.take_along_axis(expected, label.numpy()[..., np.newaxis].astype(int), -1)[..., 0]
        np.testing.assert_allclose(chosen, expected.max(-1), rtol=1e-4)
        distribution = inference.maximum_confidence_distribution(segmenter, images, 3, seed)
        assert distribution.shape == (2, *SIZE, CLASSES)
        np.testing.assert_allclose(distribution, expected, atol=1e-5)
        np.testing.assert_allclose(distribution.numpy().sum(-1), 1.0, rtol=1e-5)
        weak, _ = inference.confidence_and_class(segmenter, images)
        assert np.all(confidence.numpy() >= weak.numpy() - 1e-5)
    assert unseen > 0, "no view moved its pixels: the test saw nothing"


def test_pseudo_labels_follow_from_the_seed(segmenter, images):
    first, again, other = (
        inference.pseudo_label(segmenter, images, 3, tf.constant(seed))[1].numpy()
        for seed in ([1, 2], [1, 2], [1, 3])
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_one_level(segmenter, images):
    alone = keras.Model(segmenter.input, {"primary": segmenter.output["primary"]})
    assert inference.levels(segmenter) == {"primary": "p", "auxiliary": "a"}
    assert inference.levels(alone) == {"primary": "p"}
    assert set(inference.logits(alone, images)) == {"primary"}
    np.testing.assert_array_equal(
        inference.probabilities(alone, images), inference.probabilities(segmenter, images)
    )


def test_where_views_agree_pixel_by_pixel(segmenter, images):
    seed = tf.constant([3, 1])
    found = inference.pseudo_label(segmenter, images, 3, seed)
    augmented, transforms = augment.k_views(images, 3, seed)
    said = [[set(), 0] for _ in range(2 * SIZE[0] * SIZE[1])]
    for view in range(3):
        _, label = inference.confidence_and_class(segmenter, augmented[view])
        back, seen = geometry.warp_back(tf.cast(label, tf.float32)[..., tf.newaxis], transforms[view])
        for pixel, class_, visible in zip(said, back.numpy().ravel(), seen.numpy().ravel(), strict=True):
            if visible:
                pixel[0].add(class_)
                pixel[1] += 1
    np.testing.assert_array_equal(found.shared.numpy().ravel(), [count >= 2 for _, count in said])
    agreeing = [count >= 2 and len(classes) == 1 for classes, count in said]
    np.testing.assert_array_equal(found.agreeing.numpy().ravel(), agreeing)
    assert 0 < np.sum(agreeing) < len(said)


def softmax_of(segmenter, images, size=SIZE):
    logits = upsample(segmenter(images)["primary"], size).numpy().astype(np.float64)
    return np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)


def test_views_are_averaged_as_probabilities(segmenter, images):
    plain = inference.averaged_probabilities(segmenter, images, "plain")
    np.testing.assert_allclose(plain, inference.probabilities(segmenter, images), rtol=1e-6)
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
    confidence, classes = inference.confidence_and_class(segmenter, images, "plain", size)
    assert classes.shape == (2, *size)
    np.testing.assert_allclose(confidence, expected.max(-1), rtol=1e-4)
    np.testing.assert_array_equal(classes, expected.argmax(-1))
