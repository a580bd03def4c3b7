"""Scores a trained segmenter on a labelled set of records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference, progress, typed_json
from udas_tf.data import pipeline, records
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.sets import synthia
from udas_tf.errors import UserError
from udas_tf.evaluation import metrics
from udas_tf.evaluation.scores import SOURCE, TARGET, TRANSLATED, Scores
from udas_tf.networks import TrainingManifest, trained_segmenter
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished

METRICS = "metrics.json"  # the score of a row, in the directory of its training


def evaluate(run: Run, name: str, on: str = TARGET, tta: str = "none", resolution: str = "training") -> Scores:
    """Scores a finished row and writes the scores to `scores_path`.

    The scores of a supervised row on the source, on the translated source and on the target show how much of the
    domain gap the translation closes.

    Args:
      run: the run that has the row.
      name: of the row.
      on: TARGET for its validation set, SOURCE for the source's training images, TRANSLATED for the same images in
        the target's style.
      tta: test-time augmentation, a key of `inference.TTA`.
      resolution: "training" scores at data.size. "full", for the target alone, predicts at data.size and enlarges the
        logits to the labels' size, data.target.val_full_size.

    Returns:
      The scores, fractions.

    Raises:
      UserError: the row is not trained, the set is not there, or `resolution` and `on` do not go together.
    """
    if resolution == "full" and on != TARGET:
        raise UserError(
            f"--resolution=full scores the target's validation set alone, received --on={on}; leave out one of the two"
        )
    segmenter = trained_segmenter(run, name)
    manifest = TrainingManifest.of(run.dir.training(name))
    scores = score_row(run, manifest, segmenter, on, tta, resolution)
    typed_json.write(scores_path(run.dir, name, on, tta, resolution), scores)
    return scores


def scores_path(run_dir: RunDir, name: str, on: str, tta: str, resolution: str) -> Path:
    """The file for the scores that `evaluate` measures: WORKDIR/scores/ROW/target.json, source_flip.json and so on."""
    parts = (on, tta if tta != "none" else "", "full_size" if resolution == "full" else "")
    return run_dir.scores(name) / ("_".join(filter(None, parts)) + ".json")


def sealed_score(run_dir: RunDir, name: str) -> Scores:
    """The score of a finished row: that of the last checkpoint, measured at the end of its training.

    Raises:
      UserError: the file is missing or damaged.
    """
    again = scores_path(run_dir, name, TARGET, "none", "training")
    command = f"bin/udas evaluate --name={name} --workdir={run_dir.path}"
    return typed_json.read(run_dir.training(name) / METRICS, Scores, f"run {command} and copy {again} over it")


def score_row(
    run: Run,
    trained: TrainingManifest,
    segmenter: keras.Model,
    on: str = TARGET,
    tta: str = "none",
    resolution: str = "training",
) -> Scores:
    """The scores of a segmenter, under the row, stage, round and step of a training.

    Args:
      run: the run that has the row.
      trained: manifest of the training.
      segmenter: its network.
      on, tta, resolution: as in `evaluate`.

    Raises:
      UserError: the set to score on is not there.
    """
    directory = {
        TARGET: run.dir.data("target_val"),
        SOURCE: run.dir.data("source_train"),
        TRANSLATED: run.dir.translated,
    }[on]
    full_labels = run.dir.data("target_val_full") if resolution == "full" else None
    measured = score(run, segmenter, directory, tta, full_labels)
    if _is_from_synthia(run):
        measured |= subset_scores(measured["iou"])
    return Scores(
        name=trained.row,
        stage=trained.stage,
        round=trained.round,
        step=trained.step,
        on=on,
        learnt_from=on != TARGET and trained.saw_source,
        tta=tta,
        resolution=resolution,
        **measured,
    )


def subset_scores(iou: dict[str, float | None]) -> dict[str, float | None]:
    """The mean IoU over 16 and over 13 of the nineteen classes, with which adaptation from SYNTHIA is published.

    The IoUs come from the whole confusion matrix: a pixel of a class outside the subset that is predicted as a class of
    the subset still counts as that class's error.

    Args:
      iou: class name of Cityscapes -> IoU, or None where the class does not occur in the labels.

    Returns:
      {"miou_16": ..., "miou_13": ...}: fractions, each the mean over those classes of the subset that occur; None where
      none occurs.
    """
    means = {}
    for size, names in synthia.SUBSETS.items():
        values = [value for name in names if (value := iou[name]) is not None]
        means[f"miou_{size}"] = float(np.mean(values)) if values else None
    return means


def _is_from_synthia(run: Run) -> bool:
    """Whether the source is SYNTHIA with the nineteen classes of Cityscapes."""
    source = run.dir.data("source_train")
    if run.classes != CITYSCAPES or not is_finished(source):
        return False
    return records.read_manifest(source).provenance.get("dataset") == "synthia"


def score(
    run: Run,
    segmenter: keras.Model,
    directory: Path,
    tta: str = "none",
    full_labels: Path | None = None,
) -> dict[str, Any]:
    """Scores a segmenter on a labelled set of records.

    Args:
      run: for its classes, its directory and `evaluate.batch_size`.
      segmenter: a network with the output "primary".
      directory: of the set.
      tta: a key of `inference.TTA`.
      full_labels: directory of the same images in another size. Their labels are scored instead, and the predictions
        have their size.

    Returns:
      {"images": count, "miou": ..., "pixel_accuracy": ..., "iou": ...}, as `metrics.scores`.

    Raises:
      UserError: a set is not finished, or the two sets do not hold the same images.
    """
    command = "translate" if directory == run.dir.translated else "data prepare"
    run.dir.require(directory, "the set to score on", command)
    classes = run.classes
    batch_size = run.config.evaluate.batch_size
    batches, manifest = pipeline.evaluation(directory, batch_size, ("image", "label"))
    size = None
    if full_labels is not None:
        batches, size = _with_labels_of(full_labels, batches, manifest, batch_size, run.dir)

    @tf.function(autograph=False, reduce_retracing=True)
    def batch_confusion(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        _, predictions = inference.confidence_and_class(segmenter, images, tta, size)
        return metrics.confusion_matrix(labels, predictions, len(classes))

    confusion = np.zeros((len(classes), len(classes)), np.int64)
    with (
        records.naming_damage(directory),
        progress.bar(manifest.count, "evaluate", "image", leave=False) as bar,
    ):
        for batch in batches:
            confusion += batch_confusion(batch["image"], batch["label"]).numpy()
            bar.update(len(batch["image"]))
    return {"images": manifest.count, **metrics.scores(confusion, classes.classes)}


def _with_labels_of(
    directory: Path,
    batches: tf.data.Dataset,
    manifest: records.Manifest,
    batch_size: int,
    run_dir: RunDir,
) -> tuple[tf.data.Dataset, tuple[int, int]]:
    """The batches of a set with the labels of the same images in another size; and that size, (height, width)."""
    if not is_finished(directory):
        raise UserError(
            f"no labels at full resolution in {directory}; run first: bin/udas data prepare "
            f"--config.data.target.val_full_size=HEIGHT,WIDTH --workdir={run_dir.path}"
        )
    labels, other = pipeline.evaluation(directory, batch_size, ("label",))
    if (other.count, other.skipped) != (manifest.count, manifest.skipped):
        raise UserError(
            f"{directory} holds other images than the validation set; remove both and prepare the data again"
        )
    return tf.data.Dataset.zip(batches, labels).map(lambda batch, full: batch | full), other.size
