"""What finished trainings leave behind, for tests that need no training."""

from __future__ import annotations

from typing import Any

from udas_tf.evaluation.scores import Scores
from udas_tf.networks import SEGMENTER, TrainingManifest


def manifest(row: str = "cutmix", stage: str = "uda", **changes: Any) -> TrainingManifest:
    """A manifest of a training; its weights have the row's name as their checksum."""
    values: dict[str, Any] = {
        "round": None,
        "step": 9,
        "weights": SEGMENTER,
        "weights_sha256": row,
        "precision": "float32",
        "saw_source": True,
    }
    return TrainingManifest(row=row, stage=stage, **(values | changes))


def scores(name: str = "cutmix", miou: float | None = 0.25, **changes: Any) -> Scores:
    """The scores of a row on five images."""
    values: dict[str, Any] = {
        "stage": "uda",
        "round": None,
        "step": 9,
        "images": 5,
        "pixel_accuracy": 0.75,
        "iou": {"road": miou},
    }
    return Scores(name=name, miou=miou, **(values | changes))
