import csv
import io
import json
import math

import pytest

from udas_tf.report import label_curve
from udas_tf.report.label_curve import Curve, Point


def curve(scores: dict[int, list[tuple[float, float | None]]], available=61) -> Curve:
    """Points of budgets -> (UDAS, supervised) by seed 1, 2, ...; no adaptation scores 0.2 + seed / 100."""
    points = [
        Point(labels, seed, 101, "student_3", score, supervised, 0.2 + seed / 100)
        for labels, by_seed in scores.items()
        for seed, (score, supervised) in enumerate(by_seed, start=1)
    ]
    return Curve(points, available)


# Gains of UDAS 0.03, 0.04, 0.05: mean 0.04, deviation 0.01; of supervised 0.08, 0.09, 0.10.
THREE_SEEDS = curve(
    {
        12: [(0.40, 0.30), (0.42, 0.30), (0.44, 0.30)],
        48: [(0.43, 0.38), (0.46, 0.39), (0.49, 0.40)],
        0: [(0.3, None)] * 3,
    },
    available=48,
)


def test_spread():
    assert label_curve.spread([0.25]) == ((0.25,), 0.25, None)
    values, mean, deviation = label_curve.spread(value for value in (1.0, 2.0, 3.0, 6.0))
    assert (values, mean) == ((1.0, 2.0, 3.0, 6.0), 3.0)
    assert deviation == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3))


def test_the_next_labels():
    """From 12 to 48 are two doublings, so the next 48, one more doubling, would buy half of what these did."""
    assert label_curve.sentence(THREE_SEEDS) == (
        "From 12 to 48 labelled images UDAS gains 4.0 ± 1.0 points of mIoU (supervised 9.0 ± 1.0) over 3 seeds; if "
        "scores go on growing with the logarithm of the labels, the next 48 would buy about 2.0 ± 0.5 (supervised "
        "4.5 ± 0.5)."
    )


def test_one_seed_says_that_its_noise_is_unknown():
    found = label_curve.sentence(curve({12: [(0.4, 0.3)], 48: [(0.44, 0.38)]}))
    assert "UDAS gains 4.0 points of mIoU (supervised 8.0) with one seed, whose noise is unknown; if" in found
    assert found.endswith("the next 48 would buy about 2.0 (supervised 4.0).")


def test_a_gain_within_the_noise_promises_nothing():
    """Gains of 0.03 and -0.01: mean 0.01, deviation 0.028."""
    found = label_curve.sentence(curve({12: [(0.40, 0.3), (0.40, 0.3)], 24: [(0.43, 0.32), (0.39, 0.34)]}))
    assert found == (
        "From 12 to 24 labelled images UDAS gains 1.0 ± 2.8 points of mIoU (supervised 3.0 ± 1.4) over 2 seeds, which "
        "is no more than seeds differ: what the next 24 would buy, these runs do not tell."
    )


def test_a_loss_is_called_one():
    found = label_curve.sentence(curve({12: [(0.40, 0.3)], 24: [(0.38, 0.32)]}))
    assert "UDAS loses 2.0 points of mIoU (supervised 2.0)" in found
    assert "which is no gain at all: what the next 24 would buy, these runs do not tell." in found


def test_from_no_labels_nothing_follows():
    found = label_curve.sentence(curve({0: [(0.30, None)], 12: [(0.40, 0.3)]}))
    assert found == (
        "From 0 to 12 labelled images UDAS gains 10.0 points of mIoU with one seed, whose noise is unknown; a second "
        "budget above 0 would tell what the next 12 would buy."
    )


def test_one_budget_tells_nothing():
    assert "sweep over two or more" in label_curve.sentence(curve({12: [(0.4, 0.3)]}))


def test_text_table():
    expected = """\
    labels  supervised        UDAS  UDAS - supervised  UDAS - UDAS at 48
48 (100 %)  39.0 ± 1.0  46.0 ± 3.0          7.0 ± 2.0                  -
 12 (25 %)  30.0 ± 0.0  42.0 ± 2.0         12.0 ± 2.0         -4.0 ± 1.0
   0 (0 %)           -  30.0 ± 0.0                  -        -16.0 ± 3.0

mIoU in per cent, last checkpoints, 101 validation images; mean ± sample standard deviation over the seeds 1, 2, 3; \
differences are taken seed by seed.
UDAS is the row student_3. Without adaptation: 22.0 ± 1.0.

From 12 to 48"""
    assert label_curve.text_table(THREE_SEEDS).startswith(expected)
    assert "; seed 1 alone." in label_curve.text_table(curve({12: [(0.4, 0.3)]}))


def test_markdown_table():
    lines = label_curve.markdown_table(THREE_SEEDS).splitlines()
    assert lines[0] == "| labels | supervised | UDAS | UDAS - supervised | UDAS - UDAS at 48 |"
    assert lines[3] == "| 12 (25 %) | 30.0 ± 0.0 | 42.0 ± 2.0 | 12.0 ± 2.0 | -4.0 ± 1.0 |"
    assert {line.count("|") for line in lines[:5]} == {6}


def test_csv_has_every_score():
    lines = list(csv.DictReader(io.StringIO(label_curve.csv_table(THREE_SEEDS))))
    assert len(lines) == 3 * 2 + 3 * 3 + 3 * 3
    assert lines[-1] == {"labels": "48", "seed": "3", "row": "student_3", "miou": "0.49"}
    assert {line["row"] for line in lines if line["labels"] == "0"} == {"no_adaptation", "student_3"}


def test_document():
    found = json.loads(json.dumps(label_curve.document(THREE_SEEDS), allow_nan=False))
    assert (found["seeds"], found["available"], found["images"]) == ([1, 2, 3], 48, 101)
    assert [budget["labels"] for budget in found["budgets"]] == [0, 12, 48]
    none, few, every = found["budgets"]
    assert none["supervised"] is None and none["udas_minus_supervised"] is None
    assert few["udas"] == {
        "values": [0.40, 0.42, 0.44],
        "mean": pytest.approx(0.42),
        "deviation": pytest.approx(0.02),
    }
    assert few["udas_minus_largest"]["mean"] == pytest.approx(-0.04)
    assert every["udas_minus_supervised"]["values"] == pytest.approx([0.05, 0.07, 0.09])
    assert every["method"] == "student_3"
    assert found["no_adaptation"]["mean"] == pytest.approx(0.22)
    assert found["sentence"] == label_curve.sentence(THREE_SEEDS)
