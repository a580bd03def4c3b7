"""Scores as dataclasses: of a network on a set, and all scores of a row side by side."""

from __future__ import annotations

import dataclasses

TARGET, SOURCE, TRANSLATED = "target", "source", "translated"
RESOLUTIONS = ("training", "full")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of a row on one set: fractions, None where the set has no labelled pixel.

    Attributes:
      name: of the row.
      stage: method that trained it.
      round: of a row that repeats in rounds; None otherwise.
      step: of the checkpoint.
      images: in the set.
      miou: mean IoU over the classes that occur in the labels or in the predictions.
      pixel_accuracy: fraction of the labelled pixels that are predicted right.
      iou: class name -> IoU; None for a class that occurs neither in the labels nor in the predictions.
      miou_16, miou_13: mean IoU over the two subsets of classes used with SYNTHIA; None for other sources.
      on: the set: TARGET for its validation set, SOURCE for the source's training images, TRANSLATED for the same
        images in the target's style.
      learnt_from: whether the row was trained on these images and labels.
      tta: test-time augmentation, a key of `inference.TTA`.
      resolution: one of RESOLUTIONS.
    """

    name: str
    stage: str
    round: int | None
    step: int
    images: int
    miou: float | None
    pixel_accuracy: float | None
    iou: dict[str, float | None]
    miou_16: float | None = None
    miou_13: float | None = None
    on: str = TARGET
    learnt_from: bool = False
    tta: str = "none"
    resolution: str = "training"


@dataclasses.dataclass(frozen=True)
class ScoreAtStep:
    """A score on the validation set at one step of a training; fractions, None without labels."""

    step: int
    miou: float | None
    pixel_accuracy: float | None


@dataclasses.dataclass(frozen=True)
class OverSeeds:
    """The mIoU of a row over runs that differ in their seed, fractions.

    Attributes:
      runs: how many have the row.
      mean: over these.
      deviation: sample standard deviation; 0 with one run.
    """

    runs: int
    mean: float
    deviation: float


@dataclasses.dataclass(frozen=True)
class Card:
    """The score card of a row: all of its scores, each under its name; fractions.

    Attributes:
      name: of the row.
      last: mIoU of the last checkpoint, the score of the row.
      step: of the last checkpoint.
      best: the best score during training; None without `evaluate.every`.
      others: "flip", "plain, full resolution" and so on -> mIoU measured by `evaluate`.
      seeds: over this run and runs with other seeds; None where no other runs were named.
    """

    name: str
    last: float | None
    step: int
    best: ScoreAtStep | None
    others: dict[str, float | None]
    seeds: OverSeeds | None
