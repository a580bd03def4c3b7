"""The losses of AdvEnt, MinEnt, Seg-Uncertainty and CyCADA, and their gradients, against PyTorch in float64.

Each twin is written from the papers' equations with PyTorch's own functions.
"""

import numpy as np
import pytest
import tensorflow as tf
from test_parity_losses import SIZES, TOLERANCE, channels_first, deviation, labels, logits

from udas_tf.losses import adversarial, cycle
from udas_tf.losses.adversarial import SOURCE, TARGET
from udas_tf.losses.entropy import entropy, self_information
from udas_tf.losses.segmentation import memory_regularization, rectified_cross_entropy

torch = pytest.importorskip("torch")
F = torch.nn.functional


def information(x):
    """The probabilities' surprise in bits, weighed by them, over the most that it can be."""
    p = F.softmax(x, -1)
    return p * torch.log2(1 / p) / np.log2(x.shape[-1])


@pytest.mark.parametrize("size", SIZES)
def test_minent(size, within):
    within(deviation(entropy, lambda x: information(x).sum(-1).mean(), logits(size, 1)), TOLERANCE)


@pytest.mark.parametrize("domain", [SOURCE, TARGET])
def test_advent(domain, within):
    """Through a discriminator of the maps: a strided convolution, as its first is."""
    kernel = np.random.default_rng(0).normal(0, 1, (4, 4, 19, 1)).astype(np.float32)

    def ours(x, kernel):
        scores = tf.nn.conv2d(self_information(x), kernel, strides=2, padding="VALID")
        return adversarial.adversarial([scores], domain, "bce")

    def theirs(x, kernel):
        scores = F.conv2d(channels_first(information(x)), kernel.permute(3, 2, 0, 1).contiguous(), stride=2)
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, domain))

    within(deviation(ours, theirs, logits((2, 13, 25), 1), kernel), TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
def test_memory_regularization(size, within):
    """The fixed mean's divergence from both classifiers, by KLDivLoss."""

    def theirs(primary, auxiliary):
        mean = F.softmax(0.5 * auxiliary + primary, -1).detach()
        both = (F.kl_div(F.log_softmax(x, -1), mean, reduction="sum") for x in (primary, auxiliary))
        return sum(both) / primary[..., 0].numel()

    within(deviation(memory_regularization, theirs, logits(size, 1), logits(size, 2)), TOLERANCE)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("weighted", [False, True])
def test_rectified_cross_entropy(size, weighted, within):
    given = labels(size)
    weights = np.linspace(0.2, 4, 19).astype(np.float32) if weighted else None

    def theirs(x, other):
        disagreement = F.kl_div(F.log_softmax(x, -1), F.softmax(other, -1), reduction="none").sum(-1)
        costs = F.cross_entropy(
            channels_first(x), torch.tensor(given).long(), ignore_index=255, reduction="none",
            weight=torch.tensor(weights).double() if weighted else None,
        )  # fmt: skip
        return (costs * torch.exp(-disagreement) + disagreement)[torch.tensor(given != 255)].mean()

    class_weights = tf.constant(weights) if weighted else None
    found = deviation(
        lambda x, other: rectified_cross_entropy(tf.constant(given), x, other, class_weights),
        theirs,
        logits(size, 1),
        logits(size, 2),
    )
    within(found, TOLERANCE)


def test_semantic_consistency(within):
    original = logits((2, 13, 25), 1)
    found = deviation(
        lambda x: cycle.semantic(tf.constant(original), x),
        lambda x: F.cross_entropy(channels_first(x), torch.tensor(original).argmax(-1)),
        logits((2, 13, 25), 2),
    )
    within(found, TOLERANCE)
