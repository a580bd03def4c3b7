"""Scores of a trained segmenter on the target's validation set."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference, metrics, progress, taxonomy
from udas_tf.data import pipeline, records
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import networks, rounds

METRICS = "metrics.json"
TARGET, SOURCE, TRANSLATED = "target", "source", "translated"
RESOLUTIONS = ("training", "full")


def evaluate(
    config,
    run_dir: RunDir,
    stage: str,
    round_number: int | None,
    name: str | None,
    on: str = TARGET,
    views: str = "plain",
    resolution: str = "training",
) -> dict:
    """Scores a finished row again and writes its `metrics_path`.

    What a network trained on the target scores on the source, on the translated source and on the target tells how
    much of the gap between the domains the translation closes.

    Args:
      on: "target", its validation set; "source", the training images of the source; "translated", these in the
        target's style.
      views: a key of inference.VIEWS, over which probabilities are averaged.
      resolution: "training", or "full" on the target: what the network says of images of data.size, against labels of
        data.target.val_full_size.

    Returns:
      {"stage", "round", "step", "images", "miou", "pixel_accuracy", "iou": {class name: fraction or None}}; where the
      source is SYNTHIA also "miou_16" and "miou_13", see `subset_scores`. On another set than the target's also "on",
      its name, and "learnt_from", whether the row was trained on these scenes, so that it has seen their labels.
      "views" and "resolution" where these are others.
    """
    if resolution == "full" and on != TARGET:
        raise UserError(f"--resolution=full is of the target's validation set; received --on={on}")
    row = rounds.find(config, stage, round_number, name)
    segmenter = networks.trained_segmenter(config, run_dir, row)
    step = read_json(run_dir.training(row.name) / "manifest.json")["step"]
    result = score_row(config, run_dir, row, segmenter, step, on, views, resolution)
    write_json(metrics_path(run_dir, row.name, on, views, resolution), result)
    return result


def metrics_path(run_dir: RunDir, name: str, on: str, views: str, resolution: str) -> Path:
    """Where the scores of a row lie: beside its weights `METRICS`, metrics_flip.json, ...; those on the source, which the
    row need not follow from, with the run: metrics_on_source.json, ..."""
    parts = {f"on_{on}": on != TARGET, views: views != "plain", "full_size": resolution == "full"}
    file = "_".join(["metrics", *(part for part, told in parts.items() if told)]) + ".json"
    return (run_dir.training(name) if on == TARGET else run_dir.scores(name)) / file


def score_row(
    config,
    run_dir: RunDir,
    row: rounds.Row,
    segmenter: keras.Model,
    step: int,
    on: str = TARGET,
    views: str = "plain",
    resolution: str = "training",
) -> dict:
    """What `evaluate` returns, for a segmenter of a row at a step."""
    directory = {
        TARGET: run_dir.data("target_val"),
        SOURCE: run_dir.data("source_train"),
        TRANSLATED: run_dir.translated,
    }[on]
    full_labels = run_dir.data("target_val_full") if resolution == "full" else None
    result = score(config, segmenter, directory, run_dir, views, full_labels)
    if (views, resolution) != ("plain", "training"):
        result |= {"views": views, "resolution": resolution}
    if on != TARGET:
        result |= {"on": on, "learnt_from": row.stage != "supervised"}
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


def score(
    config,
    segmenter: keras.Model,
    directory: Path,
    run_dir: RunDir,
    views: str = "plain",
    full_labels: Path | None = None,
) -> dict:
    """{"images", "miou", "pixel_accuracy", "iou"} of a segmenter on a labelled set of records.

    Args:
      views: a key of inference.VIEWS.
      full_labels: the same set in another size, whose labels count instead.
    """
    run_dir.require(
        directory, "the set to score on", "translate" if directory == run_dir.translated else "data prepare"
    )
    classes = networks.class_set(config)
    batches, manifest = pipeline.evaluation(directory, config.evaluate.batch_size, ("image", "label"))
    size = None
    if full_labels is not None:
        batches, size = _with_labels_of(full_labels, batches, manifest, config.evaluate.batch_size, run_dir)

    @tf.function(autograph=False, reduce_retracing=True)
    def batch_confusion(images, labels):
        _, predictions = inference.confidence_and_class(segmenter, images, views, size)
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


def _with_labels_of(
    directory: Path, batches: tf.data.Dataset, manifest: dict, batch_size: int, run_dir: RunDir
) -> tuple[tf.data.Dataset, tuple[int, int]]:
    """The batches of a set with the labels of the same set in another size; and that size."""
    if not is_finished(directory):
        raise UserError(
            f"no labels at full resolution in {directory}; run first: bin/udas data prepare --accept_config_change "
            f"--config.data.target.val_full_size=HEIGHT,WIDTH --workdir={run_dir.path}"
        )
    labels, other = pipeline.evaluation(directory, batch_size, ("label",))
    if [other["count"], other["skipped"]] != [manifest["count"], manifest["skipped"]]:
        raise UserError(
            f"{directory} holds other images than the validation set; remove both and prepare the data again"
        )
    return tf.data.Dataset.zip(batches, labels).map(lambda batch, full: batch | full), tuple(other["size"])
