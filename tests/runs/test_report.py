import csv
import json
import shutil
from html.parser import HTMLParser

import finished
import numpy as np
import pytest

from udas_tf import networks, shard_notes, typed_json
from udas_tf.config import base_config, override
from udas_tf.data import records
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.evaluation.evaluate import METRICS, scores_path
from udas_tf.evaluation.metrics import ClassFlow
from udas_tf.evaluation.score_card import SCORES
from udas_tf.evaluation.scores import ScoreAtStep
from udas_tf.methods import translate
from udas_tf.pseudo_labels.labelling import ShardNote
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import rows
from udas_tf.runs.report import Health, Report, report, trained_on
from udas_tf.training.callbacks import WARNINGS, Warned
from udas_tf.translation import Check

SIZE = (32, 64)
ROWS = {  # name -> stage, round, mIoU
    "supervised": ("supervised", None, 0.25),
    "no_adaptation": ("source", None, 0.125),
    "student_1": ("student", 1, 0.5),
}
SMALL = {
    "data.size": SIZE,
    "data.target.labelled": 2,
    "model.backbone": "compact",
    "model.compact.width": 8,
    "model.deeplab_v2.rates": (1, 2),
    "row.student.rounds": 1,
    "translate.width": 8,
    "translate.blocks": 1,
    "translated.max_disagreement": 0.5,
}


class Pictures(HTMLParser):
    """Sources of pictures and texts of a page."""

    def __init__(self, file):
        super().__init__()
        self.sources, self.texts = [], []
        self.feed(file.read_text())

    def handle_starttag(self, tag, attributes):
        self.sources += [dict(attributes)["src"]] if tag == "img" else []

    def handle_data(self, text):
        self.texts.append(text.strip())


def page_of(run):
    return Pictures(run.dir.report / "report.html")


def figures_of(run):
    return {file.stem for file in (run.dir.report / "figures").iterdir()}


def write_set(directory, role, count, label, confidence=None):
    """Noise, whose labels are road in 40 columns and sky in 24."""
    rng = np.random.default_rng(count)

    def sample(index):
        image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
        labels = np.where(np.arange(SIZE[1]) < 40, 0, 10).astype(np.uint8) * np.ones((SIZE[0], 1), np.uint8)
        sure = np.full(SIZE, confidence, np.uint8) if confidence is not None else None
        return Sample(f"image_{index}", image, labels if label else None, sure)

    records.write(
        directory,
        role,
        count,
        lambda indices: map(sample, indices),
        shard_images=8,
        provenance={},
        label=directory.name,
    )


def write_pseudo_labels(directory, count, confidence):
    """As `write_set`, with the note of the one shard."""
    counts = np.zeros((19, 256), np.int64)
    counts[0, confidence], counts[10, confidence] = 40 * SIZE[0] * count, 24 * SIZE[0] * count
    shard_notes.write(directory, 0, ShardNote([0] * 256, [0] * 256, counts.tolist()))
    write_set(directory, "training", count, label=True, confidence=confidence)


def train(run, name):
    stage, number, miou = ROWS[name]
    directory = run.dir.training(name)
    directory.mkdir(parents=True)
    networks.save(networks.segmenter(run.config, 19), directory / networks.SEGMENTER)
    iou = dict.fromkeys(CITYSCAPES.classes) | {"road": miou, "sky": miou}
    typed_json.write(directory / METRICS, finished.scores(name, miou, stage=stage, round=number, iou=iou))
    finish(directory, finished.manifest(name, stage, round=number))


def small_run(path):
    return open_run(override(base_config(), SMALL), RunDir(path))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run with three rows, translations and pseudo-labels; the audit is missing, as in a run that links another's."""
    run = small_run(tmp_path_factory.mktemp("runs") / "mine")
    write_set(run.dir.data("source_train"), "training", 9, label=True)
    write_set(run.dir.data("target_unlabelled"), "training", 6, label=False)
    write_set(run.dir.data("target_labelled"), "training", 5, label=True)
    write_set(run.dir.data("target_val"), "validation", 5, label=True)
    write_set(run.dir.translated, "training", 9, label=True)
    write_pseudo_labels(run.dir.pseudo_labels("student_1"), 6, confidence=200)
    for name in ROWS:
        train(run, name)
    return run


@pytest.fixture(scope="module")
def reported(run):
    """The scores that the report of the run returns."""
    return report(run)


@pytest.fixture
def copy(run, tmp_path):
    return small_run(shutil.copytree(run.dir.path, tmp_path / "run", ignore=shutil.ignore_patterns("report")))


def test_a_run_without_a_trained_row_says_what_to_run_first(tmp_path):
    with pytest.raises(UserError, match="run first: bin/udas run"):
        report(small_run(tmp_path))
    assert not (tmp_path / "report").exists()


def test_report_returns_the_rows_in_the_tables_order(run, reported):
    assert [row.name for row in reported] == ["no_adaptation", "student_1", "supervised"]
    assert [row.miou for row in reported] == [0.125, 0.5, 0.25]
    assert typed_json.read(run.dir.report / "report.json", Report).rows == reported
    assert set(json.loads((run.dir.report / "report.json").read_text())) == {"rows"}
    with (run.dir.report / "table.csv").open() as file:
        assert [float(record["miou"]) for record in csv.DictReader(file)] == [0.125, 0.5, 0.25]
    assert "student_1" in (run.dir.report / "table.txt").read_text()
    assert "**50.0**" in (run.dir.report / "table.md").read_text()
    health = typed_json.read(run.dir.report / "health.json", Health)
    assert [card.last for card in health.cards] == [0.125, 0.5, 0.25] and health.warnings == []


