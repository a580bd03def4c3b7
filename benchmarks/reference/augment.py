"""K views of a batch of images by Pillow, on threads, which its C code lets run side by side."""

from __future__ import annotations

import concurrent.futures
import os
import random
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.reference.pillow_policy import auto_augment
from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale


def measure(scale: Scale, directory: Path) -> Measured:
    images = [Image.fromarray(array) for array in fixtures.pictures(scale.images, scale.size)]
    rng = random.Random(0)

    def view(image: Image.Image) -> np.ndarray:
        return np.asarray(auto_augment(image, rng)[0])

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:

        def views():
            return np.stack(list(workers.map(view, images * (scale.views - 1))))

        seconds = timed(views, scale.images * (scale.views - 1), scale.seconds)
    return Measured(seconds, {}, peak_memory())
