"""Pseudo-labels for a set: from records of images to records with labels and confidences."""

from __future__ import annotations

import itertools
from pathlib import Path

import keras

from udas_tf import config as configs
from udas_tf import networks
from udas_tf.bench import arithmetic, fixtures
from udas_tf.bench.measuring import Measured
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.data import records
from udas_tf.data.sample import Sample
from udas_tf.networks import TrainingManifest
from udas_tf.pseudo_labels import labelling
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, finish

TEACHER, STUDENT, ROUND = "cutmix", "student_1", 1


def measure(scale: Scale, directory: Path, precision: str) -> Measured:
    """Seconds for an image, from the times at which the shards of the set were finished.

    The first shard is left out: networks are built and graphs are traced during it.
    """
    config = settings.config(scale, precision)
    batch = config.pseudo_label.batch_size
    config = configs.override(config, {"data.shard_images": batch})
    run_dir = RunDir(directory / f"run-{precision}-{len(list(directory.iterdir()))}")
    run = Run(config, run_dir, settings.classes(config))
    operations = _write_teacher(run, scale)
    _write_images(run, max(scale.images, 2 * batch))
    labelling.label(run, STUDENT, TEACHER, ROUND)
    shards = sorted(run_dir.pseudo_labels(STUDENT).glob("*-of-*.json"))
    times = [file.stat().st_mtime for file in shards]
    seconds = [(later - earlier) / batch for earlier, later in itertools.pairwise(times)]
    return Measured(seconds, {settings.dtype(precision): operations}, steps.peak_memory())


def _write_teacher(run: Run, scale: Scale) -> float:
    """Saves a random network as the teacher. Returns the operations for an image's K views."""
    directory = run.dir.training(TEACHER)
    directory.mkdir(parents=True)
    settings.use(run.config)
    segmenter = networks.segmenter(run.config, len(run.classes))
    networks.save(segmenter, directory / networks.SEGMENTER)
    primary = keras.Model(segmenter.input, segmenter.output["primary"])
    manifest = TrainingManifest(
        row=TEACHER,
        stage="uda",
        round=None,
        step=0,
        weights=networks.SEGMENTER,
        weights_sha256="",
        precision=run.config.precision,
        saw_source=True,
    )
    finish(directory, manifest)
    return scale.views * arithmetic.passes(primary, scale.size).forward


def _write_images(run: Run, count: int) -> None:
    """Writes the unlabelled target set: as many whole batches as `count` images make."""
    images = fixtures.pictures(count, tuple(run.config.data.size))
    records.write(
        run.dir.data("target_unlabelled"),
        "training",
        count - count % run.config.pseudo_label.batch_size,
        lambda indices: (Sample(str(index), images[index]) for index in indices),
        shard_images=count,
        provenance={},
        label="images",
    )
