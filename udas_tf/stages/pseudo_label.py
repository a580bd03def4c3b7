"""Writes the pseudo-labels of a round, and checks them where labels exist."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf import inference, metrics, pseudo_labels
from udas_tf.data import pipeline, records
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import audit as auditing
from udas_tf.stages import health, networks, notes, rounds

HISTOGRAM = "confidence.json"  # pixels by label and stored confidence


def pseudo_label(config, run_dir: RunDir, round_number: int) -> None:
    """Labels the unlabelled target images with the teacher of a round, and writes the audit with them."""
    directory = run_dir.pseudo_labels(round_number)
    if not is_finished(directory):
        _write(config, run_dir, round_number, directory)
    audit_file = health.audit_file(run_dir, round_number)
    if not audit_file.is_file():
        found = audit(config, run_dir, round_number)
        write_json(audit_file, found)
        health.tell(run_dir.tensorboard(f"student_{round_number}"), 0, found["warnings"])


def thresholds(config, run_dir: RunDir, round_number: int) -> np.ndarray:
    """The confidence that each class's pseudo-labels of a round must reach: `pseudo_labels.class_thresholds`."""
    return _thresholds(config, _confidence_histogram(run_dir.pseudo_labels(round_number)))


def class_weights(config, run_dir: RunDir, round_number: int) -> np.ndarray:
    """How much a pixel of each class counts in L_pseudo of a round: `pseudo_labels.class_weights`."""
    histogram = _confidence_histogram(run_dir.pseudo_labels(round_number))
    classes = len(networks.class_set(config))
    return pseudo_labels.class_weights(
        histogram, _thresholds(config, histogram), classes, config.student.class_balance
    )


def _thresholds(config, histogram: np.ndarray) -> np.ndarray:
    section = config.pseudo_label
    return pseudo_labels.class_thresholds(histogram, section.threshold, section.class_share)


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

    # Views are drawn for a known number of images, so a smaller last batch has a graph of its own.
    @tf.function(autograph=False)
    def label_batch(images, number):
        seed = tf.stack([config.seed * 1_000 + round_number, number])
        found = inference.pseudo_label(teacher, images, section.views, seed)
        return found._replace(confidence=tf.cast(tf.round(255.0 * found.confidence), tf.uint8))

    def samples_of(indices: range) -> Iterator[records.Sample]:
        # Shards begin at whole batches (below), so that a resumed set has the batches, and seeds, of an unbroken one.
        first, last = indices.start // section.batch_size, -(-indices.stop // section.batch_size)
        counted = {"shared": np.zeros(256, np.int64), "agreeing": np.zeros(256, np.int64)}
        for number, batch in enumerate(batches.skip(first).take(last - first), start=first):
            found = label_batch(batch["image"], tf.constant(number))
            found = inference.PseudoLabels(*(part.numpy() for part in found))
            for name, pixels in counted.items():
                pixels += np.bincount(found.labels[getattr(found, name)], minlength=256)
            for image, label, confidence, id_ in zip(
                batch["image"].numpy(), found.labels, found.confidence, batch["id"].numpy(), strict=True
            ):
                yield records.Sample(id_.decode(), image, label, confidence, provenance)
        notes.write(directory, indices.start, {name: pixels.tolist() for name, pixels in counted.items()})

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
    file = directory / HISTOGRAM
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
    """How much of the target a round's pseudo-labels cover, how often they are right, and what became worse.

    Hidden labels are opened for this report only; nothing that trains, nor the stop rule, reads what they say.

    Returns:
      What `audit.at_thresholds` returns for the thresholds of the round, and with it
      {"round", "threshold": the one of all classes, "fixed": what that alone would keep, or None where it is the same,
       "calibration": {"labelled" | "hidden": `metrics.calibration`}, "agreement": `audit.view_agreement`,
       "suggestion": `audit.suggestion` or None without labels, "score": `audit.score`, "warnings": [text, ...]}.
    """
    classes = networks.class_set(config).classes
    directory, section = run_dir.pseudo_labels(round_number), config.pseudo_label
    counted = _confidence_histogram(directory)
    histogram, chosen = counted[: len(classes)], _thresholds(config, counted)
    compared = auditing.compare(directory, known_labels(run_dir), len(classes))
    agreement = auditing.view_agreement(notes.read(directory), classes)
    source = health.source_shares(run_dir, len(classes))
    labelled = compared.get("labelled")
    found = {
        "round": round_number,
        "threshold": section.threshold,
        **auditing.at_thresholds(histogram, compared, chosen, classes),
        "fixed": None,
        "calibration": {
            name: metrics.calibration(known.pixels.sum(0), known.right.sum(0))
            for name, known in compared.items()
        },
        "agreement": agreement,
        "suggestion": labelled and auditing.suggestion(histogram, labelled, section.wanted_precision),
        "score": auditing.score(labelled, agreement, classes, source > 0),
    }
    if section.class_share:
        one = pseudo_labels.class_thresholds(counted, section.threshold, 0.0)
        found["fixed"] = auditing.at_thresholds(histogram, compared, one, classes)
    before = {}
    earlier = health.audit_file(run_dir, round_number - 1)
    if earlier.is_file():
        before[f"round {round_number - 1}"] = _shares(read_json(earlier))
    before["the source's labels"] = source
    return found | {"warnings": health.vanished_classes(round_number, _shares(found), before, classes)}


def _shares(audited: dict) -> np.ndarray:
    """float [C], the share of each class among the pixels kept."""
    return np.array([counted["share"] or 0.0 for counted in audited["classes"].values()])


def known_labels(run_dir: RunDir) -> dict[str, Path]:
    """The sets with labels of images that are among the pseudo-labelled ones: "labelled" in the budget, "hidden" not."""
    sets = {name: run_dir.data(f"target_{name}") for name in ("labelled", "hidden")}
    return {name: directory for name, directory in sets.items() if is_finished(directory)}
