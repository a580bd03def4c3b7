import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.methods.supervised import Supervised
from udas_tf.training import optimizers
from udas_tf.training.optimizers import SegmenterSGD

SIZE, CLASSES, LAMBDA, RATE, DECAY = (4, 6), 3, 0.1, 0.5, 0.01


def linear_segmenter():
    """Logits are linear in a pixel's colour: kernels [1, 1, 3, C] and biases [C], one of each a level."""
    keras.utils.set_random_seed(3)
    images = keras.Input((None, None, 3), dtype="float32")
    scaled = keras.layers.Rescaling(1 / 255)(images)
    outputs = {
        level: keras.layers.Activation("linear", dtype="float32", name=level)(
            keras.layers.Conv2D(CLASSES, 1, name=f"{level}_classifier_0")(scaled)
        )
        for level in ("primary", "auxiliary")
    }
    return keras.Model(images, outputs)


@pytest.fixture
def batch():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CLASSES, (2, *SIZE)).astype(np.uint8)
    labels[0, 1:3] = 255
    return {
        "image": tf.constant(rng.uniform(0, 255, (2, *SIZE, 3)), tf.float32),
        "label": tf.constant(labels),
    }


def method(rate=RATE, factors=None):
    segmenter = linear_segmenter()
    optimizer = optimizers.built(SegmenterSGD(rate, 0.9, DECAY, factors or {}), segmenter.trainable_variables)
    return Supervised(segmenter, optimizer, LAMBDA)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def by_hand(kernel, bias, batch):
    """Loss and its gradients for one level: dL/dlogits = (F - one_hot) / labelled pixels."""
    x = batch["image"].numpy().reshape(-1, 3).astype(np.float64) / 255
    y = batch["label"].numpy().ravel()
    x, y = x[y != 255], y[y != 255]
    probability = softmax(x @ kernel.reshape(3, CLASSES) + bias)
    loss = -np.log(probability[np.arange(len(y)), y]).mean()
    delta = (probability - np.eye(CLASSES)[y]) / len(y)
    return loss, (x.T @ delta).reshape(1, 1, 3, CLASSES), delta.sum(0)


def test_two_steps_are_those_computed_by_hand(batch):
    trained = method()
    levels = {
        level: [v.numpy().astype(np.float64) for v in trained.segmenter.get_layer(f"{level}_classifier_0").weights]
        for level in ("primary", "auxiliary")
    }
    velocity = {level: [0.0, 0.0] for level in levels}
    losses = {"L_seg_p": [], "L_seg_a": []}
    for _ in range(2):
        logs = trained.train_step(batch)
        for (level, weights), weight, name in zip(levels.items(), (1.0, LAMBDA), losses, strict=True):
            loss, *gradients = by_hand(*weights, batch)
            losses[name].append(loss)
            for i, gradient in enumerate(gradients):
                velocity[level][i] = 0.9 * velocity[level][i] + weight * gradient + DECAY * weights[i]
                weights[i] = weights[i] - RATE * velocity[level][i]
            for variable, expected in zip(
                trained.segmenter.get_layer(f"{level}_classifier_0").weights, weights, strict=True
            ):
                np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)
        # What is logged is unweighted, and the mean since the last reset.
        assert set(logs) == {"L_seg_p", "L_seg_a"}
        for name, values in losses.items():
            np.testing.assert_allclose(logs[name], np.mean(values), rtol=1e-5)


def test_nothing_labelled_moves_nothing_but_decay(batch):
    trained = method()
    before = [v.numpy() for v in trained.segmenter.trainable_variables]
    logs = trained.train_step(batch | {"label": tf.fill([2, *SIZE], tf.constant(255, tf.uint8))})
    assert all(float(value) == 0.0 for value in logs.values())
    for variable, old in zip(trained.segmenter.trainable_variables, before, strict=True):
        np.testing.assert_allclose(variable, old * (1 - RATE * DECAY), rtol=1e-6)


def test_fit_runs_the_step_and_resets_the_means_each_epoch(batch):
    fitted, stepped = method(), method()
    history = fitted.fit(tf.data.Dataset.from_tensors(batch).repeat(), epochs=2, steps_per_epoch=2, verbose=0).history
    means = []
    for _ in range(2):
        stepped.reset_metrics()
        for _ in range(2):
            logs = stepped.train_step(batch)
        means.append(float(logs["L_seg_p"]))
    assert set(history) == {"L_seg_p", "L_seg_a"}
    np.testing.assert_allclose(history["L_seg_p"], means, rtol=1e-5)
    assert int(fitted.optimizer.iterations) == 4
    for one, other in zip(fitted.segmenter.trainable_variables, stepped.segmenter.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_a_float16_step_is_the_float32_step(batch):
    reference = method()
    reference.train_step(batch)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        scaled = method()
    finally:
        keras.config.set_dtype_policy(before)
    assert isinstance(scaled.optimizer, keras.optimizers.LossScaleOptimizer)
    scaled.train_step(batch)
    assert int(scaled.optimizer.iterations) == 1
    for one, other in zip(scaled.segmenter.trainable_variables, reference.segmenter.trainable_variables, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-3)
    assert keras.config.dtype_policy().name == before.name


def test_one_level(batch):
    """The primary classifier learns as it does beside an auxiliary one."""
    both = method()
    one = linear_segmenter()
    one = keras.Model(one.input, {"primary": one.output["primary"]})
    optimizer = optimizers.built(SegmenterSGD(RATE, 0.9, DECAY, {}), one.trainable_variables)
    trained = Supervised(one, optimizer, LAMBDA)
    logs = trained.train_step(batch)
    assert set(logs) == {"L_seg_p"}
    np.testing.assert_allclose(logs["L_seg_p"], both.train_step(batch)["L_seg_p"], rtol=1e-6)
    for variable, other in zip(
        one.trainable_variables,
        both.segmenter.get_layer("primary_classifier_0").weights,
        strict=True,
    ):
        np.testing.assert_allclose(variable, other, rtol=1e-6)
