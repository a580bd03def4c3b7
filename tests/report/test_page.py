import dataclasses
from html.parser import HTMLParser

import finished
import numpy as np
import pytest

from udas_tf.evaluation.metrics import Bin, Calibration, ClassFlow
from udas_tf.evaluation.scores import Card, OverSeeds, ScoreAtStep
from udas_tf.pseudo_labels.audit import Audit, ClassKept, Kept, Score, Suggestion
from udas_tf.report import figures, page
from udas_tf.report.figures import Sheet
from udas_tf.taxonomy import ClassSet
from udas_tf.translation import Check

VOID = {"img", "meta"}
CLASSES = ClassSet("three", ("road", "sky", "<car>"), ((1, 2, 3), (4, 5, 6), (7, 8, 9)))


class Outline(HTMLParser):
    """Checks that tags are closed in order; collects sources of pictures, ids, links, texts of cells."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.ids, self.links, self.cells, self.best = [], [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.sources += [attributes["src"]] if "src" in attributes else []
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if "href" in attributes else []
        if tag == "img":
            assert attributes["alt"]
        if tag not in VOID:
            self.open.append((tag, attributes.get("class", "")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, text):
        if self.open and self.open[-1][0] in ("th", "td", "dt", "dd") and text.strip():
            self.cells.append(text.strip())
            if "best" in self.open[-1][1]:
                self.best.append(text.strip())


def outline(html):
    parser = Outline()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def sheet(name, lines=2, aside=()):
    panel = np.zeros((4, 8, 3), np.uint8)
    shown = [(f"line {i}", "", [panel, panel]) for i in range(lines)]
    return Sheet(name, name.title(), ("left", "right"), shown, aside)


AUDIT = Audit(
    row="student_1",
    round=1,
    threshold=0.6,
    kept=Kept(
        0.75,
        {"road": ClassKept(0.6, 0.9, 0.8), "sky": ClassKept(0.6, 0.0, None), "<car>": ClassKept(0.35, 0.1, 0.4)},
        {"labelled": {"all": 0.95, "road": 1.0, "sky": None, "<car>": None}},
    ),
    fixed=Kept(0.71, {}, {"labelled": {"all": 0.97}}),
    calibration={"labelled": Calibration(0.044, [Bin(0.9, 1.0, 0.77, 0.96, 0.916)])},
    agreement={"all": 0.93, "road": 0.94, "sky": None, "<car>": 0.52},
    suggestion=Suggestion(0.9, 153 / 255, 0.65),
    score=Score("mIoU on the labelled images", 0.61),
    warnings=[],
)
CHECK = Check(
    images=40,
    rejected=6,
    rejected_ids=[],
    disagreement=0.083,
    worst=[],
    flow={
        **{f"class {i}": ClassFlow(0.1, 1.0, {}) for i in range(5)},
        "sky": ClassFlow(0.3, 0.66, {"road": 0.31, "<car>": 0.03}),
    },
)


@pytest.fixture
def full_page():
    rows = [
        finished.scores(name, miou, pixel_accuracy=0.5, iou={"road": miou, "sky": None, "<car>": 0.25}, step=7)
        for name, miou in (("no_adaptation", 0.125), ("cutmix", 0.375))
    ]
    cards = [
        Card("no_adaptation", 0.125, 7, None, {}, None),
        Card("cutmix", 0.375, 7, ScoreAtStep(5, 0.381, 0.5), {"flip": 0.376}, OverSeeds(3, 0.37, 0.012)),
    ]
    return page.Page(
        run="runs/<mine>",
        rows=rows,
        trained_on={"no_adaptation": "source images", "cutmix": "mixtures"},
        classes=CLASSES,
        chart=figures.miou_chart(rows, {"no_adaptation": "#9aa5b1", "cutmix": "#5b8db8"}),
        cards=cards,
        size=(96, 192),
        warnings=[("cutmix, step 50", "the <discriminator> wins")],
        predictions=[sheet("predictions_1", aside=[("input", np.zeros((4, 8, 3), np.uint8))])],
        translated=sheet("translated"),
        check=CHECK,
        changed=sheet("changed"),
        batches=[sheet("batch_cutmix"), sheet("batch_student_1")],
        pseudo_labels=[page.PseudoLabels("student_1", sheet("pseudo_labels_student_1"), AUDIT)],
        config={"uda.steps": 7, "translated.on_disagreement": "drop"},
        versions={"python": "3.11"},
    )


def test_the_page_is_well_formed_and_holds_everything(full_page):
    html = page.render(full_page)
    found = outline(html)
    assert len(found.sources) == 1 + 5 + 4 + 4 + 4 + 4 + 4
    sheets = {"predictions_1", "translated", "changed", "batch_cutmix", "batch_student_1", "pseudo_labels_student_1"}
    assert sheets <= set(found.ids)
    assert {"no_adaptation", "cutmix", "12.5", "37.5", "source images; 7 steps"} <= set(found.cells)
    assert {"75.0", "95.0", "80.0", "35.0"} <= set(found.cells)  # the audit
    assert found.best == ["25.0", "50.0", "37.5", "25.0", "37.5", "50.0"]  # line by line; ties are both best
    assert "tensorboard --logdir=runs/&lt;mine&gt;/tensorboard" in html
    assert "No pixel is labelled as: sky." in html
    assert "uda.steps = 7" in html


def test_the_page_needs_no_network_and_escapes_names(full_page):
    html = page.render(full_page)
    found = outline(html)
    assert all(source.startswith("data:image/png;base64,") for source in found.sources)
    assert all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    assert "<script" not in html and "@import" not in html and "url(" not in html
    assert "<mine>" not in html and "<car>" not in html


def test_ids_are_unique(full_page):
    ids = outline(page.render(full_page)).ids
    assert len(ids) == len(set(ids))


def test_a_run_that_has_just_begun_leaves_the_later_parts_out(full_page):
    first = full_page.rows[:1]
    begun = dataclasses.replace(
        full_page,
        rows=first,
        cards=full_page.cards[:1],
        warnings=[],
        translated=None,
        check=None,
        changed=None,
        batches=[],
        pseudo_labels=[],
    )
    found = outline(page.render(begun))
    later = {"translation", "batches", "self-training", "warnings", "score-card"}
    assert later <= set(outline(page.render(full_page)).ids)
    assert not later & set(found.ids)
    assert "cutmix" not in found.cells
    assert [shown.name for shown in begun.sheets()] == ["predictions_1"]


def test_an_audit_that_was_not_made_leaves_its_table_out(full_page):
    without = [dataclasses.replace(full_page.pseudo_labels[0], audit=None)]
    html = page.render(dataclasses.replace(full_page, pseudo_labels=without))
    assert "share of kept pixels" not in html


def test_the_health_of_a_run_is_on_the_page(full_page):
    html = " ".join(page.render(full_page).split())
    found = outline(html)
    assert "6 of 40 images changed more than" in html and "(dropped)" in html and "on 8.3 per cent" in html
    assert {"66.0", "road 31.0, <car> 3.0"} <= set(found.cells)  # which class became which
    assert {"cutmix, step 50", "the <discriminator> wins"} <= set(found.cells)
    assert {"93.0", "52.0", "71.0", "97.0"} <= set(found.cells)  # agreement, and the one threshold
    assert {"0.9 to 1.0", "77.0", "96.0", "91.6"} <= set(found.cells) and "expected error 4.4 points" in html
    assert "A suggestion that was not used" in html and "pseudo_label.threshold=0.600" in html
    assert "The stop rule compares the mIoU on the labelled images: 61.0." in html
    best = "best on val (chosen on what it is scored on)"
    assert {"last checkpoint (the score)", best, "flip", "38.1 at step 5", "37.6"} <= set(found.cells)
    assert "37.0 ± 1.2 (3 runs)" in found.cells
    assert "labels of 96&times;192 pixels" in html


def test_an_audit_without_labels_shows_only_what_it_knows(full_page):
    audit = dataclasses.replace(
        AUDIT,
        kept=dataclasses.replace(AUDIT.kept, precision={}),
        calibration={},
        fixed=None,
        agreement=None,
        suggestion=None,
        score=None,
    )
    without = [dataclasses.replace(full_page.pseudo_labels[0], audit=audit)]
    html = page.render(dataclasses.replace(full_page, pseudo_labels=without))
    outline(html)
    assert "share of kept pixels" in html
    for word in ("Calibration", "suggestion", "stop rule", "views agree"):
        assert word not in html, word


def test_a_threshold_that_nothing_reaches_is_not_suggested(full_page):
    audit = dataclasses.replace(AUDIT, suggestion=Suggestion(0.9, None, None))
    without = [dataclasses.replace(full_page.pseudo_labels[0], audit=audit)]
    html = " ".join(page.render(dataclasses.replace(full_page, pseudo_labels=without)).split())
    assert "No threshold makes 90.0 per cent of the kept pixels right on the labelled images." in html
