"""Scores against Cityscapes' own evaluation (evalPixelLevelSemanticLabeling) of the same PNGs.

The evaluation reads label ids (0..33), the project scores train ids (0..18, 255): both are written and read
back.
"""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.evaluation import metrics
from udas_tf.taxonomy import IGNORE

evaluation = pytest.importorskip("cityscapesscripts.evaluation.evalPixelLevelSemanticLabeling")
CITYSCAPES_LABELS = pytest.importorskip("cityscapesscripts.helpers.labels").labels

TOLERANCE = 1e-6
SIZE = (64, 128)
TRAIN_IDS = np.full(256, IGNORE, np.uint8)  # label id -> train id
LABEL_IDS = np.zeros(256, np.uint8)  # train id -> label id; no class is "unlabeled", 0
for label in CITYSCAPES_LABELS:
    if label.id >= 0:
        TRAIN_IDS[label.id] = label.trainId
        if label.trainId not in (-1, IGNORE):
            LABEL_IDS[label.trainId] = label.id


def blocks(rng, values):
    """A label map of rectangles: uint8 SIZE."""
    coarse = rng.choice(values, (8, 16)).astype(np.uint8)
    return np.kron(coarse, np.ones((SIZE[0] // 8, SIZE[1] // 16), np.uint8))


def write(folder, name, ids):
    folder.mkdir(exist_ok=True)
    path = folder / name
    Image.fromarray(ids).save(path)
    return str(path)


def pairs(tmp_path, seed, label_ids, predicted_train_ids, images=4):
    """PNGs of ground truth and predictions, as label ids and again as train ids."""
    rng = np.random.default_rng(seed)
    written = []
    for number in range(images):
        truth = blocks(rng, label_ids)
        prediction = TRAIN_IDS[truth]
        wrong = (prediction == IGNORE) | (rng.uniform(size=SIZE) < 0.4)
        prediction = np.where(wrong, rng.choice(predicted_train_ids, SIZE), prediction).astype(np.uint8)
        name = f"ulm_{number:06}_000019"
        written.append(
            {
                "truth": write(tmp_path / "gt", f"{name}_gtFine_labelIds.png", truth),
                "prediction": write(tmp_path / "results", f"{name}_pred.png", LABEL_IDS[prediction]),
                "truth_train": write(tmp_path / "gt", f"{name}_gtFine_labelTrainIds.png", TRAIN_IDS[truth]),
                "prediction_train": write(tmp_path / "train", f"{name}.png", prediction),
            }
        )
    return written


def official(written):
    """{"averageScoreClasses", "classScores"} of the evaluation."""
    arguments = evaluation.args
    arguments.quiet, arguments.JSONOutput, arguments.evalInstLevelScore = True, False, False
    found = evaluation.evaluateImgLists(
        [pair["prediction"] for pair in written], [pair["truth"] for pair in written], arguments
    )
    return found["averageScoreClasses"], found["classScores"]


def read(path):
    return np.asarray(Image.open(path))


def confusion_of(written):
    classes = len(CITYSCAPES)
    return sum(
        metrics.confusion_matrix(
            tf.constant(read(pair["truth_train"])), tf.constant(read(pair["prediction_train"])), classes
        ).numpy()
        for pair in written
    )


def deviation(iou, class_scores):
    """Largest difference of a class's IoU; NaN must be where the evaluation has it."""
    wanted = np.array([class_scores[name] for name in CITYSCAPES.classes])
    np.testing.assert_array_equal(np.isnan(iou), np.isnan(wanted))
    return np.nanmax(np.abs(iou - wanted))


ALL_IDS = [label.id for label in CITYSCAPES_LABELS if label.id >= 0]  # with the ignored ones


@pytest.mark.parametrize("seed", range(3))
def test_every_class_occurs(tmp_path, seed, within):
    written = pairs(tmp_path, seed, ALL_IDS, range(19))
    average, class_scores = official(written)
    confusion = confusion_of(written)
    scores = metrics.scores(confusion, CITYSCAPES.classes)
    within(abs(scores["miou"] - average), TOLERANCE)
    within(deviation(np.array([*scores["iou"].values()], float), class_scores), TOLERANCE)
    within(deviation(metrics.iou(confusion), class_scores), TOLERANCE)


def test_classes_that_occur_nowhere_are_left_out(tmp_path, within):
    """Neither labelled nor predicted: no score in either, and not part of the mean."""
    written = pairs(tmp_path, 5, [0, 4, 7, 8, 11, 21, 23, 26], [0, 1, 2, 8, 10, 13])
    average, class_scores = official(written)
    scores = metrics.scores(confusion_of(written), CITYSCAPES.classes)
    assert math.isnan(class_scores["train"]) and scores["iou"]["train"] is None
    within(abs(scores["miou"] - average), TOLERANCE)


def test_a_class_that_is_only_predicted(tmp_path, within):
    """It scores 0 and has a share of the mean."""
    written = pairs(tmp_path, 6, [7, 8, 11, 26], [0, 1, 2, 13, 16])
    average, class_scores = official(written)
    scores = metrics.scores(confusion_of(written), CITYSCAPES.classes)
    assert class_scores["train"] == scores["iou"]["train"] == 0.0
    within(abs(scores["miou"] - average), TOLERANCE)


def test_class_set_is_the_evaluations():
    """Names, order and colours of the nineteen train ids."""
    ordered = sorted((label for label in CITYSCAPES_LABELS if 0 <= label.trainId < 19), key=lambda x: x.trainId)
    assert CITYSCAPES.classes == tuple(label.name for label in ordered)
    assert CITYSCAPES.colours == tuple(label.color for label in ordered)
    assert all(label.ignoreInEval == (label.trainId in (-1, IGNORE)) for label in CITYSCAPES_LABELS)
