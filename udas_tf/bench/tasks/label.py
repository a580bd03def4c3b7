"""A set of pseudo-labels: the stage itself, from records of images to records with labels and confidences."""

from __future__ import annotations

import itertools
from pathlib import Path

import keras

from udas_tf import config as configs
from udas_tf.bench import arithmetic, fixtures
from udas_tf.bench.measuring import Measured
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.data import records
from udas_tf.run_dir import RunDir, finish
from udas_tf.stages import fit, networks, pseudo_label, rounds

ROUND = 1


def measure(scale: Scale, directory: Path, precision: str) -> Measured:
    """Seconds an image, from the times at which the shards of the set were finished.

    The first shard, during which networks are built and graphs traced, is left out.
    """
    config = settings.config(scale, precision)
    batch = config.pseudo_label.batch_size
    config = configs.override(config, {"data.shard_images": batch})
    run_dir = RunDir(directory / f"run-{precision}-{len(list(directory.iterdir()))}")
    operations = _write_teacher(config, run_dir, scale)
    _write_images(config, run_dir, max(scale.images, 2 * batch))
    pseudo_label.pseudo_label(config, run_dir, ROUND)
    written = run_dir.pseudo_labels(ROUND)
    times = [file.stat().st_mtime for file in sorted(written.glob("*-of-*.json"))]
    seconds = [(later - earlier) / batch for earlier, later in itertools.pairwise(times)]
    return Measured(seconds, {settings.dtype(precision): operations}, steps.peak_memory())


def _write_teacher(config, run_dir: RunDir, scale: Scale) -> float:
    """A random network in the teacher's place. Returns the operations that an image's K views need."""
    directory = run_dir.training(rounds.teacher(config, ROUND).name)
    directory.mkdir(parents=True)
    with fit.stage(config, batch_size=1):
        segmenter = networks.segmenter(config)
        networks.save(segmenter, directory / networks.WEIGHTS)
        primary = keras.Model(segmenter.input, segmenter.output["primary"])
        operations = arithmetic.passes(primary, scale.size).forward
    finish(directory, {"weights_sha256": ""})
    return scale.views * operations


def _write_images(config, run_dir: RunDir, count: int) -> None:
    images = fixtures.pictures(count, tuple(config.data.size))
    records.write(
        run_dir.data("target_unlabelled"),
        "training",
        count - count % config.pseudo_label.batch_size,
        lambda indices: (records.Sample(str(index), images[index]) for index in indices),
        shard_images=count,
        provenance={},
        label="images",
    )
