"""Writes the pseudo-labels of a round, and checks them where labels exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf import inference, metrics, pseudo_labels
from udas_tf.data import pipeline, records
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import networks, rounds
from udas_tf.taxonomy import IGNORE

AUDIT = "audit.json"
HISTOGRAM = "confidence.json"  # pixels by label and stored confidence


def pseudo_label(config, run_dir: RunDir, round_number: int) -> None:
    """Labels the unlabelled target images with the teacher of a round, and writes the audit beside them."""
    directory = run_dir.pseudo_labels(round_number)
    if not is_finished(directory):
        _write(config, run_dir, round_number, directory)
    audit_file = directory.parent / AUDIT
    if not audit_file.is_file():
        write_json(audit_file, audit(config, run_dir, round_number))


def thresholds(config, run_dir: RunDir, round_number: int) -> np.ndarray:
    """The confidence that each class's pseudo-labels of a round must reach: `pseudo_labels.class_thresholds`."""
    section = config.pseudo_label
    histogram = _confidence_histogram(run_dir.pseudo_labels(round_number))
    return pseudo_labels.class_thresholds(histogram, section.threshold, section.class_share)


def class_weights(config, run_dir: RunDir, round_number: int) -> np.ndarray:
    """How much a pixel of each class counts in L_pseudo of a round: `pseudo_labels.class_weights`."""
    histogram = _confidence_histogram(run_dir.pseudo_labels(round_number))
    return pseudo_labels.class_weights(
        histogram,
        thresholds(config, run_dir, round_number),
        len(networks.class_set(config)),
        config.student.class_balance,
    )


def _write(config, run_dir: RunDir, round_number: int, directory: Path) -> None:
    """Pseudo-labels as records with confidence."""
    unlabelled = run_dir.require(
        run_dir.data("target_unlabelled"), "the unlabelled target set", "data prepare"
    )
    teacher_row = rounds.teacher(config, round_number)
    teacher = networks.trained_segmenter(config, run_dir, teacher_row)
    trained = read_json(run_dir.training(teacher_row.name) / "manifest.json")
    section = config.pseudo_label
    batches, manifest = pipeline.evaluation(unlabelled, section.batch_size, ("image", "id"))
    provenance = manifest["provenance"] | {
        "teacher": teacher_row.name,
        "teacher_sha256": trained["weights_sha256"],
        "views": section.views,
        "seed": config.seed,
        "round": round_number,
    }

    @tf.function(autograph=False, reduce_retracing=True)
    def label_batch(images, number):
        seed = tf.stack([config.seed * 1_000 + round_number, number])
        labels, confidence = inference.pseudo_label(teacher, tf.cast(images, tf.float32), section.views, seed)
        return labels, tf.cast(tf.round(255.0 * confidence), tf.uint8)

    def samples_of(indices: range) -> Iterator[records.Sample]:
        # Shards begin at whole batches (below), so that a resumed set has the batches, and seeds, of an unbroken one.
        first, last = indices.start // section.batch_size, -(-indices.stop // section.batch_size)
        for number, batch in enumerate(batches.skip(first).take(last - first), start=first):
            labels, confidences = label_batch(batch["image"], tf.constant(number))
            for image, label, confidence, id_ in zip(
                batch["image"].numpy(), labels.numpy(), confidences.numpy(), batch["id"].numpy(), strict=True
            ):
                yield records.Sample(id_.decode(), image, label, confidence, provenance)

    with records.naming_damage(unlabelled):
        records.write(
            directory,
            "training",
            manifest["count"],
            samples_of,
            shard_images=-(-config.data.shard_images // section.batch_size) * section.batch_size,
            provenance=provenance,
            label=f"pseudo_label round {round_number}",
        )


def _confidence_histogram(directory: Path) -> np.ndarray:
    """int64 [256, 256]: pixels by pseudo-label and stored confidence, counted once a round."""
    file = directory.parent / HISTOGRAM
    if not file.is_file():
        write_json(file, _counted(directory).tolist())
    return np.array(read_json(file))


def _counted(directory: Path) -> np.ndarray:
    histogram = np.zeros(256 * 256, np.int64)
    batches, _ = pipeline.evaluation(directory, 1, ("label", "confidence"))
    for batch in batches.as_numpy_iterator():
        pairs = 256 * batch["label"].astype(np.int64) + batch["confidence"]
        histogram += np.bincount(pairs.ravel(), minlength=256 * 256)
    return histogram.reshape(256, 256)


def audit(config, run_dir: RunDir, round_number: int) -> dict:
    """How much of the target a round's pseudo-labels cover, and how often they are right where labels exist.

    Hidden labels are opened for this report only; nothing that trains reads it.

    Returns:
      {"threshold", "coverage": kept / all pixels, "classes": {name: {"threshold", "share": of the kept pixels,
      "coverage": kept / labelled as it}}, "precision": {"labelled" | "hidden": {"all": ..., class name: ...}}}.
    """
    classes = networks.class_set(config).classes
    directory = run_dir.pseudo_labels(round_number)
    class_thresholds = thresholds(config, run_dir, round_number)
    truth = {
        name: _labels_by_id(run_dir.data(f"target_{name}"))
        for name in ("labelled", "hidden")
        if is_finished(run_dir.data(f"target_{name}"))
    }
    labelled_as = np.zeros(256, np.int64)
    kept_as = np.zeros(256, np.int64)
    confusion = {name: np.zeros((len(classes), len(classes)), np.int64) for name in truth}
    batches, _ = pipeline.evaluation(directory, 1, ("label", "confidence", "id"))
    for batch in batches:
        labels = batch["label"]
        kept = pseudo_labels.mask(labels, batch["confidence"], class_thresholds)
        labelled_as += np.bincount(labels.numpy().ravel(), minlength=256)
        kept_as += np.bincount(kept.numpy().ravel(), minlength=256)
        for name, known in truth.items():
            label = known.get(batch["id"][0].numpy())
            if label is not None:
                wanted = np.where(kept[0].numpy() == IGNORE, IGNORE, label)
                seen = np.where(wanted == IGNORE, 0, kept[0].numpy())
                confusion[name] += metrics.confusion_matrix(wanted, seen, len(classes)).numpy()
    kept_as[IGNORE] = 0
    return {
        "round": round_number,
        "threshold": config.pseudo_label.threshold,
        "coverage": float(kept_as.sum() / labelled_as.sum()),
        "classes": {
            name: {
                "threshold": float(class_thresholds[i] / 255),
                "share": _ratio(kept_as[i], kept_as.sum()),
                "coverage": _ratio(kept_as[i], labelled_as[i]),
            }
            for i, name in enumerate(classes)
        },
        "precision": {name: _precision(matrix, classes) for name, matrix in confusion.items()},
    }


def _labels_by_id(directory: Path) -> dict[bytes, np.ndarray]:
    batches, _ = pipeline.evaluation(directory, 1, ("label", "id"))
    return {batch["id"][0]: batch["label"][0] for batch in batches.as_numpy_iterator()}


def _precision(confusion: np.ndarray, classes: tuple[str, ...]) -> dict[str, float | None]:
    """Of the pixels kept as a class, the fraction that are of it."""
    per_class = {name: _ratio(confusion[i, i], confusion[:, i].sum()) for i, name in enumerate(classes)}
    return {"all": _ratio(np.trace(confusion), confusion.sum()), **per_class}


def _ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
