"""The audit of pseudo-labels: coverage, precision, calibration, agreement of the views, and lost classes.

The audit alone opens the hidden labels, those beyond the budget. What it finds with them is only shown: no training
and no stop rule depends on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from udas_tf import confidence, shard_notes, typed_json
from udas_tf.data import pipeline, records
from udas_tf.evaluation import metrics
from udas_tf.pseudo_labels import labelling
from udas_tf.pseudo_labels.labelling import ShardNote
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.taxonomy import IGNORE
from udas_tf.training import callbacks

MIOU = "mIoU on the labelled images"
AGREEMENT = "agreement of the views"


@dataclasses.dataclass(frozen=True)
class ClassKept:
    """How much of one class the thresholds keep.

    Attributes:
      threshold: of the class, a probability.
      share: of the class among the pixels kept; None where no pixel is kept.
      coverage: fraction of the class's own pixels that is kept; None where no pixel has the class.
    """

    threshold: float
    share: float | None
    coverage: float | None


@dataclasses.dataclass(frozen=True)
class Kept:
    """How much the thresholds keep, and how much of that is right.

    Attributes:
      coverage: fraction of all pixels that is kept; None without pixels.
      classes: class name -> how much of it is kept.
      precision: "labelled" or "hidden" -> "all" or class name -> fraction of the pixels kept that are right; None where
        no pixel is kept.
    """

    coverage: float | None
    classes: dict[str, ClassKept]
    precision: dict[str, dict[str, float | None]]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """The smallest threshold that reaches a precision on the labelled images.

    Attributes:
      desired_precision: `pseudo_label.desired_precision`.
      threshold: a probability; None where no threshold reaches it.
      coverage: fraction of all pixels that it would keep; None without a threshold.
    """

    desired_precision: float
    threshold: float | None
    coverage: float | None


@dataclasses.dataclass(frozen=True)
class Score:
    """The number that the stop rule compares.

    Attributes:
      what: MIOU or AGREEMENT.
      value: a fraction.
    """

    what: str
    value: float | None


@dataclasses.dataclass(frozen=True)
class Audit:
    """The quality of the pseudo-labels for one row.

    Attributes:
      row: the row that learns from them.
      round: its number, from 1.
      threshold: `pseudo_label.threshold`.
      kept: what the thresholds of the classes keep.
      fixed: what `threshold` would keep for every class; None without `pseudo_label.min_class_fraction`.
      calibration: "labelled" or "hidden" -> how well confidences match accuracies.
      agreement: "all" or class name -> fraction of the pixels seen by several views to which all of them give one
        class. None with one view.
      suggestion: None without labelled images.
      score: for the stop rule; None with neither labels nor several views.
      warnings: each with its remedy.
    """

    row: str
    round: int
    threshold: float
    kept: Kept
    fixed: Kept | None
    calibration: dict[str, metrics.Calibration]
    agreement: dict[str, float | None] | None
    suggestion: Suggestion | None
    score: Score | None
    warnings: list[str]


class Compared:
    """Counts of pseudo-labels against true labels, without any threshold.

    Args:
      classes: C.

    Attributes:
      confusion: int64 [C, C], pixels by true label and pseudo-label.
      pixels: int64 [C, 256], pixels with a true label, by pseudo-label and stored confidence.
      right: int64 [C, 256], those of them whose pseudo-label is the true one.
    """

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.pixels = np.zeros((classes, 256), np.int64)
        self.right = np.zeros((classes, 256), np.int64)

    def add(self, truth: np.ndarray, label: np.ndarray, stored: np.ndarray) -> None:
        """Counts an image.

        Args:
          truth: uint8 [H, W], true labels; IGNORE (255) is left out.
          label: uint8 [H, W], pseudo-labels.
          stored: uint8 [H, W], round(255 * confidence).
        """
        known = truth != IGNORE
        truth, label, stored = truth[known], label[known], stored[known]
        np.add.at(self.confusion, (truth, label), 1)
        np.add.at(self.pixels, (label, stored), 1)
        np.add.at(self.right, (label[truth == label], stored[truth == label]), 1)


def audit(run: Run, name: str, round_number: int, before: str | None) -> None:
    """Writes the audit of the pseudo-labels of a row, unless it is there, and logs its warnings.

    Args:
      run: the run that has the row.
      name: of the row that learns from them.
      round_number: from 1.
      before: name of the row of the round before; None in the first round.
    """
    file = run.dir.audit(name)
    if file.is_file():
        return
    result = audited(run, name, round_number, before)
    typed_json.write(file, result)
    callbacks.warn(run.dir.tensorboard(name), 0, result.warnings)


def read(run_dir: RunDir, name: str) -> Audit | None:
    """The audit of a row's pseudo-labels; None where there is none, UserError where the file is damaged."""
    file = run_dir.audit(name)
    return typed_json.read(file, Audit) if file.is_file() else None


