"""Writes the pseudo-labels that a row learns from, with their confidences, as records."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from absl import logging

from udas_tf import shard_notes
from udas_tf.data import pipeline, records
from udas_tf.data.sample import Sample
from udas_tf.networks import TrainingManifest, trained_segmenter
from udas_tf.pseudo_labels import views
from udas_tf.run import Run
from udas_tf.run_dir import is_finished


@dataclasses.dataclass(frozen=True)
class ShardNote:
    """Counts of the pixels of a shard.

    Attributes:
      shared: [256], pixels seen by several views, by pseudo-label.
      agreeing: [256], those of them to which all these views give one class.
      confidence: [C, 256], pixels by pseudo-label and stored confidence.
    """

    shared: list[int]
    agreeing: list[int]
    confidence: list[list[int]]


def label(run: Run, name: str, teacher: str, round_number: int) -> None:
    """Labels the unlabelled target images for a row, unless that is done.

    Args:
      run: the run that has the rows.
      name: of the row that learns from the pseudo-labels.
      teacher: name of the row whose network labels the images.
      round_number: from 1. The random draws of the views depend on it and on the config's seed.

    Raises:
      UserError: the teacher or the unlabelled target set is missing.
    """
    directory = run.dir.pseudo_labels(name)
    if is_finished(directory):
        logging.info("the pseudo-labels for %s are there already: %s", name, directory)
        return
    run.dir.audit(name).unlink(missing_ok=True)  # the audit of labels that have been removed
    _write(run, name, teacher, round_number, directory)


def histogram(directory: Path) -> np.ndarray:
    """int64 [256, 256]: the pixels of a finished set of pseudo-labels, by label and stored confidence."""
    counted = np.zeros((256, 256), np.int64)
    for note in shard_notes.read(directory, ShardNote):
        counted[: len(note.confidence)] += np.array(note.confidence, np.int64)
    return counted


def _write(run: Run, name: str, teacher: str, round_number: int, directory: Path) -> None:
    config, section = run.config, run.config.pseudo_label
    unlabelled = run.dir.require(run.dir.data("target_unlabelled"), "the unlabelled target set", "data prepare")
    network = trained_segmenter(run, teacher)
    batches, manifest = pipeline.evaluation(unlabelled, section.batch_size, ("image", "id"))
    provenance = manifest.provenance | {
        "teacher": teacher,
        "teacher_sha256": TrainingManifest.of(run.dir.training(teacher)).weights_sha256,
        "views": section.views,
        "seed": config.seed,
        "round": round_number,
    }

    # The random views need a static batch size, so a smaller last batch is traced again.
    @tf.function(autograph=False)
    def label_batch(images: tf.Tensor, number: tf.Tensor) -> views.PseudoLabels:
        seed = tf.stack([config.seed * 1_000 + round_number, number])
        labels = views.pseudo_label(network, images, section.views, seed)
        return labels._replace(confidence=tf.cast(tf.round(255.0 * labels.confidence), tf.uint8))

    def samples_of(indices: range) -> Iterator[Sample]:
        # A shard starts with a whole batch (see `shard_images` below). So a resumed set has the same batches and seeds.
        first, last = indices.start // section.batch_size, -(-indices.stop // section.batch_size)
        count = _Count(len(run.classes))
        for number, batch in enumerate(batches.skip(first).take(last - first), start=first):
            labels = label_batch(batch["image"], tf.constant(number))
            labels = views.PseudoLabels(*(part.numpy() for part in labels))
            count.add(labels)
            for image, classes, confidence, id_ in zip(
                batch["image"].numpy(), labels.labels, labels.confidence, batch["id"].numpy(), strict=True
            ):
                yield Sample(id_.decode(), image, classes, confidence, provenance)
        shard_notes.write(directory, indices.start, count.note())

    with records.naming_damage(unlabelled):
        records.write(
            directory,
            "training",
            manifest.count,
            samples_of,
            shard_images=-(-config.data.shard_images // section.batch_size) * section.batch_size,
            provenance=provenance,
            label=f"pseudo-labels for {name}",
        )


class _Count:
    """Counts the pixels of a shard for its `ShardNote`.

    Args:
      classes: C.
    """

    def __init__(self, classes: int) -> None:
        self.shared = np.zeros(256, np.int64)
        self.agreeing = np.zeros(256, np.int64)
        self.confidence = np.zeros((classes, 256), np.int64)

    def add(self, labels: views.PseudoLabels) -> None:
        """Counts a batch of pseudo-labels, given as arrays, with confidences uint8 as stored."""
        self.shared += np.bincount(labels.labels[labels.shared], minlength=256)
        self.agreeing += np.bincount(labels.labels[labels.agreeing], minlength=256)
        pairs = 256 * labels.labels.astype(np.int64) + labels.confidence
        self.confidence += np.bincount(pairs.ravel(), minlength=self.confidence.size).reshape(-1, 256)

    def note(self) -> ShardNote:
        """The counts so far."""
        return ShardNote(self.shared.tolist(), self.agreeing.tolist(), self.confidence.tolist())
