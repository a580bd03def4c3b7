"""The losses of AdvEnt, MinEnt, Seg-Uncertainty and CyCADA, and their gradients, against PyTorch in float64."""

import numpy as np
import pytest
import tensorflow as tf
from loss_deviation import CLASSES, SIZES, TOLERANCE, deviation, labels, logits

from udas_tf.losses import adversarial, cycle
from udas_tf.losses.adversarial import SOURCE, TARGET
from udas_tf.losses.entropy import entropy, self_information
from udas_tf.losses.segmentation import memory_regularization, rectified_cross_entropy


@pytest.mark.parametrize("size", SIZES)
def test_minent(pytorch, size, within):
    within(deviation(pytorch, "minent", entropy, logits(size, 1)), TOLERANCE)


@pytest.mark.parametrize("domain", [SOURCE, TARGET])
def test_advent(pytorch, domain, within):
    """Through a discriminator of the maps: a strided convolution, as its first is."""
    kernel = np.random.default_rng(0).normal(0, 1, (4, 4, CLASSES, 1)).astype(np.float32)

    def ours(x, kernel):
        scores = tf.nn.conv2d(self_information(x), kernel, strides=2, padding="VALID")
        return adversarial.adversarial([scores], domain, "bce")

    within(deviation(pytorch, "advent", ours, logits((2, 13, 25), 1), kernel, domain=domain), TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_memory_regularization(pytorch, size, within):
    """The fixed mean's divergence from both classifiers."""
    found = deviation(pytorch, "memory_regularization", memory_regularization, logits(size, 1), logits(size, 2))
    within(found, TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("weighted", [False, True])
def test_rectified_cross_entropy(pytorch, size, weighted, within):
    given = labels(size)
    weights = np.linspace(0.2, 4, CLASSES).astype(np.float32) if weighted else None
    class_weights = tf.constant(weights) if weighted else None
    found = deviation(
        pytorch,
        "rectified_cross_entropy",
        lambda x, other: rectified_cross_entropy(tf.constant(given), x, other, class_weights),
        logits(size, 1),
        logits(size, 2),
        labels=given,
        weights=weights,
    )
    within(found, TOLERANCE)


def test_semantic_consistency(pytorch, within):
    original = logits((2, 13, 25), 1)
    found = deviation(
        pytorch,
        "semantic",
        lambda x: cycle.semantic(tf.constant(original), x),
        logits((2, 13, 25), 2),
        original=original,
    )
    within(found, TOLERANCE)
