"""The losses in PyTorch and float64, written from the papers' equations with PyTorch's own functions.

A loss takes tensors whose gradients are wanted, and after them constants as numpy arrays and plain Python. Maps are
[B, H, W, C] and [B, H, W].
"""

import numpy as np
import torch
from torch.nn import functional as F

CRITERIA = {"bce": F.binary_cross_entropy_with_logits, "least_squares": F.mse_loss}


def gradients(loss, *inputs, **constants):
    """The value of a loss of this module, and its gradients to the inputs: numpy arrays of float64."""
    twins = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in inputs]
    value = globals()[loss](*twins, **constants)
    value.backward()
    return value.detach().numpy(), [twin.grad.numpy() for twin in twins]


def channels_first(tensor):
    return tensor.permute(0, 3, 1, 2)


# --- segmentation -------------------------------------------------------------------------------------------


def cross_entropy(x, labels):
    return F.cross_entropy(channels_first(x), torch.tensor(labels).long(), ignore_index=255)


def weighted_cross_entropy(x, labels, weights):
    """Divided by the number of pixels, where PyTorch's mean divides by the sum of their weights."""
    total = F.cross_entropy(
        channels_first(x),
        torch.tensor(labels).long(),
        torch.tensor(weights).double(),
        ignore_index=255,
        reduction="sum",
    )
    return total / np.sum(labels != 255)


def rectified_cross_entropy(x, other, labels, weights):
    disagreement = F.kl_div(F.log_softmax(x, -1), F.softmax(other, -1), reduction="none").sum(-1)
    costs = F.cross_entropy(
        channels_first(x),
        torch.tensor(labels).long(),
        weight=None if weights is None else torch.tensor(weights).double(),
        ignore_index=255,
        reduction="none",
    )
    return (costs * torch.exp(-disagreement) + disagreement)[torch.tensor(labels != 255)].mean()


def symmetric_divergence(primary, auxiliary):
    primary, auxiliary = F.log_softmax(primary, -1), F.log_softmax(auxiliary, -1)
    return -(auxiliary.exp() * primary + primary.exp() * auxiliary).sum(-1).mean()


def divergences_and_entropies(primary, auxiliary):
    """KLDivLoss in both directions, and the entropies that the text's form of L_kl adds to it."""
    primary, auxiliary = F.log_softmax(primary, -1), F.log_softmax(auxiliary, -1)
    total = 0.0
    for one, other in ((primary, auxiliary), (auxiliary, primary)):
        total = total + F.kl_div(one, other, reduction="sum", log_target=True)
        total = total - (other.exp() * other).sum()
    return total / primary[..., 0].numel()


def memory_regularization(primary, auxiliary):
    """The fixed mean's divergence from both classifiers, by KLDivLoss."""
    mean = F.softmax(0.5 * auxiliary + primary, -1).detach()
    both = (F.kl_div(F.log_softmax(x, -1), mean, reduction="sum") for x in (primary, auxiliary))
    return sum(both) / primary[..., 0].numel()


def consistency(student, teacher, counted):
    """KLDivLoss over the pixels in `counted`, bool [B, H, W]."""
    counted = torch.tensor(counted)
    student = F.log_softmax(student, -1)[counted]
    return F.kl_div(student, torch.tensor(teacher).double()[counted], reduction="batchmean")


# --- entropy ------------------------------------------------------------------------------------------------


def information(x):
    """The probabilities' surprise in bits, weighed by them, over the most that it can be."""
    p = F.softmax(x, -1)
    return p * torch.log2(1 / p) / np.log2(x.shape[-1])


def minent(x):
    return information(x).sum(-1).mean()


def advent(x, kernel, domain):
    """Through a discriminator of the maps: a strided convolution, as its first is."""
    scores = F.conv2d(channels_first(information(x)), kernel.permute(3, 2, 0, 1).contiguous(), stride=2)
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, domain))


# --- adversarial --------------------------------------------------------------------------------------------


def adversarial(*maps, domain, kind):
    """Each scale has its own mean, and the scales are summed."""
    return sum(CRITERIA[kind](scores, torch.full_like(scores, domain)) for scores in maps)


def discriminator(source, target, kind):
    """AdaptSegNet's: each domain's loss halved, and both gradients added up."""
    return adversarial(source, domain=0, kind=kind) / 2 + adversarial(target, domain=1, kind=kind) / 2


def through_the_softmax(x, weights):
    """Gradient to the segmenter's logits, through softmax and a linear discriminator."""
    return adversarial(F.softmax(x, -1) @ torch.tensor(weights).double(), domain=0, kind="bce")


# --- CycleGAN: its code's criteria are MSELoss and L1Loss, on images in [-1, 1] ------------------------------


def gan(x, real):
    return F.mse_loss(x, torch.full_like(x, real))


def reconstruction(a, b):
    return F.l1_loss(b / 127.5 - 1, a / 127.5 - 1)


def semantic(x, original):
    return F.cross_entropy(channels_first(x), torch.tensor(original).argmax(-1))


def cyclegan(weights, source, target):
    """The whole objective of generators tanh(x W + b) against discriminators 0.7 and -0.4 times the sum of a pixel.

    Args:
      weights: W and b of G, then of F.
      source, target: images in [0, 255].

    Returns:
      The terms by name, and the gradients of L_GAN_G + L_GAN_F + 10 L_cyc + 5 L_identity to the weights.
    """
    twins = [torch.tensor(values, dtype=torch.float64, requires_grad=True) for values in weights]
    source, target = (torch.tensor(images).double() / 127.5 - 1 for images in (source, target))

    def g(x):
        return torch.tanh(x @ twins[0] + twins[1])

    def f(x):
        return torch.tanh(x @ twins[2] + twins[3])

    fake_target, fake_source = g(source), f(target)
    terms = {
        "L_GAN_G": ((-0.4 * fake_target.sum(-1) - 1) ** 2).mean(),
        "L_GAN_F": ((0.7 * fake_source.sum(-1) - 1) ** 2).mean(),
        "L_cyc": F.l1_loss(f(fake_target), source) + F.l1_loss(g(fake_source), target),
        "L_identity": F.l1_loss(g(target), target) + F.l1_loss(f(source), source),
    }
    total = terms["L_GAN_G"] + terms["L_GAN_F"] + 10 * terms["L_cyc"] + 5 * terms["L_identity"]
    total.backward()
    return {name: term.item() for name, term in terms.items()}, [twin.grad.numpy() for twin in twins]
