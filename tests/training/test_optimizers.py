import keras
import numpy as np
import pytest
import tensorflow as tf
from small_networks import small

from udas_tf.config import base_config
from udas_tf.models.segmenter import classifier_variables
from udas_tf.training import optimizers
from udas_tf.training.optimizers import ConstantThenLinear, SegmenterSGD, TorchAdam


@pytest.fixture(scope="module")
def segmenter():
    return small(num_classes=3)


@pytest.fixture
def mixed_float16():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture
def section():
    section = base_config().source.copy_and_resolve_references()
    section.steps = section.decay_steps = 10
    return section


def test_poly_by_hand():
    schedule = optimizers.poly(0.5, 10, 0.9)
    # 0.5 * (1 - t / 10)^0.9 at t = 0, 5, 10: 0.5, 0.5 * 0.535887, 0
    np.testing.assert_allclose([schedule(step) for step in (0, 5, 10)], [0.5, 0.267943, 0.0], rtol=1e-5)


def test_constant_then_linear_by_hand():
    schedule = ConstantThenLinear(0.2, constant_steps=4, steps=8)
    # 0.2 up to step 4, then a quarter of it less at each step, and never below 0.
    found = [float(schedule(step)) for step in (0, 3, 4, 5, 6, 7, 8, 9)]
    np.testing.assert_allclose(found, [0.2, 0.2, 0.2, 0.15, 0.1, 0.05, 0.0, 0.0], atol=1e-7)


@pytest.mark.parametrize("constant_steps", [0, 8])
def test_constant_then_linear_at_its_ends(constant_steps):
    schedule = ConstantThenLinear(0.2, constant_steps, 8)
    np.testing.assert_allclose(schedule(0), 0.2)
    assert np.isfinite(float(schedule(7))) and float(schedule(8)) == 0.0


def test_constant_then_linear_survives_saving():
    optimizer = keras.optimizers.Adam(ConstantThenLinear(0.2, 4, 8))
    restored = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    schedule = restored._learning_rate
    assert isinstance(schedule, ConstantThenLinear)
    np.testing.assert_allclose(schedule(6), 0.1)


def test_segmenter_sgd_is_pytorchs_rule():
    """torch.optim.SGD's documentation: g <- g + weight_decay * w; b <- momentum * b + g (b = g at first);
    w <- w - lr * b. The learning rate, which changes at every step, is outside the velocity."""
    momentum, decay, factor, steps = 0.9, 0.1, 10.0, 5
    rng = np.random.default_rng(0)
    starts = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (4,))]
    gradients = rng.normal(size=(steps, 10)).astype(np.float32)
    variables = [keras.Variable(start, name=name) for start, name in zip(starts, ("backbone", "head"), strict=True)]
    optimizer = SegmenterSGD(optimizers.poly(0.1, steps, 0.9), momentum, decay, {variables[1].path: factor})
    optimizer.build(variables)
    expected = [start.astype(np.float64) for start in starts]
    velocity = [np.zeros_like(w) for w in expected]
    for step in range(steps):
        parts = [gradients[step, :6].reshape(3, 2), gradients[step, 6:]]
        np.testing.assert_allclose(optimizers.current_learning_rate(optimizer), 0.1 * (1 - step / steps) ** 0.9)
        optimizer.apply([tf.constant(part) for part in parts], variables)
        for i, (gradient, own_factor) in enumerate(zip(parts, (1.0, factor), strict=True)):
            velocity[i] = momentum * velocity[i] + (gradient + decay * expected[i])
            expected[i] -= own_factor * 0.1 * (1 - step / steps) ** 0.9 * velocity[i]
        for variable, wanted in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable, wanted, rtol=1e-5, atol=1e-6)
    assert int(optimizer.iterations) == steps


def test_torch_adam_is_pytorchs_rule_for_gradients_small_and_large():
    """torch.optim.Adam's documentation: m <- b1 m + (1 - b1) g; v <- b2 v + (1 - b2) g^2;
    w <- w - lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + 1e-8)."""
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 4)) * [1.0, 1e-4, 1e-7, 1e-9]
    variable = keras.Variable(np.zeros(4, np.float32), name="w")
    optimizer = optimizers.built(TorchAdam(optimizers.poly(0.1, 8, 0.9), 0.9, 0.99), [variable])
    w, m, v = np.zeros(4), np.zeros(4), np.zeros(4)
    for step, gradient in enumerate(gradients, start=1):
        optimizer.apply([tf.constant(gradient, tf.float32)], [variable])
        m = 0.9 * m + 0.1 * gradient
        v = 0.99 * v + 0.01 * gradient**2
        rate = 0.1 * (1 - (step - 1) / 8) ** 0.9
        w -= rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.99**step)) + 1e-8)
        np.testing.assert_allclose(variable, w, rtol=1e-4, atol=1e-6)
    assert abs(w[3]) > 1e-3, "epsilon must not swallow the smallest"