def audited(run: Run, name: str, round_number: int, before: str | None) -> Audit:
    """The audit of the finished pseudo-labels of a row; arguments as in `audit`."""
    classes, section = run.classes.classes, run.config.pseudo_label
    directory = run.dir.pseudo_labels(name)
    counted = labelling.histogram(directory)
    histogram = counted[: len(classes)]
    thresholds = confidence.class_thresholds(counted, section.threshold, section.min_class_fraction)
    compared = compare(directory, known_labels(run.dir), len(classes))
    agreement = view_agreement(shard_notes.read(directory, ShardNote), classes)
    source = source_shares(run.dir, len(classes))
    labelled = compared.get("labelled")
    kept, fixed = at_thresholds(histogram, compared, thresholds, classes), None
    if section.min_class_fraction:
        one = confidence.class_thresholds(counted, section.threshold, 0.0)
        fixed = at_thresholds(histogram, compared, one, classes)
    earlier = read(run.dir, before) if before is not None else None
    shares_before = {f"round {round_number - 1}": _shares(earlier.kept)} if earlier is not None else {}
    shares_before["the source's labels"] = source
    return Audit(
        row=name,
        round=round_number,
        threshold=section.threshold,
        kept=kept,
        fixed=fixed,
        calibration={
            known: metrics.calibration(pixels.pixels.sum(0), pixels.right.sum(0)) for known, pixels in compared.items()
        },
        agreement=agreement,
        suggestion=suggestion(histogram, labelled, section.desired_precision) if labelled else None,
        score=score(labelled, agreement, classes, source > 0),
        warnings=vanished_classes(round_number, _shares(kept), shares_before, classes),
    )


def _shares(kept: Kept) -> np.ndarray:
    """float [C], the share of each class among the pixels kept; 0 where none is kept."""
    return np.array([counted.share or 0.0 for counted in kept.classes.values()])


def known_labels(run_dir: RunDir) -> dict[str, Path]:
    """The finished sets with true labels of target images: "labelled" within the budget, "hidden" beyond it."""
    sets = {name: run_dir.data(f"target_{name}") for name in ("labelled", "hidden")}
    return {name: directory for name, directory in sets.items() if is_finished(directory)}


def source_shares(run_dir: RunDir, classes: int) -> np.ndarray:
    """float [C], the share of each class among the labelled pixels of the source; zeros where there is no source."""
    directory = run_dir.data("source_train")
    if not is_finished(directory):
        return np.zeros(classes)
    pixels = np.array(records.read_manifest(directory).class_pixels[:classes], float)
    return pixels / max(pixels.sum(), 1.0)


def compare(directory: Path, truths: Mapping[str, Path], classes: int) -> dict[str, Compared]:
    """Compares a set of pseudo-labels with sets of true labels, image by image.

    Args:
      directory: of the pseudo-labels.
      truths: name -> directory of records with true labels.
      classes: C.

    Returns:
      Name of the true labels -> the counts.
    """
    known = {name: labels_by_id(truth) for name, truth in truths.items()}
    counts = {name: Compared(classes) for name in truths}
    if known:
        batches, _ = pipeline.evaluation(directory, 1, ("label", "confidence", "id"))
        for batch in batches.as_numpy_iterator():
            for name, labels in known.items():
                truth = labels.get(batch["id"][0])
                if truth is not None:
                    counts[name].add(truth, batch["label"][0], batch["confidence"][0])
    return counts


def labels_by_id(directory: Path) -> dict[bytes, np.ndarray]:
    """Id of a record -> its label, uint8 [H, W]; the whole set in memory."""
    batches, _ = pipeline.evaluation(directory, 1, ("label", "id"))
    return {batch["id"][0]: batch["label"][0] for batch in batches.as_numpy_iterator()}


def at_thresholds(
    histogram: np.ndarray, compared: Mapping[str, Compared], thresholds: np.ndarray, classes: tuple[str, ...]
) -> Kept:
    """How much thresholds keep, and how much of that is right.

    Args:
      histogram: int [C, 256], pixels by pseudo-label and stored confidence.
      compared: name of the true labels -> counts of `compare`.
      thresholds: uint8 [at least C], the least stored confidence that is kept, by pseudo-label.
      classes: names by train id.
    """
    labelled, kept = histogram.sum(1), confidence.kept_pixels(histogram, thresholds)
    precision = {}
    for name, counts in compared.items():
        known = confidence.kept_pixels(counts.pixels, thresholds)
        right = confidence.kept_pixels(counts.right, thresholds)
        of_class = {class_: ratio(right[i], known[i]) for i, class_ in enumerate(classes)}
        precision[name] = {"all": ratio(right.sum(), known.sum()), **of_class}
    per_class = {
        name: ClassKept(float(thresholds[i] / 255), ratio(kept[i], kept.sum()), ratio(kept[i], labelled[i]))
        for i, name in enumerate(classes)
    }
    return Kept(ratio(kept.sum(), labelled.sum()), per_class, precision)


