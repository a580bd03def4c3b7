"""How the losses are compared: inputs of many kinds, and the deviation of values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

TOLERANCE = 1e-5
CLASSES = 19
SIZES = [(2, 13, 25), pytest.param((2, 360, 640), marks=pytest.mark.slow)]


def logits(size, seed, scale=4.0):
    """float32 [B, H, W, C], from unsure to nearly sure."""
    return np.random.default_rng(seed).normal(0, scale, (*size, CLASSES)).astype(np.float32)


def labels(size, seed=0):
    """uint8 [B, H, W], a fifth of them ignored."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, CLASSES, size).astype(np.uint8)
    drawn[rng.uniform(size=size) < 0.2] = 255
    return drawn


def scores(seed, size=(2, 11, 20, 1)):
    """Logits of a discriminator, some of them sure."""
    return np.random.default_rng(seed).normal(0, 6, size).astype(np.float32)


def deviation(pytorch, reference, ours, *inputs, **constants):
    """The largest relative deviation of the value and of the gradients to the inputs.

    Args:
      pytorch: the fixture.
      reference: name of a function of torch_losses, of the inputs in float64 and the constants.
      ours: function of the inputs as float32 tensors of TensorFlow.
    """
    tensors = [tf.constant(values) for values in inputs]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = ours(*tensors)
    gradients = tape.gradient(value, tensors)
    expected, expected_gradients = pytorch("torch_losses.gradients", reference, *inputs, **constants)
    pairs = [(value, expected), *zip(gradients, expected_gradients, strict=True)]
    assert all(np.abs(wanted).max() > 0 for _, wanted in pairs), "a term without effect proves nothing"
    return max(np.abs(found.numpy() - wanted).max() / np.abs(wanted).max() for found, wanted in pairs)
