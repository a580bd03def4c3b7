"""Translates the source set into the target's style, and checks whether the translation changed the classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

from udas_tf import inference, plugins, shard_notes, typed_json
from udas_tf.config import METHODS
from udas_tf.data import pipeline, records
from udas_tf.data.augment.pixels import to_levels
from udas_tf.data.sample import Sample, Skipped
from udas_tf.evaluation import metrics
from udas_tf.evaluation.metrics import ClassFlow
from udas_tf.networks import TrainingManifest, load, trained_segmenter
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.taxonomy import IGNORE

STAGE = "translate"  # the method that trains the generator
LISTED = 20  # images that the check names, those that changed most
REMEDY = "remove it and run bin/udas translate again"  # for a damaged check

Judge = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]  # image, translation, label -> `changes`


@dataclasses.dataclass(frozen=True)
class ShardNote:
    """The check's counts of one shard.

    Attributes:
      images: (id, fraction of its labelled pixels that changed class, whether it was rejected).
      confusion: [C, C], labelled pixels by class before and after translation.
    """

    images: list[tuple[str, float, bool]]
    confusion: list[list[int]]


@dataclasses.dataclass(frozen=True)
class Check:
    """How translation changed the classes that the judge predicts.

    Attributes:
      images: how many were checked.
      rejected: how many of them changed too much.
      rejected_ids: ids of those.
      disagreement: fraction of all labelled pixels that changed class.
      worst: (id, fraction of its labelled pixels), the images that changed most, in falling order.
      flow: class before -> the classes of its pixels afterwards.
    """

    images: int
    rejected: int
    rejected_ids: list[str]
    disagreement: float
    worst: list[tuple[str, float]]
    flow: dict[str, ClassFlow]


def translate(run: Run) -> None:
    """Writes the source images in the target's style, with the source's labels, as records.

    With `translated.max_disagreement` each translation is checked: the judge, a segmenter, predicts the classes of the
    image before and after. Where they differ on more than this fraction of the labelled pixels, the image is kept
    untranslated or dropped (`translated.on_disagreement`). The result of the check is written to
    `RunDir.translation_check`.

    Raises:
      UserError: the source set, the generator or the judge is missing.
    """
    directory = run.dir.translated
    if is_finished(directory):
        logging.info("the source is translated already: %s", directory)
    else:
        run.dir.translation_check.unlink(missing_ok=True)  # the check of translations that have been removed
        _write(run)
    write_check(run)


def write_check(run: Run) -> None:
    """Writes `RunDir.translation_check` of the finished translations, unless it is there or they were not checked.

    Translations that are linked from another run come without this file.
    """
    directory = run.dir.translated
    if run.dir.translation_check.is_file() or "checked_by" not in records.read_manifest(directory).provenance:
        return
    check = gathered(shard_notes.read(directory, ShardNote), run.classes.classes)
    typed_json.write(run.dir.translation_check, check)
    logging.info(
        "translate: %d of %d images changed what they show (%s); mean disagreement %.1f %%",
        check.rejected,
        check.images,
        run.config.translated.on_disagreement,
        100 * check.disagreement,
    )


def _write(run: Run) -> None:
    source = run.dir.require(run.dir.data("source_train"), "the source set", "data prepare")
    section = run.config.translated
    trained = TrainingManifest.of(_generator_directory(run))
    batches, manifest = pipeline.evaluation(source, 1, ("image", "label", "id"))
    provenance = manifest.provenance | {"translated_by": trained.weights_sha256}
    judge: Judge | None = None
    if section.max_disagreement is not None:
        judge, digest = _judge(run)
        provenance |= {
            "checked_by": digest,
            "max_disagreement": section.max_disagreement,
            "on_disagreement": section.on_disagreement,
        }
    apply = generator(run)

    def samples_of(indices: range) -> Iterator[Sample | Skipped]:
        checked: list[tuple[str, float, bool]] = []
        total = np.zeros((len(run.classes),) * 2, np.int64)
        for record in batches.skip(indices.start).take(len(indices)):
            name, label = record["id"][0].numpy().decode(), record["label"][0].numpy()
            translated = apply(record["image"])
            image, origin = translated[0].numpy(), provenance
            if judge:
                confusion = judge(record["image"], translated, record["label"]).numpy()
                changed = disagreement(confusion)
                rejected = changed > section.max_disagreement
                checked.append((name, changed, rejected))
                total += confusion
                if rejected and section.on_disagreement == "drop":
                    yield Skipped(name, f"shows other classes on {100 * changed:.1f} % of its pixels")
                    continue
                if rejected:
                    image, origin = record["image"][0].numpy(), manifest.provenance
            yield Sample(name, image, label, provenance=origin)
        if judge:
            shard_notes.write(run.dir.translated, indices.start, ShardNote(checked, total.tolist()))

    with records.naming_damage(source):
        records.write(
            run.dir.translated,
            "training",
            manifest.count,
            samples_of,
            shard_images=run.config.data.shard_images,
            provenance=provenance,
            label="translate",
        )


def generator(run: Run) -> Callable[[tf.Tensor], tf.Tensor]:
    """The trained generator G, from source images to the target's style.

    Returns:
      A function from uint8 RGB [B, H, W, 3] to the same.

    Raises:
      UserError: it is not trained; the message names the command that trains it.
    """
    directory = _generator_directory(run)
    keras.config.set_dtype_policy(run.config.precision)
    method = plugins.load(METHODS, STAGE, "stage")
    network = method.generator(run.config[STAGE])
    load(network, directory / TrainingManifest.of(directory).weights)
    return tf.function(
        lambda images: to_levels(network(tf.cast(images, tf.float32), training=False)),
        autograph=False,
        reduce_retracing=True,
    )


def _generator_directory(run: Run) -> Path:
    return run.dir.require(run.dir.training(STAGE), "the generator", f"train --stage={STAGE}")


def _judge(run: Run) -> tuple[Judge, str]:
    """`changes` with the segmenter of the row `translate.judge`; and the checksum of its weights."""
    name = run.config[STAGE].judge
    segmenter = trained_segmenter(run, name)

    @tf.function(autograph=False, reduce_retracing=True)
    def judge(image: tf.Tensor, translated: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        return changes(segmenter, image, translated, label, len(run.classes))

    return judge, TrainingManifest.of(run.dir.training(name)).weights_sha256


def changes(
    segmenter: keras.Model, images: tf.Tensor, translated: tf.Tensor, labels: tf.Tensor, num_classes: int
) -> tf.Tensor:
    """Counts labelled pixels by the class that a segmenter predicts before and after translation.

    Args:
      segmenter: the judge.
      images, translated: uint8 [B, H, W, 3].
      labels: uint8 [B, H, W]; pixels with 255 are left out, other values do not matter.
      num_classes: C.

    Returns:
      int64 [C, C].
    """
    _, classes = inference.confidence_and_class(segmenter, tf.concat([images, translated], 0))
    before, after = tf.split(classes, 2)
    before = tf.where(labels == IGNORE, tf.constant(IGNORE, before.dtype), before)
    return metrics.confusion_matrix(before, after, num_classes)


def disagreement(confusion: np.ndarray) -> float:
    """The fraction of the pixels in `changes` whose class changed; 0 without pixels."""
    total = confusion.sum()
    return float(1.0 - np.trace(confusion) / total) if total else 0.0


def gathered(notes: list[ShardNote], classes: tuple[str, ...]) -> Check:
    """The check of a whole set.

    Args:
      notes: of its shards, at least one.
      classes: names by train id.
    """
    images = [image for note in notes for image in note.images]
    confusion = np.sum([note.confusion for note in notes], axis=0)
    worst = sorted(images, key=lambda image: -image[1])[:LISTED]
    rejected = [name for name, _, is_rejected in images if is_rejected]
    return Check(
        images=len(images),
        rejected=len(rejected),
        rejected_ids=rejected,
        disagreement=disagreement(confusion),
        worst=[(name, changed) for name, changed, _ in worst],
        flow=metrics.class_flow(confusion, classes),
    )


def check_of(run_dir: RunDir) -> Check | None:
    """The check of a run's translations; None where they were not checked, UserError where the file is damaged."""
    file = run_dir.translation_check
    return typed_json.read(file, Check, REMEDY) if file.is_file() else None
