import dataclasses
import json

import finished
import numpy as np
import pytest
from pixel_networks import by_brightness

from udas_tf import typed_json
from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.evaluation import evaluate
from udas_tf.evaluation.scores import Scores
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish

MEASURED = {"images": 1, "miou": 0.5, "pixel_accuracy": 0.5, "iou": dict.fromkeys(CITYSCAPES.classes, 0.5)}


@pytest.fixture
def run(tmp_path):
    return open_run(override(base_config(), {"evaluate.batch_size": 2}), RunDir(tmp_path))


def test_scores_of_subsets_leave_classes_out():
    """IoU 1 for what both subsets leave out, 1/2 for what thirteen leave out, 1/4 for the rest."""
    iou = dict.fromkeys(CITYSCAPES.classes, 0.25)
    iou |= dict.fromkeys(("terrain", "truck", "train"), 1.0) | dict.fromkeys(("wall", "fence", "pole"), 0.5)
    scores = evaluate.subset_scores(iou)
    assert scores == pytest.approx({"miou_16": (13 * 0.25 + 3 * 0.5) / 16, "miou_13": 0.25})
    scores = evaluate.subset_scores(iou | {"wall": None, "road": None, "sky": 0.75})
    assert scores == pytest.approx({"miou_16": (11 * 0.25 + 0.75 + 2 * 0.5) / 14, "miou_13": (11 * 0.25 + 0.75) / 12})
    assert evaluate.subset_scores(dict.fromkeys(CITYSCAPES.classes)) == {"miou_16": None, "miou_13": None}


@pytest.mark.parametrize(
    ("on", "name", "saw_source", "read", "learnt_from"),
    [
        ("target", "supervised", False, "data/target_val", False),
        ("target", "cutmix", True, "data/target_val", False),
        ("source", "supervised", False, "data/source_train", False),
        ("translated", "supervised", False, "translated", False),
        ("translated", "no_adaptation", True, "translated", True),
        ("source", "cutmix", True, "data/source_train", True),
    ],
)
def test_a_row_is_scored_on_any_set_and_its_directory_stays_sealed(
    on, name, saw_source, read, learnt_from, run, tmp_path, monkeypatch
):
    finish(run.dir.training(name), finished.manifest(name, "any", saw_source=saw_source))
    opened = []

    def score(run, segmenter, directory, *arguments):
        opened.append(str(directory.relative_to(tmp_path)))
        return dict(MEASURED)

    monkeypatch.setattr(evaluate, "score", score)
    monkeypatch.setattr(evaluate, "trained_segmenter", lambda *arguments: None)
    scores = evaluate.evaluate(run, name, on)
    assert opened == [read]
    assert (scores.name, scores.stage, scores.step) == (name, "any", 9)
    assert (scores.on, scores.learnt_from, scores.miou) == (on, learnt_from, 0.5)
    file = run.dir.path / "scores" / name / f"{on}.json"
    assert evaluate.scores_path(run.dir, name, on, "none", "training") == file
    assert typed_json.read(file, Scores) == scores
    assert [path.name for path in run.dir.training(name).iterdir()] == ["manifest.json"]


def test_files_of_scores_do_not_collide():
    files = {
        evaluate.scores_path(RunDir("run"), "supervised", on, tta, resolution)
        for on in ("target", "source", "translated")
        for tta in ("none", "flip", "multi_scale")
        for resolution in ("training", "full")
    }
    assert len(files) == 18
    assert {file.parent for file in files} == {RunDir("run").path / "scores" / "supervised"}
    assert "target_multi_scale_full_size.json" in {file.name for file in files}


def test_a_missing_translation_names_its_command(run):
    with pytest.raises(UserError, match="run first: bin/udas translate"):
        evaluate.score(run, None, run.dir.translated)


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
    run = open_run(override(base_config(), {"classes": classes}), RunDir(tmp_path))
    if dataset:
        image, label = np.zeros((4, 8, 3), np.uint8), np.zeros((4, 8), np.uint8)
        records.write(
            run.dir.data("source_train"),
            "training",
            1,
            lambda indices: [Sample("a", image, label)],
            shard_images=1,
            provenance={"dataset": dataset},
            label="test",
        )
    monkeypatch.setattr(evaluate, "score", lambda *arguments: dict(MEASURED))
    scores = evaluate.score_row(run, finished.manifest(step=7), None)
    assert (scores.miou_16, scores.miou_13) == ((0.5, 0.5) if expected else (None, None))
    assert scores.miou == 0.5 and scores.step == 7


