"""Pseudo-labels in PyTorch: K views an image through the network, brought back, the surest kept, saved as PNGs."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.reference import networks, settings
from benchmarks.reference.infer import fold
from benchmarks.reference.pillow_policy import auto_augment, warp
from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, timed
from udas_tf.bench.workloads import Scale


def measure(scale: Scale, directory: Path, precision: str, mode: str) -> Measured:
    settings.prepare()
    network = networks.DeepLab(scale.backbone, scale.width).eval()
    fold(network)
    predict = settings.compiled(settings.channels_last(network).predict, mode)
    pictures = [Image.fromarray(array) for array in fixtures.pictures(scale.images, scale.size)]
    rng, output, numbers = random.Random(0), directory / "pseudo_labels", iter(range(1_000_000))
    output.mkdir(exist_ok=True)

    def label_one():
        number = next(numbers)
        image = pictures[number % len(pictures)]
        views = [(image, np.eye(3)[:2])] + [auto_augment(image, rng) for _ in range(scale.views - 1)]
        stacked = torch.from_numpy(np.stack([np.asarray(view) for view, _ in views])).to(settings.DEVICE)
        classes, confidences = predict(stacked.permute(0, 3, 1, 2).float())
        best, label = _surest(classes.cpu().numpy(), confidences.cpu().numpy(), [moved for _, moved in views])
        Image.fromarray(label).save(output / f"{number}_label.png")
        Image.fromarray(np.uint8(np.round(255 * best))).save(output / f"{number}_confidence.png")

    with torch.inference_mode(), settings.autocast(precision):
        seconds = timed(label_one, 1, scale.seconds)
    return Measured(seconds, {}, settings.peak_memory())


def _surest(classes, confidences, moves):
    best, label = confidences[0].astype(np.float32), classes[0].copy()
    for view, confidence, moved in zip(classes[1:], confidences[1:], moves[1:], strict=True):
        back = np.linalg.inv(np.vstack([moved, (0, 0, 1)]))[:2]
        confidence = np.asarray(warp(Image.fromarray(confidence.astype(np.float32)), back, -1))
        surer = confidence > best
        best = np.where(surer, confidence, best)
        label = np.where(surer, np.asarray(warp(Image.fromarray(view), back, 0)), label)
    return best, label
