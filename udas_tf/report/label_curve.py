"""The gain from labels: scores by label budget and seed, as tables, as a JSON document and as a sentence.

Scores are fractions in points, documents and CSV, and per cent in the tables and the sentence.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from udas_tf.report.tables import NONE


@dataclasses.dataclass(frozen=True)
class Point:
    """The mIoUs of one label budget with one seed.

    Attributes:
      labels: labelled target images.
      seed: of the trainings, and of the choice of the labelled images.
      images: in the validation set.
      method: name of the row with the whole method.
      udas: mIoU of that row.
      supervised: mIoU of a network trained on the labelled images alone; None without labels.
      baseline: mIoU without adaptation.
    """

    labels: int
    seed: int
    images: int
    method: str
    udas: float
    supervised: float | None
    baseline: float


class Spread(NamedTuple):
    """Values by seed, their mean and their sample standard deviation; no deviation with one seed."""

    values: tuple[float, ...]
    mean: float
    deviation: float | None


@dataclasses.dataclass(frozen=True)
class Curve:
    """The points of a sweep.

    Attributes:
      points: one for every budget and seed.
      available: labelled images that the target has.
    """

    points: Sequence[Point]
    available: int

    @property
    def budgets(self) -> list[int]:
        """The budgets, ascending."""
        return sorted({point.labels for point in self.points})

    @property
    def seeds(self) -> list[int]:
        """The seeds, ascending."""
        return sorted({point.seed for point in self.points})

    def at(self, labels: int) -> list[Point]:
        """The points of a budget in the order of the seeds."""
        return sorted((point for point in self.points if point.labels == labels), key=lambda point: point.seed)


def spread(values: Iterable[float]) -> Spread:
    """The spread of at least one value."""
    values = tuple(values)
    return Spread(values, statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)


def udas(point: Point) -> float:
    """The mIoU of the whole method."""
    return point.udas


def supervised(point: Point) -> float | None:
    """The mIoU from the labelled images alone; None without labels."""
    return point.supervised


def over_seeds(curve: Curve, labels: int, score: Callable[[Point], float | None]) -> Spread | None:
    """The spread of a score at a budget; None where the budget does not have the score."""
    points = curve.at(labels)
    values = [value for value in map(score, points) if value is not None]
    return spread(values) if len(values) == len(points) else None


def gain(curve: Curve, low: int, high: int, score: Callable[[Point], float | None]) -> Spread | None:
    """The gain of a score from one budget to another, seed by seed; None where one of the budgets lacks the score."""
    pairs = [(score(a), score(b)) for a, b in zip(curve.at(low), curve.at(high), strict=True)]
    gains = [b - a for a, b in pairs if a is not None and b is not None]
    return spread(gains) if len(gains) == len(pairs) else None


def lead(curve: Curve, labels: int) -> Spread | None:
    """UDAS minus supervised at a budget, seed by seed; None without labels."""

    def difference(point: Point) -> float | None:
        return None if point.supervised is None else point.udas - point.supervised

    return over_seeds(curve, labels, difference)


def sentence(curve: Curve) -> str:
    """The gain between the two largest budgets, and the gain to expect from as many labels again.

    The expectation is that the score grows with the logarithm of the labels, so every doubling gains the same:
    gain * log 2 / log(high / low). Where the gain is no larger than its deviation over seeds, the sentence says that
    nothing follows from it.
    """
    if len(curve.budgets) < 2:
        return "One label budget does not tell what more labels would buy; sweep over two or more."
    low, high = curve.budgets[-2:]
    seeds = len(curve.seeds)
    gained = spread(b.udas - a.udas for a, b in zip(curve.at(low), curve.at(high), strict=True))
    gained_supervised = gain(curve, low, high, supervised)
    word = "gains" if gained.mean >= 0 else "loses"
    done = f"From {low} to {high} labelled images UDAS {word} {shown(gained, abs)} points of mIoU"
    done += f" (supervised {shown(gained_supervised)})" if gained_supervised else ""
    done += f" over {seeds} seeds" if seeds > 1 else " with one seed, whose noise is unknown"
    if gained.mean <= (gained.deviation or 0.0):
        reason = "no more than seeds differ" if gained.mean > 0 else "no gain at all"
        return f"{done}, which is {reason}: what the next {high} would buy, these runs do not tell."
    if low == 0:
        return f"{done}; a second budget above 0 would tell what the next {high} would buy."
    doublings = math.log(2) / math.log(high / low)
    next_supervised = shown(_scaled(gained_supervised, doublings))
    return (
        f"{done}; if scores go on growing with the logarithm of the labels, the next {high} would buy about "
        f"{shown(_scaled(gained, doublings))} (supervised {next_supervised})."
    )


def document(curve: Curve) -> dict[str, Any]:
    """The curve as a JSON document.

    Returns:
      {"seeds": [...], "available": labelled images there are, "images": validation images, "no_adaptation": score,
      "budgets": [{"labels", "method": row, "supervised", "udas", "udas_minus_supervised", "udas_minus_largest": scores
      or None}, ...] ascending, "sentence"}; a score is {"values": by seed, "mean", "deviation" or None}, fractions.
    """
    largest = curve.budgets[-1]

    def score(value: Spread | None) -> dict[str, Any] | None:
        return None if value is None else {**value._asdict(), "values": list(value.values)}

    return {
        "seeds": curve.seeds,
        "available": curve.available,
        "images": curve.points[0].images,
        "no_adaptation": score(baseline(curve)),
        "budgets": [
            {
                "labels": labels,
                "method": curve.at(labels)[0].method,
                "supervised": score(over_seeds(curve, labels, supervised)),
                "udas": score(over_seeds(curve, labels, udas)),
                "udas_minus_supervised": score(lead(curve, labels)),
                "udas_minus_largest": score(gain(curve, largest, labels, udas)),
            }
            for labels in curve.budgets
        ],
        "sentence": sentence(curve),
    }


def baseline(curve: Curve) -> Spread:
    """The mIoU without adaptation, which is the same for every budget."""
    return spread(point.baseline for point in curve.at(curve.budgets[0]))


def text_table(curve: Curve) -> str:
    """A table for the terminal, with notes and the sentence below it."""
    lines = _cells(curve)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    return "\n".join([*table, "", *notes(curve), "", sentence(curve)]) + "\n"


def markdown_table(curve: Curve) -> str:
    """The same table in Markdown, with notes and the sentence below it."""
    head, *lines = _cells(curve)
    table = [f"| {' | '.join(line)} |" for line in (head, ["---:"] * len(head), *lines)]
    return "\n".join([*table, "", *notes(curve), "", sentence(curve)]) + "\n"


def csv_table(curve: Curve) -> str:
    """A line for each score: labels, seed, row and mIoU, a fraction."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["labels", "seed", "row", "miou"])
    for labels in curve.budgets:
        for point in curve.at(labels):
            rows = {"no_adaptation": point.baseline, "supervised": point.supervised, point.method: point.udas}
            for name, value in rows.items():
                if value is not None:
                    writer.writerow([labels, point.seed, name, value])
    return text.getvalue()


