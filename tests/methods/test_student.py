import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import inference
from udas_tf.data.augment import geometry
from udas_tf.losses.segmentation import cross_entropy, rectified_cross_entropy
from udas_tf.losses.self_training import consistency
from udas_tf.methods.student import SelfTraining
from udas_tf.training import optimizers
from udas_tf.training.optimizers import SegmenterSGD

SIZE, CLASSES = (32, 48), 3
CLASS_WEIGHTS = np.array([0.5, 1.0, 2.0], np.float32)
WEIGHTS = {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_pseudo_p": 0.5, "L_pseudo_a": 0.05, "L_consistency": 0.2}


def small_segmenter():
    images = keras.Input((None, None, 3), dtype="float32")
    x = keras.layers.Rescaling(1 / 64, offset=-2.0)(images)
    x = keras.layers.Conv2D(4, 4, 4, activation="relu", name="first")(x)
    outputs = {
        level: keras.layers.Activation("linear", dtype="float32", name=level)(
            keras.layers.Conv2D(CLASSES, 1, name=f"{level}_classifier_0")(x)
        )
        for level in ("primary", "auxiliary")
    }
    return keras.Model(images, outputs)


def method(views=1, weights=None, seed=0):
    keras.utils.set_random_seed(0)
    student, teacher = small_segmenter(), small_segmenter()
    optimizer = optimizers.built(SegmenterSGD(0.1, 0.9, 0.0, {}), student.trainable_variables)
    return SelfTraining(student, teacher, optimizer, WEIGHTS | (weights or {}), CLASS_WEIGHTS, views, seed)


@pytest.fixture
def batch():
    """One labelled image moved 8 pixels to the left and one as it is, and two pseudo-labelled ones."""
    rng = np.random.default_rng(0)
    clean = rng.uniform(0, 255, (2, *SIZE, 3)).round().astype(np.float32)
    labels = rng.integers(0, CLASSES, (2, 2, *SIZE)).astype(np.uint8)
    labels[:, :, :3] = 255
    transform = geometry.horizontal_shift(tf.constant([8.0, 0.0]))
    return {
        "labelled": {
            "image": geometry.warp(tf.constant(clean), transform, fill=128),
            "label": geometry.warp(tf.constant(labels[0]), transform, fill=255),
            "clean": tf.constant(clean),
            "transform": transform,
        },
        "pseudo": {
            "image": tf.constant(rng.uniform(0, 255, (2, *SIZE, 3)).astype(np.float32)),
            "label": tf.constant(labels[1]),
        },
    }


def values(network):
    return [v.numpy() for v in network.variables]


def separate_terms(trained, batch):
    labelled = inference.logits(trained.segmenter, batch["labelled"]["image"], training=True)
    pseudo = inference.logits(trained.segmenter, batch["pseudo"]["image"], training=True)
    taught = inference.probabilities(trained.teacher, batch["labelled"]["clean"])
    moved = tf.concat([taught[:1, :, 8:], tf.zeros([1, SIZE[0], 8, CLASSES])], 2)
    taught = tf.concat([moved, taught[1:]], 0)
    return {
        "L_seg_p": cross_entropy(batch["labelled"]["label"], labelled["primary"]),
        "L_seg_a": cross_entropy(batch["labelled"]["label"], labelled["auxiliary"]),
        "L_pseudo_p": cross_entropy(batch["pseudo"]["label"], pseudo["primary"], CLASS_WEIGHTS),
        "L_pseudo_a": cross_entropy(batch["pseudo"]["label"], pseudo["auxiliary"], CLASS_WEIGHTS),
        "L_consistency": consistency(batch["labelled"]["label"], taught, labelled["primary"]),
    }


def test_terms_have_the_papers_names_and_are_logged_unweighted(batch):
    trained = method()
    expected = separate_terms(trained, batch)
    logs = trained.train_step(batch)
    assert set(logs) == set(WEIGHTS)
    for name, value in expected.items():
        assert float(value) > 0.0
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, err_msg=name)


def test_the_student_follows_the_weighted_sum_and_the_teacher_stays(batch):
    trained = method()
    student, teacher = values(trained.segmenter), values(trained.teacher)
    with tf.GradientTape() as tape:
        terms = separate_terms(trained, batch)
        loss = tf.add_n([weight * terms[name] for name, weight in WEIGHTS.items()])
    gradients = tape.gradient(loss, [v.value for v in trained.segmenter.trainable_variables])
    trained.train_step(batch)
    for variable, old, gradient in zip(trained.segmenter.trainable_variables, student, gradients, strict=True):
        np.testing.assert_allclose(old - variable.numpy(), 0.1 * gradient, rtol=1e-3, atol=1e-7)
        assert np.any(variable.numpy() != old)
    trained.train_step(batch)
    assert not trained.teacher.trainable_variables
    for variable, old in zip(trained.teacher.variables, teacher, strict=True):
        np.testing.assert_array_equal(variable, old)