def write_val(run, name, size, images=3):
    """The left half road, the right half sidewalk; images are bright there."""

    def sample(index):
        half = np.arange(size[1]) >= size[1] // 2
        image = np.where(half, 200, 50)[np.newaxis, :, np.newaxis] * np.ones((size[0], 1, 3))
        return Sample(f"image_{index}", image.astype(np.uint8), np.tile(half, (size[0], 1)).astype(np.uint8))

    records.write(
        run.dir.data(name),
        "validation",
        images,
        lambda indices: map(sample, indices),
        shard_images=4,
        provenance={},
        label=name,
    )


def test_scores_of_a_set_by_hand(run):
    """At each pixel the network sees bright columns 8 to 15: all are right. Darker by 100, all are road."""
    write_val(run, "target_val", (8, 16))
    directory = run.dir.data("target_val")
    nothing = dict.fromkeys(CITYSCAPES.classes)
    found = evaluate.score(run, by_brightness(), directory)
    assert found == {
        "images": 3,
        "miou": 1.0,
        "pixel_accuracy": 1.0,
        "iou": nothing | {"road": 1.0, "sidewalk": 1.0},
    }
    network = by_brightness()
    found = evaluate.score(run, lambda images, training: network(images - 100.0, training), directory, "flip")
    assert found == {
        "images": 3,
        "miou": 0.25,
        "pixel_accuracy": 0.5,
        "iou": nothing | {"road": 0.5, "sidewalk": 0.0},
    }


def test_full_resolution_has_the_labels_of_another_size_and_the_same_network(run):
    write_val(run, "target_val", (8, 16))
    network, trained = by_brightness(stride=4), finished.manifest("no_adaptation", "source")
    with pytest.raises(
        UserError, match=r"no labels at full resolution.*data prepare --config.data.target.val_full_size"
    ):
        evaluate.score_row(run, trained, network, resolution="full")
    write_val(run, "target_val_full", (16, 32))
    small, full = (
        evaluate.score_row(run, trained, network, resolution=resolution) for resolution in ("training", "full")
    )
    # Logits of columns 0, 4, 8, 12 are -77.5, -77.5, 72.5, 72.5, and lie at 0, w, 2w, 3w of 3w + 1 pixels: w = 5 and
    # w = 31/3. They cross 0 at w + w * 77.5 / 150: 7.58 of 16 columns, 15.67 of 32. So no column is wrong.
    assert small.miou == full.miou == 1.0
    assert dataclasses.replace(full, resolution="training") == small
    write_val(run, "target_hidden", (16, 32), images=2)
    with pytest.raises(UserError, match="holds other images than the validation set"):
        evaluate.score(run, network, run.dir.data("target_val"), full_labels=run.dir.data("target_hidden"))


def test_full_resolution_is_of_the_target_alone(run):
    with pytest.raises(UserError, match="--on=source"):
        evaluate.evaluate(run, "supervised", "source", "none", "full")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ({"miou": "a quarter"}, r"\$\.miou"),
        ({"iou": {"road": "much"}}, r"\$\.iou"),
        ({"step": None}, r"\$\.step"),
        ("step", "`step`"),
    ],
)
def test_a_damaged_score_names_the_file_and_the_key_and_how_to_mend_it(damage, complaint, run):
    file = run.dir.training("cutmix") / evaluate.METRICS
    typed_json.write(file, finished.scores())
    assert evaluate.sealed_score(run.dir, "cutmix") == finished.scores()
    content = json.loads(file.read_text())
    if damage == "step":
        del content[damage]
    else:
        content |= damage
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"cutmix/metrics\.json is damaged \(.*{complaint}") as raised:
        evaluate.sealed_score(run.dir, "cutmix")
    assert "\n" not in str(raised.value)
    again = run.dir.path / "scores" / "cutmix" / "target.json"
    command = f"bin/udas evaluate --name=cutmix --workdir={run.dir.path}"
    assert str(raised.value).endswith(f"run {command} and copy {again} over it")
