"""A step of output adaptation in PyTorch: one pass over source and target, two discriminators, symmetric KL."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn.functional import cross_entropy, log_softmax, softmax, softplus

from benchmarks.reference import networks, settings
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import Scale

LAMBDA_SEG = 0.1
WEIGHTS_ADV = (1e-3, 2e-4)
WEIGHT_KL = 0.1


def measure(scale: Scale, directory: Path, precision: str, mode: str, enlarged: int = 1) -> Measured:
    scale = scale.enlarged(enlarged)
    settings.prepare()
    segmenter = settings.channels_last(networks.DeepLab(scale.backbone, scale.width)).train().freeze_norms()
    judges = [settings.channels_last(networks.segmentation_discriminator(scale.width)) for _ in range(2)]
    judge_weights = [weight for judge in judges for weight in judge.parameters()]
    backbone = [weight for name, weight in segmenter.named_parameters() if not name.startswith("classifiers")]
    groups = [
        {"params": [weight for weight in backbone if weight.requires_grad]},
        {"params": segmenter.classifiers.parameters(), "lr": 2.5e-3},
    ]
    optimizer = torch.optim.SGD(groups, lr=2.5e-4, momentum=0.9, weight_decay=5e-4, fused=True)
    judge_optimizer = torch.optim.Adam(judge_weights, lr=1e-4, betas=(0.9, 0.99), fused=True)
    network, losses = settings.compiled(segmenter, mode), settings.compiled(_losses, mode)
    judge_losses = settings.compiled(_judge_losses, mode)

    images = settings.images(2 * scale.batch, scale.size)
    labels = torch.randint(0, networks.CLASSES, (scale.batch, *scale.size), device=settings.DEVICE)

    def step():
        optimizer.zero_grad(set_to_none=True)
        judge_optimizer.zero_grad(set_to_none=True)
        for weight in judge_weights:
            weight.requires_grad_(False)
        with settings.autocast(precision):
            logits = network(images)
            loss, probabilities = losses(judges, logits, labels)
        loss.backward()
        for weight in judge_weights:
            weight.requires_grad_(True)
        with settings.autocast(precision):
            judged = judge_losses(judges, [maps.detach() for maps in probabilities])
        judged.backward()
        optimizer.step()
        judge_optimizer.step()
        return loss, judged

    return Measured(settings.timed_steps(step, scale.seconds), {}, settings.peak_memory())


def _losses(judges, small_logits, labels):
    """The segmenter's total loss, and the softmax maps of both domains at each level."""
    batch = len(labels)
    total, maps, targets = 0.0, [], []
    for judge, weight_seg, weight_adv, small in zip(judges, (1.0, LAMBDA_SEG), WEIGHTS_ADV, small_logits, strict=True):
        logits = networks.upsample(small, labels.shape[1:])
        total = total + weight_seg * cross_entropy(logits[:batch], labels, ignore_index=255)
        probabilities = softmax(logits, 1)
        maps.append(probabilities)
        targets.append((probabilities[batch:], log_softmax(logits[batch:], 1)))
        total = total + weight_adv * softplus(judge(probabilities[batch:]).float()).mean()
    (p, log_p), (a, log_a) = targets
    return total - WEIGHT_KL * (a * log_p + p * log_a).sum(1).mean(), maps


def _judge_losses(judges, maps):
    total = 0.0
    for judge, probabilities in zip(judges, maps, strict=True):
        source, target = judge(probabilities).float().chunk(2)
        total = total + 0.5 * (softplus(source).mean() + softplus(-target).mean())
    return total
