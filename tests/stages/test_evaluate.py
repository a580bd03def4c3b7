import numpy as np
import pytest
import tensorflow as tf

from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish, read_json
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
    ("on", "stage", "name", "read", "learnt_from"),
    [
        ("target", "supervised", "supervised", "data/target_val", None),
        ("source", "supervised", "supervised", "data/source_train", False),
        ("translated", "supervised", "supervised", "translated", False),
        ("translated", "source", "no_adaptation", "translated", True),
        ("source", "uda", "cutmix", "data/source_train", True),
    ],
)
def test_a_row_is_scored_on_any_set(on, stage, name, read, learnt_from, tmp_path, monkeypatch):
    """Only the scores on the target's validation set are those of the table."""
    config, run_dir = base_config(), RunDir(tmp_path)
    finish(run_dir.training(name), {"step": 7})
    opened = []

    def score(config, segmenter, directory, *arguments):
        opened.append(str(directory.relative_to(tmp_path)))
        return {"images": 1, "miou": 0.5, "pixel_accuracy": 0.5, "iou": {}}

    monkeypatch.setattr(evaluate, "score", score)
    monkeypatch.setattr(evaluate.networks, "trained_segmenter", lambda *arguments: None)
    result = evaluate.evaluate(config, run_dir, stage, None, name, on)
    assert opened == [read]
    assert (result.get("on"), result.get("learnt_from")) == (
        (None, None) if on == "target" else (on, learnt_from)
    )
    assert read_json(evaluate.metrics_path(run_dir, name, on, "plain", "training")) == result
    assert len(list(run_dir.training(name).iterdir())) == (2 if on == "target" else 1)


def test_a_missing_translation_names_its_command(tmp_path):
    run_dir = RunDir(tmp_path)
    with pytest.raises(UserError, match="run first: bin/udas translate"):
        evaluate.score(base_config(), None, run_dir.translated, run_dir)


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


def write_val(run_dir, name, size, images=3):
    """The left half road, the right half sidewalk; bright images there."""

    def sample(index):
        half = np.arange(size[1]) >= size[1] // 2
        image = np.where(half, 200, 50)[np.newaxis, :, np.newaxis] * np.ones((size[0], 1, 3))
        return records.Sample(
            f"image_{index}", image.astype(np.uint8), np.tile(half, (size[0], 1)).astype(np.uint8)
        )

    records.write(
        run_dir.data(name),
        "validation",
        images,
        lambda indices: map(sample, indices),
        shard_images=4,
        provenance={},
        label=name,
    )


def brightness_classes(images, training=False):
    """A segmenter at a quarter of the size: sidewalk is where images are bright."""
    small = tf.cast(images, tf.float32)[:, ::4, ::4, :1] - 127.5
    never = tf.fill(tf.shape(small), -1e4)
    return {"primary": tf.concat([tf.zeros_like(small), small, *[never] * 17], -1)}


def test_full_resolution_has_the_labels_of_another_size_and_the_same_network(tmp_path):
    run_dir, config = RunDir(tmp_path), override(base_config(), {"evaluate.batch_size": "2"})
    write_val(run_dir, "target_val", (8, 16))
    row = rounds.Row("no_adaptation", "source")
    with pytest.raises(UserError, match="no labels at full resolution.*data prepare --accept_config_change"):
        evaluate.score_row(config, run_dir, row, brightness_classes, 9, resolution="full")
    write_val(run_dir, "target_val_full", (16, 32))
    small, full = (
        evaluate.score_row(config, run_dir, row, brightness_classes, 9, resolution=resolution)
        for resolution in ("training", "full")
    )
    # Logits of columns 0, 4, 8, 12 are -77.5, -77.5, 72.5, 72.5, and lie at 0, w, 2w, 3w of 3w + 1 pixels: w = 5 and
    # w = 31/3. They cross 0 at w + w * 77.5 / 150: 7.58 of 16 columns, 15.67 of 32. So no column is wrong.
    assert small["miou"] == full["miou"] == 1.0
    assert full["resolution"] == "full" and full["views"] == "plain" and "views" not in small
    write_val(run_dir, "target_hidden", (16, 32), images=2)
    with pytest.raises(UserError, match="holds other images than the validation set"):
        evaluate.score(
            config,
            brightness_classes,
            run_dir.data("target_val"),
            run_dir,
            full_labels=run_dir.data("target_hidden"),
        )


def test_full_resolution_is_of_the_target_alone(tmp_path):
    with pytest.raises(UserError, match="--on=source"):
        evaluate.evaluate(
            base_config(), RunDir(tmp_path), "supervised", None, None, "source", "plain", "full"
        )