def test_the_teachers_word_is_moved_with_the_pixels(batch):
    trained = method()
    labelled = batch["labelled"]
    taught = trained.teacher_distribution(labelled["clean"], labelled["transform"]).numpy()
    clean = inference.probabilities(trained.teacher, labelled["clean"]).numpy()
    np.testing.assert_allclose(taught[0, :, :-8], clean[0, :, 8:], rtol=1e-5)
    np.testing.assert_array_equal(taught[0, :, -8:], 0.0)
    np.testing.assert_allclose(taught[1], clean[1], rtol=1e-5)


def test_the_teachers_views_change_from_step_to_step(batch):
    trained = method(views=3)
    labelled = batch["labelled"]
    at_zero = trained.teacher_distribution(labelled["clean"], labelled["transform"]).numpy()
    again = trained.teacher_distribution(labelled["clean"], labelled["transform"]).numpy()
    np.testing.assert_array_equal(at_zero, again)
    trained.step.assign(1)
    assert np.any(trained.teacher_distribution(labelled["clean"], labelled["transform"]).numpy() != at_zero)


def test_pseudo_labels_below_the_threshold_everywhere_cost_nothing(batch):
    ignored = batch["pseudo"] | {"label": tf.fill([2, *SIZE], tf.constant(255, tf.uint8))}
    with_ignored, without = method(), method(weights={"L_pseudo_p": 0.0, "L_pseudo_a": 0.0})
    logs = with_ignored.train_step(batch | {"pseudo": ignored})
    without.train_step(batch)
    assert float(logs["L_pseudo_p"]) == float(logs["L_pseudo_a"]) == 0.0
    for one, other in zip(with_ignored.segmenter.variables, without.segmenter.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_without_any_label_nothing_moves(batch):
    nothing = tf.fill([2, *SIZE], tf.constant(255, tf.uint8))
    trained = method()
    before = values(trained.segmenter)
    logs = trained.train_step({part: content | {"label": nothing} for part, content in batch.items()})
    assert all(float(value) == 0.0 for value in logs.values())
    for variable, old in zip(trained.segmenter.variables, before, strict=True):
        np.testing.assert_array_equal(variable, old)


def test_a_float16_step_is_the_float32_step(batch):
    reference = method()
    before = values(reference.segmenter)
    reference.train_step(batch)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = method()
    finally:
        keras.config.set_dtype_policy(policy)
    scaled.optimizer.dynamic_scale.assign(2.0**8)
    scaled.train_step(batch)
    assert int(scaled.optimizer.iterations) == 1
    for found, wanted, old in zip(scaled.segmenter.variables, reference.segmenter.variables, before, strict=True):
        update = old - wanted.numpy()
        np.testing.assert_allclose(old - found.numpy(), update, atol=0.05 * np.abs(update).max())


def test_one_level(batch):
    networks = []
    keras.utils.set_random_seed(0)
    for network in (small_segmenter(), small_segmenter()):
        networks.append(keras.Model(network.input, {"primary": network.output["primary"]}))
    weights = {name: weight for name, weight in WEIGHTS.items() if not name.endswith("_a")}
    optimizer = optimizers.built(SegmenterSGD(0.1, 0.9, 0.0, {}), networks[0].trainable_variables)
    logs = SelfTraining(*networks, optimizer, weights, CLASS_WEIGHTS, 1, 0).train_step(batch)
    expected = method().train_step(batch)
    assert set(logs) == {"L_seg_p", "L_pseudo_p", "L_consistency"}
    for name, value in logs.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, err_msg=name)


def on_pseudo_alone(rectify):
    keras.utils.set_random_seed(0)
    student = small_segmenter()
    optimizer = optimizers.built(SegmenterSGD(0.1, 0.9, 0.0, {}), student.trainable_variables)
    weights = {"L_pseudo_p": 1.0, "L_pseudo_a": 0.5}
    return SelfTraining(student, None, optimizer, weights, CLASS_WEIGHTS, 1, 0, rectify)


def test_each_classifier_rectifies_the_other(batch):
    trained = on_pseudo_alone(rectify=True)
    logits = inference.logits(trained.segmenter, batch["pseudo"]["image"], training=True)
    label, primary, auxiliary = batch["pseudo"]["label"], logits["primary"], logits["auxiliary"]
    logs = trained.train_step(batch)
    for name, pair in (("L_pseudo_p", (primary, auxiliary)), ("L_pseudo_a", (auxiliary, primary))):
        expected = rectified_cross_entropy(label, *pair, CLASS_WEIGHTS)
        np.testing.assert_allclose(logs[name], expected, rtol=1e-4, err_msg=name)
        assert abs(float(expected) - float(cross_entropy(label, pair[0], CLASS_WEIGHTS))) > 1e-3


def test_without_terms_on_labelled_images_these_are_not_looked_at(batch):
    """Nor is there a teacher."""
    trained = on_pseudo_alone(rectify=False)
    logs = trained.train_step({"pseudo": batch["pseudo"]})
    expected = method().train_step(batch)
    assert set(logs) == {"L_pseudo_p", "L_pseudo_a"}
    for name, value in logs.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, err_msg=name)
