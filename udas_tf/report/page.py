"""The page of a run: one HTML file with styles and pictures inside, which needs no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import matplotlib

from udas_tf.evaluation.scores import Card, Scores
from udas_tf.pseudo_labels.audit import Audit
from udas_tf.report import figures, tables
from udas_tf.report.figures import Sheet
from udas_tf.taxonomy import ClassSet
from udas_tf.translation import Check


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """The pseudo-labels for one row.

    Attributes:
      row: name of the row that learns from them.
      sheet: some of them as pictures.
      audit: None where it is missing.
    """

    row: str
    sheet: Sheet
    audit: Audit | None


@dataclasses.dataclass(frozen=True)
class Page:
    """The content of the page.

    Attributes:
      run: path of the run, as the user gave it.
      rows: scores of the table's rows, at least one.
      trained_on: name of a row -> what its segmenter was trained on, in words.
      classes: the class set, for the legend.
      chart: PNG file of the mIoU of the rows.
      cards: score cards of the rows, in the same order.
      size: (height, width) at which rows are scored.
      warnings: (where, what), in the order of the stages.
      predictions: sheets of predictions on validation images.
      translated: source images, each above its translation; None without a translation.
      check: the check of the translation; None where it was not checked.
      changed: the images that translation changed most; None where it was not checked.
      batches: training batches of some rows, before augmentation.
      pseudo_labels: of the rows that learn from some.
      config: dotted key -> value.
      versions: package -> version.
    """

    run: str
    rows: Sequence[Scores]
    trained_on: Mapping[str, str]
    classes: ClassSet
    chart: bytes
    cards: Sequence[Card]
    size: tuple[int, int]
    warnings: Sequence[tuple[str, str]]
    predictions: Sequence[Sheet]
    translated: Sheet | None
    check: Check | None
    changed: Sheet | None
    batches: Sequence[Sheet]
    pseudo_labels: Sequence[PseudoLabels]
    config: Mapping[str, object]
    versions: Mapping[str, str]

    def sheets(self) -> list[Sheet]:
        """All sheets, in the order of the page."""
        pseudo_labels = [of_row.sheet for of_row in self.pseudo_labels]
        mixed = (self.translated, self.changed, *self.batches)
        return [sheet for sheet in (*self.predictions, *mixed, *pseudo_labels) if sheet]


def render(page: Page) -> str:
    """The page as one HTML file: pictures are data URIs, styles are inline, and there are no scripts."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "data_uri": figures.data_uri,
        "png_uri": figures.png_uri,
        "per_cent": tables.per_cent,
        "colour": lambda rgb: "rgb({}, {}, {})".format(*rgb),
    }
    return templates.get_template("page.html").render(
        page=page,
        columns=tables.columns(page.rows),
        is_best=tables.is_best,
        notes=tables.notes(page.rows),
        card=tables.card_columns(page.cards),
        class_colours=dict(zip(page.classes.classes, page.classes.colours, strict=True)),
        wrong=figures.WRONG,
        not_scored=figures.NOT_SCORED,
        confidence_colours=_gradient(figures.CONFIDENCE_COLOURS),
    )


def _gradient(colour_map: str) -> list[tuple[int, int, int]]:
    """Nine colours (red, green, blue) of a matplotlib colour map, from its low to its high end."""
    colours = (matplotlib.colormaps[colour_map](step / 8, bytes=True) for step in range(9))
    return [(int(red), int(green), int(blue)) for red, green, blue, _ in colours]
