"""The table of scores as plain text, Markdown and CSV.

Scores are fractions in `Scores` and in CSV, and per cent in the other two.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from udas_tf.evaluation.scores import TARGET, TRANSLATED, Card, OverSeeds, Scores
from udas_tf.report.text import aligned

NONE = "-"
# Attribute of `Scores` -> heading of the mean IoU, without and with the subsets of classes.
_MEANS = {"miou": "mIoU"}
_MEANS_OF_SUBSETS = {"miou": "mIoU 19", "miou_16": "mIoU 16", "miou_13": "mIoU 13"}
# Short names of classes; of all others the first five letters of the last word are shown.
_SHORT = {
    "person": "pers",
    "pedestrian": "pers",
    "terrain": "terr",
    "motorcycle": "moto",
    "bicycle": "bike",
    "bicyclist": "cycl",
    "pavement": "pave",
    "symbol": "sign",
}


def occurring_classes(rows: Sequence[Scores]) -> list[str]:
    """The classes that have an IoU in at least one row, in the order of the class set."""
    return [name for name in rows[0].iou if any(row.iou[name] is not None for row in rows)]


def columns(rows: Sequence[Scores]) -> dict[str, list[float | None]]:
    """The columns of the table: heading -> a fraction or None for each row.

    First come the IoUs of the classes that occur, under their names. Then come "mIoU", or "mIoU 19", "mIoU 16" and
    "mIoU 13" where all rows have the three, and "pixel accuracy".

    Args:
      rows: scores of one class set, at least one.
    """
    per_class = {name: [row.iou[name] for row in rows] for name in occurring_classes(rows)}
    return per_class | {
        **{heading: [getattr(row, key) for row in rows] for key, heading in _means(rows).items()},
        "pixel accuracy": [row.pixel_accuracy for row in rows],
    }


def card_columns(cards: Sequence[Card]) -> dict[str, list[str]]:
    """The columns of the score cards: name of a score -> per cent for each row, "-" where a row does not have it."""
    columns = {"last checkpoint (the score)": [per_cent(card.last) for card in cards]}
    if any(card.best for card in cards):
        columns["best on val (chosen on what it is scored on)"] = [
            f"{per_cent(card.best.miou)} at step {card.best.step}" if card.best else NONE for card in cards
        ]
    for name in dict.fromkeys(name for card in cards for name in card.others):
        columns[name] = [per_cent(card.others.get(name)) for card in cards]
    if any(card.seeds for card in cards):
        columns["last checkpoint, mean ± deviation over seeds"] = [_spread(card.seeds) for card in cards]
    return columns


def per_cent(fraction: float | None) -> str:
    """A fraction as per cent with one decimal and without the sign; "-" for None."""
    return NONE if fraction is None else f"{100 * fraction:.1f}"


def notes(rows: Sequence[Scores]) -> list[str]:
    """The notes below the table: what was measured on which images, and the classes without a column."""
    images = ", ".join(str(count) for count in sorted({row.images for row in rows}))
    measured = "IoU of each class, mIoU and pixel accuracy in per cent"
    lines = [f"{measured}; last checkpoints, {images} {_scored_on(rows[0])}."]
    if _means(rows) is _MEANS_OF_SUBSETS:
        lines.append(
            "mIoU 16 is without terrain, truck and train, which SYNTHIA lacks, mIoU 13 also without wall, fence and "
            "pole."
        )
    absent = [name for name in rows[0].iou if name not in occurring_classes(rows)]
    if absent:
        lines.append(f"Not in the validation labels: {', '.join(absent)}.")
    return lines


def score_table(rows: Sequence[Scores]) -> str:
    """The table for the terminal: a line for each row, a column for each class, mIoU and pixel accuracy."""
    cells = [["", *(row.name for row in rows)]]
    cells += [[_short(heading), *map(per_cent, values)] for heading, values in columns(rows).items()]
    return "\n".join([aligned(cells), "", *notes(rows)])


def score_markdown(rows: Sequence[Scores]) -> str:
    """The table in Markdown, with full class names and the best value of each column in bold."""
    lines = [["", *columns(rows)], ["---", *("---:" for _ in columns(rows))]]
    lines += [[row.name] for row in rows]
    for values in columns(rows).values():
        for line, value in zip(lines[2:], values, strict=True):
            line.append(f"**{per_cent(value)}**" if is_best(value, values) else per_cent(value))
    table = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*table, "", *notes(rows)]) + "\n"


def score_csv(rows: Sequence[Scores]) -> str:
    """The table as CSV, with all scores of all rows; scores are fractions, empty for None."""
    classes = list(rows[0].iou)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scalars = ("stage", "round", "step", "images", *_means(rows), "pixel_accuracy")
    writer.writerow(["name", *scalars, *(f"iou {name}" for name in classes)])
    for row in rows:
        values = [getattr(row, key) for key in scalars] + [row.iou[name] for name in classes]
        writer.writerow([row.name, *values])
    return text.getvalue()


def is_best(value: float | None, values: Sequence[float | None]) -> bool:
    """Whether a value is the largest of its column, compared as shown; never for 0.0, and never with one row.

    Args:
      value: a fraction, or None.
      values: of the column, `value` among them.
    """
    rounded = [float(per_cent(other)) for other in values if other is not None]
    return value is not None and len(values) > 1 and 0.0 < float(per_cent(value)) == max(rounded)


def _spread(seeds: OverSeeds | None) -> str:
    if seeds is None:
        return NONE
    return f"{per_cent(seeds.mean)} ± {per_cent(seeds.deviation)} ({seeds.runs} runs)"


def _scored_on(row: Scores) -> str:
    """The images that a row was scored on, in words."""
    if row.on == TARGET:
        return "validation images"
    style = " in the target's style" if row.on == TRANSLATED else ""
    trained = "; the row was TRAINED on these scenes and their labels" if row.learnt_from else ""
    return f"training images of the source{style}{trained}"


def _means(rows: Sequence[Scores]) -> dict[str, str]:
    return _MEANS_OF_SUBSETS if all(row.miou_16 is not None for row in rows) else _MEANS


def _short(heading: str) -> str:
    """A heading for the terminal: at most five letters for a class, so that nineteen classes fit a wide terminal."""
    last_word = heading.split()[-1]
    if heading == "pixel accuracy":
        return "pixel"
    if heading in _MEANS_OF_SUBSETS.values():
        return heading
    return _SHORT.get(last_word, last_word[:5])