def view_agreement(notes: Sequence[ShardNote], classes: tuple[str, ...]) -> dict[str, float | None] | None:
    """The fraction of the pixels seen by several views to which all of them give one class.

    Args:
      notes: of the shards of a set of pseudo-labels.
      classes: names by train id.

    Returns:
      "all" or class name of the pseudo-label -> fraction, None where no pixel has it. None for a set without notes, or
      with one view.
    """
    if not notes:
        return None
    shared, agreeing = (np.sum([getattr(note, key) for note in notes], axis=0) for key in ("shared", "agreeing"))
    if not shared.any():
        return None
    per_class = {name: ratio(agreeing[i], shared[i]) for i, name in enumerate(classes)}
    return {"all": ratio(agreeing.sum(), shared.sum()), **per_class}


def suggestion(histogram: np.ndarray, labelled: Compared, wanted: float) -> Suggestion:
    """The smallest threshold that reaches a precision on the labelled images.

    Args:
      histogram: int [C, 256], pixels of the whole set by pseudo-label and stored confidence.
      labelled: counts on the labelled images.
      wanted: the precision, 0..1.
    """
    threshold = confidence.suggested_threshold(labelled.pixels.sum(0), labelled.right.sum(0), wanted)
    coverage = None
    if threshold is not None:
        coverage = ratio(histogram.sum(0)[round(255 * threshold) :].sum(), histogram.sum())
    return Suggestion(wanted, threshold, coverage)


def score(
    labelled: Compared | None,
    agreement: Mapping[str, float | None] | None,
    classes: tuple[str, ...],
    expected: np.ndarray,
) -> Score | None:
    """The number that the stop rule compares: it falls when a round makes the pseudo-labels worse.

    With labelled images it is the mIoU of their pseudo-labels, at every confidence. Without, it is the mean agreement
    of the views over the expected classes. A class that no pixel has counts as 0, because a teacher that sees one class
    everywhere agrees with itself, too.

    Args:
      labelled: counts on the labelled images; None without any.
      agreement: of `view_agreement`.
      classes: names by train id.
      expected: bool [C], classes that occur in the source's labels.

    Returns:
      The score; None with neither labelled images nor several views, or without expected classes.
    """
    if labelled is not None and labelled.confusion.any():
        return Score(MIOU, metrics.scores(labelled.confusion, classes)["miou"])
    if agreement is None or not expected.any():
        return None
    values = [agreement[name] or 0.0 for name, wanted in zip(classes, expected, strict=True) if wanted]
    return Score(AGREEMENT, float(np.mean(values)))


def ratio(part: int, whole: int) -> float | None:
    """part / whole; None where the whole is 0."""
    return float(part / whole) if whole else None


def vanished_classes(
    round_number: int, shares: np.ndarray, before: Mapping[str, np.ndarray], classes: Sequence[str]
) -> list[str]:
    """Warns of classes that the pseudo-labels of a round have lost.

    Args:
      round_number: from 1.
      shares: float [C], of each class among the pixels kept.
      before: words for what to compare with -> float [C], its shares. A class is named once, with the first of them
        that has it.
      classes: names by train id.

    Returns:
      One warning with its remedy; empty where no class is lost.
    """
    lost: dict[int, tuple[str, float]] = {}
    for what, earlier in before.items():
        for number in np.flatnonzero(confidence.vanished(shares, earlier)):
            lost.setdefault(int(number), (what, earlier[number]))
    if not lost:
        return []
    listed = ", ".join(
        f"{classes[number]} ({per_cent(shares[number])} of the pixels kept, {per_cent(earlier)} in {what})"
        for number, (what, earlier) in sorted(lost.items())
    )
    text = (
        f"vanishing from the pseudo-labels of round {round_number}: {listed}; raise pseudo_label.min_class_fraction or "
        "student.class_weight_power, set student.cutmix_pseudo=true or lower pseudo_label.threshold"
    )
    return [text]


def per_cent(fraction: float) -> str:
    """A fraction as text, such as "12.50 %"."""
    return f"{100 * fraction:.2f} %"
