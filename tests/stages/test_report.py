import csv
import json
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from udas_tf.config import base_config
from udas_tf.data import records
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish, write_json
from udas_tf.stages import health, networks
from udas_tf.stages.health import WARNINGS
from udas_tf.stages.pseudo_label import audit
from udas_tf.stages.report import report
from udas_tf.stages.score_card import SCORES
from udas_tf.stages.translate import CHECK

SIZE = (32, 64)
ROWS = {  # name -> stage, round, mIoU
    "supervised": ("supervised", None, 0.25),
    "no_adaptation": ("source", None, 0.125),
    "student_1": ("student", 1, 0.5),
}


class Pictures(HTMLParser):
    def __init__(self):
        super().__init__()
        self.sources, self.texts = [], []

    def handle_starttag(self, tag, attributes):
        self.sources += [dict(attributes)["src"]] if tag == "img" else []

    def handle_data(self, text):
        self.texts.append(text.strip())


@pytest.fixture(scope="module")
def config():
    config = base_config().copy_and_resolve_references()
    config.data.size = SIZE
    config.data.target.labelled = 2
    config.model.backbone, config.model.width, config.model.aspp_rates = "compact", 8, (1, 2)
    config.student.rounds = 1
    config.translate.width, config.translate.blocks = 8, 1
    config.translate.max_disagreement = 0.5
    return config.lock()


def write_set(directory, role, count, label, confidence=None):
    rng = np.random.default_rng(count)

    def sample(index):
        image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        labels = np.where(np.arange(SIZE[1]) < 40, 0, 10).astype(np.uint8) * np.ones((SIZE[0], 1), np.uint8)
        sure = np.full(SIZE, confidence, np.uint8) if confidence is not None else None
        return records.Sample(f"image_{index}", image, labels if label else None, sure)

    records.write(
        directory,
        role,
        count,
        lambda indices: map(sample, indices),
        shard_images=4,
        provenance={},
        label=directory.name,
    )


def train(config, run_dir, name):
    stage, round_number, miou = ROWS[name]
    directory = run_dir.training(name)
    directory.mkdir(parents=True)
    networks.save(networks.segmenter(config), directory / networks.WEIGHTS)
    iou = {name: None for name in networks.class_set(config).classes} | {"road": miou, "sky": miou}
    row = {"stage": stage, "round": round_number, "step": 9, "images": 5}
    write_json(directory / "metrics.json", row | {"miou": miou, "pixel_accuracy": 0.75, "iou": iou})
    finish(directory, {"step": 9})


@pytest.fixture(scope="module")
def run_dir(config, tmp_path_factory):
    run_dir = RunDir(tmp_path_factory.mktemp("runs") / "mine")
    write_set(run_dir.data("source_train"), "training", 9, label=True)
    write_set(run_dir.data("target_unlabelled"), "training", 6, label=False)
    write_set(run_dir.data("target_labelled"), "training", 5, label=True)
    write_set(run_dir.data("target_val"), "validation", 5, label=True)
    write_set(run_dir.translated, "training", 9, label=True)
    write_set(run_dir.pseudo_labels(1), "training", 6, label=True, confidence=200)
    write_json(health.audit_file(run_dir, 1), audit(config, run_dir, 1))
    for name in ROWS:
        train(config, run_dir, name)
    return run_dir


def test_a_run_without_a_trained_row_says_what_to_run_first(config, tmp_path):
    with pytest.raises(UserError, match="run first: bin/udas run"):
        report(config, RunDir(tmp_path))
    assert not (tmp_path / "report").exists()


