import csv
import dataclasses
import io

import pytest

from udas_tf.evaluation.scores import Card, OverSeeds, ScoreAtStep, Scores
from udas_tf.report import tables

ROWS = [
    Scores(
        name="no_adaptation",
        stage="source",
        round=None,
        step=250,
        images=100,
        miou=0.25,
        pixel_accuracy=0.5,
        iou={"road": 0.5, "traffic light": 0.0, "person": 0.25, "train": None},
    ),
    Scores(
        name="student_2",
        stage="student",
        round=2,
        step=300,
        images=100,
        miou=1 / 3,
        pixel_accuracy=1.0,
        iou={"road": 1.0, "traffic light": 0.0, "person": 0.0, "train": None},
    ),
]


def test_score_table_is_aligned_and_in_per_cent():
    expected = """\
                road  light  pers  mIoU  pixel
no_adaptation   50.0    0.0  25.0  25.0   50.0
student_2      100.0    0.0   0.0  33.3  100.0

IoU of each class, mIoU and pixel accuracy in per cent; last checkpoints, 100 validation images.
Not in the validation labels: train."""
    assert tables.score_table(ROWS) == expected


def test_a_class_one_row_lacks_keeps_its_column():
    rows = [dataclasses.replace(ROWS[0], iou=ROWS[0].iou | {"train": 0.125}), ROWS[1]]
    lines = tables.score_table(rows).splitlines()
    assert lines[0].split() == ["road", "light", "pers", "train", "mIoU", "pixel"]
    assert lines[1].split()[4] == "12.5"
    assert lines[2].split()[4] == "-"
    assert "Not in" not in lines[-1]


def test_score_markdown_marks_the_best_of_each_column():
    lines = tables.score_markdown(ROWS).splitlines()
    assert lines[:4] == [
        "|  | road | traffic light | person | mIoU | pixel accuracy |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| no_adaptation | 50.0 | 0.0 | **25.0** | 25.0 | 50.0 |",
        "| student_2 | **100.0** | 0.0 | 0.0 | **33.3** | **100.0** |",
    ]


def test_score_csv_keeps_every_value():
    records = list(csv.DictReader(io.StringIO(tables.score_csv(ROWS))))
    assert [record["name"] for record in records] == ["no_adaptation", "student_2"]
    assert float(records[1]["miou"]) == 1 / 3
    assert records[0]["round"] == "" and records[1]["round"] == "2"
    assert records[0]["iou traffic light"] == "0.0" and records[0]["iou train"] == ""


def test_scores_of_subsets_stand_beside_the_whole():
    rows = [dataclasses.replace(row, miou_16=0.5, miou_13=0.625) for row in ROWS]
    lines = tables.score_table(rows).splitlines()
    assert lines[0].endswith("pers  mIoU 19  mIoU 16  mIoU 13  pixel")
    assert lines[1].split()[-4:] == ["25.0", "50.0", "62.5", "50.0"]
    assert any(line.startswith("mIoU 16 is without terrain, truck and train") for line in lines)
    assert "| mIoU 19 | mIoU 16 | mIoU 13 | pixel accuracy |" in tables.score_markdown(rows)
    (record, _) = csv.DictReader(io.StringIO(tables.score_csv(rows)))
    assert (record["miou"], record["miou_16"], record["miou_13"]) == ("0.25", "0.5", "0.625")


@pytest.mark.parametrize(
    ("value", "values", "best"),
    [
        (0.5, [0.5, 0.4], True),
        (0.4, [0.5, 0.4], False),
        (0.50001, [0.50001, 0.5], True),
        (0.5, [0.50001, 0.5], True),  # both read 50.0
        (0.0, [0.0, None], False),
        (None, [None, 0.5], False),
        (0.5, [0.5], False),
    ],
)
def test_is_best_goes_by_what_is_shown(value, values, best):
    assert tables.is_best(value, values) is best


@pytest.mark.parametrize(
    ("on", "learnt_from", "words"),
    [
        ("source", False, "100 training images of the source."),
        ("translated", False, "100 training images of the source in the target's style."),
        (
            "source",
            True,
            "100 training images of the source; the row was TRAINED on these scenes and their labels.",
        ),
    ],
)
def test_scores_on_another_set_say_so(on, learnt_from, words):
    [line, *_] = tables.notes([dataclasses.replace(ROWS[0], on=on, learnt_from=learnt_from)])
    assert line.endswith(f"; last checkpoints, {words}")


def test_score_cards_side_by_side():
    plain = Card("no_adaptation", 0.25, 250, None, {"flip": 0.26}, None)
    full = Card("student_2", None, 300, ScoreAtStep(200, 0.375, 0.5), {}, OverSeeds(3, 0.37, 0.012))
    assert tables.card_columns([plain, full]) == {
        "last checkpoint (the score)": ["25.0", "-"],
        "best on val (chosen on what it is scored on)": ["-", "37.5 at step 200"],
        "flip": ["26.0", "-"],
        "last checkpoint, mean ± deviation over seeds": ["-", "37.0 ± 1.2 (3 runs)"],
    }
    assert list(tables.card_columns([plain])) == ["last checkpoint (the score)", "flip"]
