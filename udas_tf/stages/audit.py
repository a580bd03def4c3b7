"""What the pseudo-labels of a round are worth: coverage, precision, calibration, agreement, and what became worse."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from udas_tf import metrics, pseudo_labels
from udas_tf.data import pipeline
from udas_tf.taxonomy import IGNORE

MIOU = "mIoU on the labelled images"
AGREEMENT = "agreement of the views"


class Compared:
    """Pseudo-labels of the images whose true labels are known, counted without any threshold.

    Attributes:
      confusion: int64 [C, C], pixels by true label and pseudo-label.
      pixels, right: int64 [C, 256], pixels with a true label by pseudo-label and stored confidence, and those of them
        where the two are the same.
    """

    def __init__(self, classes: int):
        self.confusion = np.zeros((classes, classes), np.int64)
        self.pixels = np.zeros((classes, 256), np.int64)
        self.right = np.zeros((classes, 256), np.int64)

    def add(self, truth: np.ndarray, label: np.ndarray, confidence: np.ndarray) -> None:
        """Counts an image: uint8 [H, W] each; 255 in `truth` is left out."""
        known = truth != IGNORE
        truth, label, confidence = truth[known], label[known], confidence[known]
        np.add.at(self.confusion, (truth, label), 1)
        np.add.at(self.pixels, (label, confidence), 1)
        np.add.at(self.right, (label[truth == label], confidence[truth == label]), 1)


def compare(directory: Path, truths: Mapping[str, Path], classes: int) -> dict[str, Compared]:
    """A set of pseudo-labels against sets of records with true labels, by the names of these."""
    known = {name: labels_by_id(truth) for name, truth in truths.items()}
    found = {name: Compared(classes) for name in truths}
    if known:
        batches, _ = pipeline.evaluation(directory, 1, ("label", "confidence", "id"))
        for batch in batches.as_numpy_iterator():
            for name, labels in known.items():
                truth = labels.get(batch["id"][0])
                if truth is not None:
                    found[name].add(truth, batch["label"][0], batch["confidence"][0])
    return found


def labels_by_id(directory: Path) -> dict[bytes, np.ndarray]:
    batches, _ = pipeline.evaluation(directory, 1, ("label", "id"))
    return {batch["id"][0]: batch["label"][0] for batch in batches.as_numpy_iterator()}


def at_thresholds(
    histogram: np.ndarray, compared: Mapping[str, Compared], thresholds: np.ndarray, classes: tuple[str, ...]
) -> dict:
    """What some thresholds keep, and how often that is right.

    Args:
      histogram: int [C, 256], pixels by pseudo-label and stored confidence.
      compared: by the name of the true labels.
      thresholds: uint8 [at least C].

    Returns:
      {"coverage": kept / all pixels, "classes": {name: {"threshold", "share": of the kept pixels, "coverage": kept /
      labelled as it}}, "precision": {name in `compared`: {"all": ..., class name: ...}}}; fractions, None for 0 / 0.
    """
    labelled, kept = histogram.sum(1), pseudo_labels.kept_pixels(histogram, thresholds)
    precision = {}
    for name, found in compared.items():
        known = pseudo_labels.kept_pixels(found.pixels, thresholds)
        right = pseudo_labels.kept_pixels(found.right, thresholds)
        per_class = {class_: ratio(right[i], known[i]) for i, class_ in enumerate(classes)}
        precision[name] = {"all": ratio(right.sum(), known.sum()), **per_class}
    return {
        "coverage": ratio(kept.sum(), labelled.sum()),
        "classes": {
            name: {
                "threshold": float(thresholds[i] / 255),
                "share": ratio(kept[i], kept.sum()),
                "coverage": ratio(kept[i], labelled[i]),
            }
            for i, name in enumerate(classes)
        },
        "precision": precision,
    }


def view_agreement(notes: list[dict], classes: tuple[str, ...]) -> dict[str, float | None] | None:
    """Of the pixels that several views saw, the fraction where all of them say the same; by pseudo-label.

    Args:
      notes: of the shards, {"shared": [256], "agreeing": [256]} pixels by pseudo-label.

    Returns:
      {"all": ..., class name: ...}; None for a set without notes, or of one view.
    """
    if not notes:
        return None
    shared, agreeing = (np.sum([note[key] for note in notes], axis=0) for key in ("shared", "agreeing"))
    if not shared.any():
        return None
    per_class = {name: ratio(agreeing[i], shared[i]) for i, name in enumerate(classes)}
    return {"all": ratio(agreeing.sum(), shared.sum()), **per_class}


def suggestion(histogram: np.ndarray, labelled: Compared, wanted: float) -> dict:
    """The smallest threshold that is precise enough on the labelled images, and what it would keep of all.

    Returns:
      {"wanted_precision", "threshold": None where none reaches it, "coverage": None then}.
    """
    threshold = pseudo_labels.suggested_threshold(labelled.pixels.sum(0), labelled.right.sum(0), wanted)
    coverage = None
    if threshold is not None:
        coverage = ratio(histogram.sum(0)[round(255 * threshold) :].sum(), histogram.sum())
    return {"wanted_precision": wanted, "threshold": threshold, "coverage": coverage}


def score(
    labelled: Compared | None,
    agreement: Mapping[str, float | None] | None,
    classes: tuple[str, ...],
    expected: np.ndarray,
) -> dict | None:
    """One number that falls when a round makes things worse: what the stop rule compares.

    With labels it is the mIoU of the pseudo-labels, none masked, on the images of the budget. Without, it is the mean
    over the expected classes of the agreement of the views, 0 for a class that no pixel has: a teacher that sees one
    class everywhere agrees with itself, too.

    Args:
      labelled: on the images of the budget; None without any.
      agreement: of `view_agreement`.
      expected: bool [C], classes that occur in the source's labels.

    Returns:
      {"what": MIOU or AGREEMENT, "value": fraction}; None where neither can be had.
    """
    if labelled is not None and labelled.confusion.any():
        return {"what": MIOU, "value": metrics.scores(labelled.confusion, classes)["miou"]}
    if agreement is None or not expected.any():
        return None
    values = [agreement[name] or 0.0 for name, wanted in zip(classes, expected, strict=True) if wanted]
    return {"what": AGREEMENT, "value": float(np.mean(values))}


def ratio(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None