def notes(curve: Curve) -> list[str]:
    """The notes below a table: what was measured, over which seeds, and the baseline."""
    measured = f"mIoU in per cent, last checkpoints, {curve.points[0].images} validation images"
    if len(curve.seeds) == 1:
        counted = f"seed {curve.seeds[0]} alone"
    else:
        seeds = ", ".join(map(str, curve.seeds))
        counted = f"mean ± sample standard deviation over the seeds {seeds}; differences are taken seed by seed"
    methods = " or ".join(dict.fromkeys(point.method for point in curve.points))
    return [
        f"{measured}; {counted}.",
        f"UDAS is the row {methods}. Without adaptation: {shown(baseline(curve))}.",
    ]


def _cells(curve: Curve) -> list[list[str]]:
    """The head of the table and its lines, the largest budget first."""
    largest = curve.budgets[-1]
    lines = [
        [
            f"{labels} ({100 * labels / curve.available:.0f} %)",
            shown(over_seeds(curve, labels, supervised)),
            shown(over_seeds(curve, labels, udas)),
            shown(lead(curve, labels)),
            shown(gain(curve, largest, labels, udas)) if labels != largest else NONE,
        ]
        for labels in reversed(curve.budgets)
    ]
    return [["labels", "supervised", "UDAS", "UDAS - supervised", f"UDAS - UDAS at {largest}"], *lines]


def _scaled(value: Spread | None, factor: float) -> Spread | None:
    return None if value is None else spread(factor * one for one in value.values)


def shown(value: Spread | None, of_mean: Callable[[float], float] = float) -> str:
    """A spread as text: per cent with one decimal, and the deviation where there are several seeds.

    Args:
      value: the spread; "-" for None.
      of_mean: what to show of the mean, such as `abs`.
    """
    if value is None:
        return NONE
    deviation = "" if value.deviation is None else f" ± {100 * value.deviation:.1f}"
    return f"{100 * of_mean(value.mean):.1f}{deviation}"
