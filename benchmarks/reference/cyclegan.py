"""A CycleGAN step in PyTorch, with identity loss and image pools."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from torch.nn.functional import l1_loss

from benchmarks.reference import networks, settings
from udas_tf.bench.measuring import Measured
from udas_tf.bench.workloads import Scale

LAMBDA_CYC, LAMBDA_IDENTITY, POOL = 10.0, 5.0, 50


def measure(scale: Scale, directory: Path, precision: str, mode: str) -> Measured:
    settings.prepare()
    to_target, to_source = (settings.channels_last(networks.generator(scale.width, scale.blocks)) for _ in range(2))
    of_target, of_source = (settings.channels_last(networks.patch_gan(scale.width)) for _ in range(2))
    generators, judges = [to_target, to_source], [of_target, of_source]
    judge_weights = [weight for judge in judges for weight in judge.parameters()]
    weights = [weight for network in generators for weight in network.parameters()]
    optimizer = torch.optim.Adam(weights, lr=2e-4, betas=(0.5, 0.999), fused=True)
    judge_optimizer = torch.optim.Adam(judge_weights, lr=2e-4, betas=(0.5, 0.999), fused=True)
    g, f, d_target, d_source = (settings.compiled(network, mode) for network in (*generators, *judges))
    source, target = (settings.images(scale.batch, scale.crop) / 127.5 - 1 for _ in range(2))
    pools = ([], [])

    def step():
        for weight in judge_weights:
            weight.requires_grad_(False)
        optimizer.zero_grad(set_to_none=True)
        with settings.autocast(precision):
            fake_target, fake_source = g(source), f(target)
            loss = (d_target(fake_target).float() - 1).square().mean()
            loss = loss + (d_source(fake_source).float() - 1).square().mean()
            loss = loss + LAMBDA_CYC * (l1_loss(f(fake_target), source) + l1_loss(g(fake_source), target))
            loss = loss + LAMBDA_IDENTITY * (l1_loss(f(source), source) + l1_loss(g(target), target))
        loss.backward()
        optimizer.step()
        for weight in judge_weights:
            weight.requires_grad_(True)
        judge_optimizer.zero_grad(set_to_none=True)
        with settings.autocast(precision):
            judged = 0.0
            for judge, pool, real, fake in zip(
                (d_target, d_source), pools, (target, source), (fake_target, fake_source), strict=True
            ):
                shown = _exchange(pool, fake.detach())
                scores = judge(torch.cat([real, shown])).float().chunk(2)
                judged = judged + 0.5 * ((scores[0] - 1).square().mean() + scores[1].square().mean())
        judged.backward()
        judge_optimizer.step()
        return loss, judged

    return Measured(settings.timed_steps(step, scale.seconds), {}, settings.peak_memory())


def _exchange(pool: list, images: torch.Tensor) -> torch.Tensor:
    shown = []
    for image in images.split(1):
        if len(pool) < POOL:
            pool.append(image)
        elif random.random() < 0.5:
            place = random.randrange(POOL)
            pool[place], image = image, pool[place]
        shown.append(image)
    return torch.cat(shown)