def test_report_returns_the_rows_in_the_tables_order(config, run_dir):
    result = report(config, run_dir)
    assert list(result) == ["rows"]
    assert [row["name"] for row in result["rows"]] == ["no_adaptation", "student_1", "supervised"]
    assert [row["miou"] for row in result["rows"]] == [0.125, 0.5, 0.25]
    keys = {"name", "stage", "round", "step", "images", "miou", "pixel_accuracy", "iou"}
    assert set(result["rows"][1]) == keys
    assert json.loads((run_dir.report / "report.json").read_text()) == result
    with (run_dir.report / "table.csv").open() as file:
        assert [float(record["miou"]) for record in csv.DictReader(file)] == [0.125, 0.5, 0.25]
    assert "student_1" in (run_dir.report / "table.txt").read_text()
    assert "**50.0**" in (run_dir.report / "table.md").read_text()


def test_the_page_shows_what_is_finished(config, run_dir):
    report(config, run_dir)
    shown = Pictures()
    shown.feed((run_dir.report / "report.html").read_text())
    # A chart; 3 validation images with 2 panels and 3 for each row; translations; mixtures; a student's batch;
    # pseudo-labels with their errors, since the labels of some are known.
    assert len(shown.sources) == 1 + 3 * (2 + 3 * 3) + 2 * 4 + 2 * 4 + 4 * 4 + 3 * 4
    assert "100.0 % kept" in shown.texts
    assert "precision, labelled" in shown.texts and "precision, hidden" not in shown.texts
    figures = {file.name for file in (run_dir.report / "figures").iterdir()}
    sheets = {"predictions_1", "predictions_2", "predictions_3", "translated", "cutmix"}
    sheets |= {"student_batch", "pseudo_labels_1"}
    assert figures == {f"{name}.png" for name in sheets | {"miou"}}


def test_the_health_of_the_run_is_on_the_page(config, run_dir, tmp_path):
    """A checked translation, warnings, scores on the way and other views."""
    run_dir = RunDir(shutil.copytree(run_dir.path, tmp_path / "run"))
    generator = run_dir.training("translate")
    generator.mkdir(parents=True)
    networks.save(networks.generator(config), generator / networks.GENERATOR_WEIGHTS)
    finish(generator, {})
    flow = {"sky": {"share": 0.5, "stayed": 0.5, "became": {"vegetation": 0.5}}}
    check = {"images": 9, "rejected": 1, "rejected_ids": ["image_4"], "disagreement": 0.25, "flow": flow}
    worst = [["image_4", 0.75], ["image_2", 0.25]]
    write_json(run_dir.translated / CHECK, check | {"worst": worst})
    write_json(run_dir.training("student_1") / WARNINGS, [{"step": 4, "name": "D", "text": "it wins"}])
    write_json(run_dir.training("student_1") / SCORES, [{"step": 4, "miou": 0.625, "pixel_accuracy": 0.5}])
    write_json(run_dir.training("student_1") / "metrics_flip.json", {"miou": 0.5625})
    report(config, run_dir)
    shown = Pictures()
    shown.feed((run_dir.report / "report.html").read_text())
    assert len(shown.sources) == 1 + 3 * (2 + 3 * 3) + 2 * 4 + 2 * 5 + 2 * 4 + 4 * 4 + 3 * 4
    told = {"75.0 % changed, rejected", "25.0 % changed, passed", "vegetation 50.0", "it wins"}
    assert told | {"62.5 at step 4", "56.2", "student_1, step 4"} <= set(shown.texts)
    assert (run_dir.report / "figures" / "changed.png").is_file()
    health = json.loads((run_dir.report / "health.json").read_text())
    assert ["student_1, step 4", "it wins"] in health["warnings"]
    assert health["card"][1]["best"] == {"step": 4, "miou": 0.625}


def test_a_run_of_one_row_has_a_page_too(config, tmp_path):
    run_dir = RunDir(tmp_path / "<run>")
    write_set(run_dir.data("target_val"), "validation", 2, label=True)
    train(config, run_dir, "no_adaptation")
    assert [row["name"] for row in report(config, run_dir)["rows"]] == ["no_adaptation"]
    shown = Pictures()
    shown.feed((run_dir.report / "report.html").read_text())
    assert len(shown.sources) == 1 + 2 * (2 + 3)
    assert str(run_dir.path) in shown.texts
