import numpy as np
import pytest

from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.run_dir import RunDir
from udas_tf.stages import evaluate, rounds
from udas_tf.taxonomy import CITYSCAPES


def test_scores_of_subsets_leave_classes_out():
    """IoU 1 for what both subsets leave out, 1/2 for what thirteen leave out, 1/4 for the rest."""
    iou = dict.fromkeys(CITYSCAPES.classes, 0.25)
    iou |= dict.fromkeys(("terrain", "truck", "train"), 1.0) | dict.fromkeys(("wall", "fence", "pole"), 0.5)
    scores = evaluate.subset_scores(iou)
    assert scores == pytest.approx({"miou_16": (13 * 0.25 + 3 * 0.5) / 16, "miou_13": 0.25})
    scores = evaluate.subset_scores(iou | {"wall": None, "road": None, "sky": 0.75})
    assert scores == pytest.approx(
        {"miou_16": (11 * 0.25 + 0.75 + 2 * 0.5) / 14, "miou_13": (11 * 0.25 + 0.75) / 12}
    )
    assert evaluate.subset_scores(dict.fromkeys(CITYSCAPES.classes)) == {"miou_16": None, "miou_13": None}


@pytest.mark.parametrize(
    ("dataset", "classes", "expected"),
    [
        ("synthia", "cityscapes", True),
        ("gta5", "cityscapes", False),
        ("synthia", "camvid", False),
        (None, "cityscapes", False),
    ],
)
def test_subsets_are_scored_where_the_source_is_synthia(dataset, classes, expected, tmp_path, monkeypatch):
    config, run_dir = override(base_config(), {"classes": classes}), RunDir(tmp_path)
    if dataset:
        image, label = np.zeros((4, 8, 3), np.uint8), np.zeros((4, 8), np.uint8)
        records.write(
            run_dir.data("source_train"),
            "training",
            1,
            lambda indices: [records.Sample("a", image, label)],
            shard_images=1,
            provenance={"dataset": dataset},
            label="test",
        )
    scored = {"images": 1, "miou": 0.5, "pixel_accuracy": 0.5, "iou": dict.fromkeys(CITYSCAPES.classes, 0.5)}
    monkeypatch.setattr(evaluate, "score", lambda *arguments: scored)
    result = evaluate.score_row(config, run_dir, rounds.find(config, "source", None, None), None, 7)
    assert (
        {"miou_16", "miou_13"} <= set(result) if expected else result.keys() & {"miou_16", "miou_13"} == set()
    )
    assert result["miou"] == 0.5 and result["step"] == 7
