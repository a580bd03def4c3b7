"""Training batches from records: source images through AutoAugment and Domain CutMix, and unlabelled target images."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from udas_tf.bench import fixtures
from udas_tf.bench.measuring import Measured, peak_memory, timed
from udas_tf.bench.workloads import Scale
from udas_tf.data import pipeline, records
from udas_tf.data.sample import Sample
from udas_tf.run_dir import is_finished

BATCHES = 8  # of a timed call: so many that those prefetched before it count little


def measure(scale: Scale, directory: Path) -> Measured:
    """Seconds for an image that is read. A batch has as many of the source, the labelled and the unlabelled target."""
    taken = iter(batches(directory, scale, scale.loaded_batch))

    def take() -> None:
        for _ in range(BATCHES):
            next(taken)

    seconds = timed(take, BATCHES * 3 * scale.loaded_batch, scale.seconds)
    pixels = math.prod(scale.size)
    # Decoded bytes of three images and two labels are written and read, two images and a label written.
    moved = 2 * (3 * 3 + 2) * pixels + (2 * 3 + 1) * pixels
    return Measured(seconds, {"bytes": moved / 3}, peak_memory())


def batches(directory: Path, scale: Scale, batch_size: int) -> tf.data.Dataset:
    """Batches for adaptation with labelled target images mixed in, `batch_size` images of each domain."""
    sets = {domain: _records(directory, domain, scale) for domain in fixtures.DOMAINS}
    loading = pipeline.Loading(batch_size, seed=0, start_step=0, shuffle_buffer=1_000, cache=False)
    return pipeline.adaptation(loading, sets["sim"], sets["real"], sets["real"], "flip", "auto")


def _records(directory: Path, domain: str, scale: Scale) -> Path:
    """The set of records of a domain, written by the first call."""
    written = directory / "records" / domain
    if not is_finished(written):
        images, labels = fixtures.resized_files(directory, scale)[domain]

        def sample(index: int) -> Sample:
            image, label = (np.asarray(Image.open(files[index])) for files in (images, labels))
            return Sample(images[index].stem, image, label)

        records.write(
            written,
            "training",
            scale.images,
            lambda indices: map(sample, indices),
            shard_images=scale.images,
            provenance={},
            label=domain,
        )
    return written