def test_momentum_may_be_zero():
    variable = keras.Variable([1.0], name="w")
    optimizer = SegmenterSGD(0.1, 0.0, 0.5, {})
    optimizer.build([variable])
    for expected in (0.85, 0.7075):  # w - 0.1 * (1 + 0.5 * w), nothing carried over
        optimizer.apply([tf.constant([1.0])], [variable])
        np.testing.assert_allclose(variable, [expected], rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_a_variable_without_gradient_stays():
    variables = [keras.Variable([1.0], name="a"), keras.Variable([1.0], name="b")]
    optimizer = SegmenterSGD(0.1, 0.9, 0.5, {})
    optimizer.build(variables)
    optimizer.apply([tf.constant([1.0]), None], variables)
    # 1 - 0.1 * (1 + 0.5 * 1) = 0.85
    np.testing.assert_allclose([float(v[0]) for v in variables], [0.85, 1.0], rtol=1e-6)


def test_classifiers_learn_ten_times_faster(segmenter, section):
    section.weight_decay = 0.0
    optimizer = optimizers.segmenter_optimizer(section, segmenter)
    assert optimizer.built and isinstance(optimizer, SegmenterSGD)
    before = [variable.numpy() for variable in segmenter.trainable_variables]
    optimizer.apply([tf.ones(v.shape) for v in segmenter.trainable_variables], segmenter.trainable_variables)
    classifiers = {variable.path for variable in classifier_variables(segmenter)}
    assert len(classifiers) == 16
    for variable, old in zip(segmenter.trainable_variables, before, strict=True):
        factor = 10.0 if variable.path in classifiers else 1.0
        np.testing.assert_allclose(old - variable.numpy(), factor * section.learning_rate, rtol=1e-3)


def test_decay_of_the_config_enters_the_gradient(segmenter, section):
    section.weight_decay = 0.5
    optimizer = optimizers.segmenter_optimizer(section, segmenter)
    (kernel,) = (v for v in segmenter.trainable_variables if v.path == "conv1/kernel")
    before = kernel.numpy()
    optimizer.apply([tf.zeros(v.shape) for v in segmenter.trainable_variables], segmenter.trainable_variables)
    np.testing.assert_allclose(kernel, before * (1 - section.learning_rate * 0.5), rtol=1e-6)


def test_adamw_is_pytorchs_rule():
    """torch.optim.AdamW's documentation: w <- w - lr * decay * w, then Adam's step.

    At the first step m / (1 - b1) = g and v / (1 - b2) = g^2, so that Adam goes lr * sign(g).
    """
    variables = [keras.Variable([1.0, -2.0], name="backbone"), keras.Variable([1.0, -2.0], name="head")]
    optimizer = optimizers.built(TorchAdam(0.1, 0.9, 0.999, decay=0.5, factors={variables[1].path: 3.0}), variables)
    optimizer.apply([tf.constant([4.0, 0.5])] * 2, variables)
    # 0.95 * w - 0.1, and with the head's rate 0.85 * w - 0.3
    np.testing.assert_allclose(variables[0], [0.85, -2.0], rtol=1e-6)
    np.testing.assert_allclose(variables[1], [0.55, -2.0], rtol=1e-6)


def test_adamw_of_the_config(segmenter, section):
    section.optimizer = "adamw"
    optimizer = optimizers.segmenter_optimizer(section, segmenter)
    assert isinstance(optimizer, TorchAdam) and optimizer.built
    assert (optimizer.beta_1, optimizer.beta_2, optimizer.decay) == (0.9, 0.999, section.weight_decay)
    np.testing.assert_allclose(optimizers.current_learning_rate(optimizer), section.learning_rate)
    assert optimizer.factors == {v.path: section.head_lr_multiplier for v in classifier_variables(segmenter)}


def test_float32_is_not_scaled(segmenter, section):
    optimizer = optimizers.segmenter_optimizer(section, segmenter)
    assert float(optimizer.scale_loss(tf.constant(3.0))) == 3.0


def test_float16_is_scaled_and_the_learning_rate_still_shown(mixed_float16, section):
    variable = keras.Variable([1.0, 2.0], dtype="float32", name="w")
    optimizer = optimizers.built(SegmenterSGD(optimizers.poly(0.5, 10, 0.9), 0.9, 0.0, {}), [variable])
    assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) and optimizer.built
    scale = float(optimizer.scale_loss(tf.constant(1.0)))
    assert scale > 1.0
    np.testing.assert_allclose(optimizers.current_learning_rate(optimizer), 0.5)
    optimizer.apply([tf.constant([scale, 0.0])], [variable])
    np.testing.assert_allclose(variable, [0.5, 2.0])
    # A gradient that overflowed is not applied, and the scale is halved.
    optimizer.apply([tf.constant([np.inf, 0.0])], [variable])
    np.testing.assert_allclose(variable, [0.5, 2.0])
    assert float(optimizer.scale_loss(tf.constant(1.0))) == scale / 2
    np.testing.assert_allclose(optimizers.current_learning_rate(optimizer), 0.5 * 0.9**0.9)