def test_the_page_shows_what_is_finished(run, reported):
    page = page_of(run)
    # A chart; 3 validation images with 2 panels and 3 for each row; translations; a student's batch; pseudo-labels with
    # their errors, since the labels of some are known.
    assert len(page.sources) == 1 + 3 * (2 + 3 * 3) + 2 * 4 + 4 * 4 + 3 * 4
    assert "100.0 % kept" in page.texts
    assert {"labelled image", "pseudo image"} <= set(page.texts)
    sheets = {"predictions_1", "predictions_2", "predictions_3", "translated", "batch_student_1"}
    assert figures_of(run) == {"miou", "pseudo_labels_student_1", *sheets}


def test_a_missing_audit_is_made(run, reported):
    """All pixels are kept, and right where they are known: 5 of the 6 images."""
    page = page_of(run)
    assert run.dir.audit("student_1").is_file()
    assert "precision, labelled" in page.texts and "precision, hidden" not in page.texts
    assert "The stop rule compares the mIoU on the labelled images: 100.0." in page.texts


def test_the_health_of_the_run_is_on_the_page(copy):
    """A checked translation, warnings, scores during training and with test-time augmentation."""
    generator = translate.generator(copy.config.translate)
    directory = copy.dir.training("translate")
    directory.mkdir(parents=True)
    networks.save(generator, directory / "generator.weights.h5")
    finish(directory, finished.manifest("translate", "translate", weights="generator.weights.h5"))
    flow = {"sky": ClassFlow(0.5, 0.5, {"vegetation": 0.5})}
    worst = [("image_4", 0.75), ("image_2", 0.25)]
    typed_json.write(copy.dir.translation_check, Check(9, 1, ["image_4"], 0.25, worst, flow))
    student = copy.dir.training("student_1")
    typed_json.write(student / WARNINGS, [Warned(4, "D_accuracy_p", "it wins")])
    typed_json.write(student / SCORES, [ScoreAtStep(4, 0.625, 0.5)])
    typed_json.write(scores_path(copy.dir, "student_1", "target", "flip", "training"), finished.scores(miou=0.5625))
    report(copy)
    audit = json.loads(copy.dir.audit("student_1").read_text())
    copy.dir.audit("student_1").write_text(json.dumps(audit | {"warnings": ["vanishing: sky"]}))
    report(copy)
    page = page_of(copy)
    assert len(page.sources) == 1 + 3 * (2 + 3 * 3) + 2 * 4 + 2 * 5 + 4 * 4 + 3 * 4
    assert {"75.0 % changed, rejected", "25.0 % changed, passed", "vegetation 50.0", "it wins"} <= set(page.texts)
    assert {"62.5 at step 4", "56.2", "student_1, step 4", "vanishing: sky"} <= set(page.texts)
    assert "changed" in figures_of(copy)
    health = typed_json.read(copy.dir.report / "health.json", Health)
    assert health.warnings == [("student_1, step 4", "it wins"), ("pseudo-labels for student_1", "vanishing: sky")]
    assert health.cards[1].best == ScoreAtStep(4, 0.625, 0.5)
    assert health.cards[1].others == {"flip": 0.5625}


def test_sets_that_were_removed_leave_their_pictures_out(copy):
    shutil.rmtree(copy.dir.translated)
    assert len(report(copy)) == 3
    sheets = {"predictions_1", "predictions_2", "predictions_3", "pseudo_labels_student_1"}
    assert figures_of(copy) == {"miou", *sheets}


def test_a_run_of_one_row_has_a_page_too(tmp_path):
    run = small_run(tmp_path / "<run>")
    write_set(run.dir.data("target_val"), "validation", 2, label=True)
    train(run, "no_adaptation")
    assert [row.name for row in report(run)] == ["no_adaptation"]
    page = page_of(run)
    assert len(page.sources) == 1 + 2 * (2 + 3)
    assert str(run.dir.path) in page.texts


@pytest.mark.parametrize(
    ("file", "key", "complaint"),
    [
        ("training/student_1/metrics.json", "miou", r"training/student_1/metrics\.json .*at `\$\.miou`"),
        ("audits/student_1.json", "kept", r"audits/student_1\.json .*at `\$\.kept`"),
        ("data/target_val/manifest.json", "count", r"data/target_val/manifest\.json .*at `\$\.count`"),
    ],
)
def test_a_damaged_file_is_one_line_that_names_file_and_key(file, key, complaint, copy, reported, run):
    shutil.copytree(run.dir.path / "audits", copy.dir.path / "audits", dirs_exist_ok=True)
    path = copy.dir.path / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: "damaged"}))
    with pytest.raises(UserError, match=complaint) as raised:
        report(copy)
    assert "\n" not in str(raised.value)
    assert not copy.dir.report.exists()


def test_a_row_says_what_it_was_trained_on():
    config = override(base_config(), SMALL)
    words = {row.name: trained_on(row) for row in rows.rows(config)}
    assert words["no_adaptation"] == "source images"
    assert words["supervised"] == "the labelled target images alone"
    mixed = "source images in the target's style, mixed with the labelled target images"
    assert words["student_1"] == f"{mixed}; target images with pseudo-labels of cutmix"
    assert words["adaptation"] == "source images; adversarially adapted to the unlabelled target images"
    started = override(config, {"row.adaptation.start": "no_adaptation"})
    row = rows.find(started, "uda", None, "adaptation")
    assert trained_on(row) == f"{words['adaptation']}; starts from no_adaptation"
