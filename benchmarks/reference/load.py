"""Training batches by a DataLoader with Pillow: AutoAugment, Domain CutMix, the unlabelled target beside them."""

from __future__ import annotations

import math
import os
import random
import resource
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from benchmarks.reference.pillow_policy import auto_augment, warp
from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale

BATCHES = 8
MEAN, DEVIATION = np.float32((123.675, 116.28, 103.53)), np.float32((58.395, 57.12, 57.375))


class Mixed(Dataset):
    """Source with a box of labelled target, augmented; and an unlabelled target image."""

    def __init__(self, files, size):
        self.files, self.size = files, size

    def __len__(self):
        return 1_000_000

    def __getitem__(self, index):
        rng = random.Random(index)
        source, label = self._read("sim", rng)
        labelled, mixed_in = self._read("real", rng)
        box = _box(self.size, rng)
        image, label = np.array(source), np.array(label)
        image[box], label[box] = np.asarray(labelled)[box], np.asarray(mixed_in)[box]
        image, label = Image.fromarray(image), Image.fromarray(label)
        if rng.random() < 0.5:
            image, label = (one.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for one in (image, label))
        image, moved = auto_augment(image, rng)
        label = torch.from_numpy(np.array(warp(label, moved, 255), np.int64))
        target, _ = self._read("real", rng, labels=False)
        if rng.random() < 0.5:
            target = target.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return _tensor(image), label, _tensor(target)

    def _read(self, domain: str, rng: random.Random, labels: bool = True):
        images, maps = self.files[domain]
        index = rng.randrange(len(images))
        image = _sized(Image.open(images[index]).convert("RGB"), self.size, Image.Resampling.BILINEAR)
        return image, _sized(Image.open(maps[index]), self.size, Image.Resampling.NEAREST) if labels else None


def measure(scale: Scale, directory: Path, resized: bool) -> Measured:
    torch.set_num_threads(1)
    files = (fixtures.resized_files if resized else fixtures.original_files)(directory, scale)
    workers = len(os.sched_getaffinity(0))
    loader = DataLoader(Mixed(files, scale.size), scale.loaded_batch, num_workers=workers)
    seconds = _timed_batches(loader, scale)
    return Measured(seconds, {}, peak_memory() + workers * peak_memory(resource.RUSAGE_CHILDREN))


def _timed_batches(loader: DataLoader, scale: Scale) -> list[float]:
    """Seconds an image. The loader's workers, whose memory is known at their end, end with this function."""
    batches = iter(loader)

    def take():
        for _ in range(BATCHES):
            next(batches)

    return timed(take, BATCHES * 3 * scale.loaded_batch, scale.seconds)


def _sized(image: Image.Image, size, resampling) -> Image.Image:
    return image if image.size == size[::-1] else image.resize(size[::-1], resampling)


def _box(size, rng: random.Random) -> tuple[slice, slice]:
    share = math.sqrt(1 - rng.random())
    slices = []
    for extent in size:
        centre, half = rng.random() * extent, extent * share / 2
        slices.append(slice(round(max(centre - half, 0)), round(min(centre + half, extent))))
    return tuple(slices)


def _tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy((np.asarray(image, np.float32) - MEAN) / DEVIATION).permute(2, 0, 1)
