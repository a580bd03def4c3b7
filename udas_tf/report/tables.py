"""The table of scores as plain text, Markdown and CSV.

A row is what `evaluate` returns, with "name" added in a report:
    {"name", "stage", "round", "step", "images", "miou", "pixel_accuracy",
     "iou": {class name: fraction or None}}
and, where the source is SYNTHIA, "miou_16" and "miou_13", the mean IoU over subsets of the nineteen classes.
Scores are fractions in rows and in CSV, per cent in the other two.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

NONE = "-"
# Mean IoUs of a row: key -> heading, alone and beside the others.
_MEANS = {"miou": "mIoU"}
_MEANS_OF_SUBSETS = {"miou": "mIoU 19", "miou_16": "mIoU 16", "miou_13": "mIoU 13"}
# Where the first five letters of a class name's last word would read badly.
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


def occurring_classes(rows: Sequence[dict]) -> list[str]:
    """Classes that have an IoU in some row, in the order of the class set."""
    return [name for name in rows[0]["iou"] if any(row["iou"][name] is not None for row in rows)]


def columns(rows: Sequence[dict]) -> dict[str, list[float | None]]:
    """The table column by column: heading -> a fraction, or None, for each row.

    The IoU of every class that occurs, under its name, then "mIoU" ("mIoU 19", "mIoU 16" and "mIoU 13" where all rows
    have them) and "pixel accuracy".
    """
    per_class = {name: [row["iou"][name] for row in rows] for name in occurring_classes(rows)}
    return per_class | {
        **{heading: [row[key] for row in rows] for key, heading in _means(rows).items()},
        "pixel accuracy": [row["pixel_accuracy"] for row in rows],
    }


def card_columns(card: Sequence[dict]) -> dict[str, list[str]]:
    """The score card column by column: what a score is -> it in per cent for each row, "-" where there is none.

    Args:
      card: of `udas_tf.stages.score_card.card`.
    """
    found = {"last checkpoint (the score)": [per_cent(row["last"]) for row in card]}
    if any(row["best"] for row in card):
        found["best on val (chosen on what it is scored on)"] = [
            f"{per_cent(row['best']['miou'])} at step {row['best']['step']}" if row["best"] else NONE
            for row in card
        ]
    for views in dict.fromkeys(name for row in card for name in row["views"]):
        found[views] = [per_cent(row["views"].get(views)) for row in card]
    if any(row["seeds"] for row in card):
        found["last checkpoint, mean ± deviation over seeds"] = [_spread(row["seeds"]) for row in card]
    return found


def row_name(row: dict) -> str:
    """The name of a row; that of its stage for the row of an evaluation, which has none."""
    stage = row["stage"] if row["round"] is None else f"{row['stage']}_{row['round']}"
    return row.get("name", stage)


def per_cent(fraction: float | None) -> str:
    """One decimal, without the sign."""
    return NONE if fraction is None else f"{100 * fraction:.1f}"


def notes(rows: Sequence[dict]) -> list[str]:
    """What a reader needs to know below the table: what was measured on what, and classes left out of it."""
    images = ", ".join(str(count) for count in sorted({row["images"] for row in rows}))
    measured = "IoU of each class, mIoU and pixel accuracy in per cent"
    lines = [f"{measured}; last checkpoints, {images} {_scored_on(rows[0])}."]
    if _means(rows) is _MEANS_OF_SUBSETS:
        lines.append(
            "mIoU 16 is without terrain, truck and train, which SYNTHIA lacks, mIoU 13 also without wall, fence and pole."
        )
    absent = [name for name in rows[0]["iou"] if name not in occurring_classes(rows)]
    if absent:
        lines.append(f"Not in the validation labels: {', '.join(absent)}.")
    return lines


def score_table(rows: Sequence[dict]) -> str:
    """A table for the terminal: a line for each row, a column for each class, mIoU, pixel accuracy."""
    names = ["", *map(row_name, rows)]
    cells = [[name.ljust(max(map(len, names))) for name in names]]
    for heading, values in columns(rows).items():
        column = [_short(heading), *map(per_cent, values)]
        cells.append([cell.rjust(max(map(len, column))) for cell in column])
    return "\n".join([*map("  ".join, zip(*cells, strict=True)), "", *notes(rows)])


def score_markdown(rows: Sequence[dict]) -> str:
    """The same table in Markdown with whole class names, the best of each column in bold."""
    lines = [["", *columns(rows)], ["---", *("---:" for _ in columns(rows))]]
    lines += [[row_name(row)] for row in rows]
    for values in columns(rows).values():
        for line, value in zip(lines[2:], values, strict=True):
            line.append(f"**{per_cent(value)}**" if is_best(value, values) else per_cent(value))
    table = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([*table, "", *notes(rows)]) + "\n"


def score_csv(rows: Sequence[dict]) -> str:
    """Every value of every row; scores are fractions, empty where a class does not occur."""
    classes = list(rows[0]["iou"])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    scalars = ("stage", "round", "step", "images", *_means(rows), "pixel_accuracy")
    writer.writerow(["name", *scalars, *(f"iou {name}" for name in classes)])
    for row in rows:
        values = [row[key] for key in scalars] + [row["iou"][name] for name in classes]
        writer.writerow([row_name(row), *values])
    return text.getvalue()


def is_best(value: float | None, values: Sequence[float | None]) -> bool:
    """Whether a value is the largest of its column as shown; 0.0 never is, nor the only row's."""
    shown = [float(per_cent(other)) for other in values if other is not None]
    return value is not None and len(values) > 1 and 0.0 < float(per_cent(value)) == max(shown)


def _spread(seeds: dict | None) -> str:
    if seeds is None:
        return NONE
    return f"{per_cent(seeds['mean'])} ± {per_cent(seeds['deviation'])} ({seeds['runs']} runs)"


def _scored_on(row: dict) -> str:
    """What kind of images a row's scores are from: an evaluation on another set than the target's says so."""
    if "on" not in row:
        return "validation images"
    style = " in the target's style" if row["on"] == "translated" else ""
    seen = "; the row was TRAINED on these scenes and their labels" if row["learnt_from"] else ""
    return f"training images of the source{style}{seen}"


def _means(rows: Sequence[dict]) -> dict[str, str]:
    return _MEANS_OF_SUBSETS if all("miou_16" in row for row in rows) else _MEANS


def _short(heading: str) -> str:
    """At most five letters for a class, so that nineteen of them fit a wide terminal."""
    last_word = heading.split()[-1]
    if heading == "pixel accuracy":
        return "pixel"
    if heading in _MEANS_OF_SUBSETS.values():
        return heading
    return _SHORT.get(last_word, last_word[:5])
