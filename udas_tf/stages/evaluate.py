"""Scores of a trained segmenter on the target's validation set."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference, metrics, progress, taxonomy
from udas_tf.data import pipeline, records
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import networks, rounds

METRICS = "metrics.json"


def evaluate(config, run_dir: RunDir, stage: str, round_number: int | None, name: str | None) -> dict:
    """Scores a finished row again and writes its metrics.json.

    Returns:
      {"stage", "round", "step", "images", "miou", "pixel_accuracy", "iou": {class name: fraction or None}}; where the
      source is SYNTHIA also "miou_16" and "miou_13", see `subset_scores`.
    """
    row = rounds.find(config, stage, round_number, name)
    segmenter = networks.trained_segmenter(config, run_dir, row)
    directory = run_dir.training(row.name)
    step = read_json(directory / "manifest.json")["step"]
    result = score_row(config, run_dir, row, segmenter, step)
    write_json(directory / METRICS, result)
    return result


def score_row(config, run_dir: RunDir, row: rounds.Row, segmenter: keras.Model, step: int) -> dict:
    """What metrics.json holds for a segmenter of a row at a step."""
    result = score(config, segmenter, run_dir.data("target_val"), run_dir)
    if _is_from_synthia(config, run_dir):
        result |= subset_scores(result["iou"])
    return {"stage": row.stage, "round": row.round, "step": step, **result}


def subset_scores(iou: dict[str, float | None]) -> dict[str, float | None]:
    """The scores that adaptation from SYNTHIA is published with: the mean IoU of 16 and of 13 of the nineteen classes.

    The IoUs are those of the whole confusion matrix: a pixel of a class outside the subset still counts against the
    class it is taken for.

    Args:
      iou: class name of Cityscapes -> IoU, or None where the class does not occur in the labels.

    Returns:
      {"miou_16": mean over the classes of the subset that occur, "miou_13": ...}; fractions of 1.
    """
    means = {}
    for size, names in taxonomy.SYNTHIA_SUBSETS.items():
        values = [iou[name] for name in names if iou[name] is not None]
        means[f"miou_{size}"] = float(np.mean(values)) if values else None
    return means


def _is_from_synthia(config, run_dir: RunDir) -> bool:
    """Whether the source is SYNTHIA, straight from its files or prepared before, in the nineteen classes."""
    source = run_dir.data("source_train")
    if networks.class_set(config) != taxonomy.CITYSCAPES or not is_finished(source):
        return False
    return records.read_manifest(source)["provenance"].get("dataset") == "synthia"


def score(config, segmenter: keras.Model, directory: Path, run_dir: RunDir) -> dict:
    """{"images", "miou", "pixel_accuracy", "iou"} of a segmenter on a labelled set of records."""
    run_dir.require(directory, "the validation set", "data prepare")
    classes = networks.class_set(config)
    batches, manifest = pipeline.evaluation(directory, config.evaluate.batch_size, ("image", "label"))

    @tf.function(autograph=False, reduce_retracing=True)
    def batch_confusion(images, labels):
        _, predictions = inference.confidence_and_class(segmenter, images)
        return metrics.confusion_matrix(labels, predictions, len(classes))

    confusion = np.zeros((len(classes), len(classes)), np.int64)
    with (
        records.naming_damage(directory),
        progress.bar(manifest["count"], "evaluate", "image", leave=False) as bar,
    ):
        for batch in batches:
            confusion += batch_confusion(batch["image"], batch["label"]).numpy()
            bar.update(len(batch["image"]))
    return {"images": manifest["count"], **metrics.scores(confusion, classes.classes)}
