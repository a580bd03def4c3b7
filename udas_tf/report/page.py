"""The page of a run: one HTML file with everything in it, which opens without a network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import matplotlib

from udas_tf.report import figures, tables
from udas_tf.report.figures import Sheet
from udas_tf.taxonomy import ClassSet


@dataclasses.dataclass(frozen=True)
class PseudoLabels:
    """Pseudo-labels of one round.

    Attributes:
      round: from 1.
      sheet: samples.
      audit: what `udas_tf.stages.pseudo_label.audit` returns; None when it has not been made.
    """

    round: int
    sheet: Sheet
    audit: dict | None


@dataclasses.dataclass(frozen=True)
class Page:
    """What the page shows.

    Attributes:
      run: path of the run, as the user gave it.
      rows: of the table, see `tables`.
      trained_on: row name -> what its segmenter was trained on.
      classes: the class set, for the legend.
      chart: PNG file of the mIoU of the rows.
      card: every score by its name, what `udas_tf.stages.score_card.card` returns.
      size: (height, width) at which rows are scored.
      warnings: (where, what) in the order of the stages.
      predictions: sheets of predictions on validation images.
      translated: source images above themselves in the target's style; None without a translation.
      check: what `udas_tf.stages.translate.gathered` returns; None when translations were not checked.
      changed: what translation changed most; None then, too.
      cutmix: images above labels; None when none are made.
      student_batch: what the last student learns from; None without students.
      pseudo_labels: by round.
      config: dotted key -> value.
      versions: package -> version.
    """

    run: str
    rows: Sequence[dict]
    trained_on: Mapping[str, str]
    classes: ClassSet
    chart: bytes
    card: Sequence[dict]
    size: tuple[int, int]
    warnings: Sequence[tuple[str, str]]
    predictions: Sequence[Sheet]
    translated: Sheet | None
    check: dict | None
    changed: Sheet | None
    cutmix: Sheet | None
    student_batch: Sheet | None
    pseudo_labels: Sequence[PseudoLabels]
    config: Mapping[str, object]
    versions: Mapping[str, str]

    def sheets(self) -> list[Sheet]:
        """Every sheet of the page, in its order."""
        pseudo_labels = [shown.sheet for shown in self.pseudo_labels]
        mixed = (self.translated, self.changed, self.cutmix, self.student_batch)
        return [sheet for sheet in (*self.predictions, *mixed, *pseudo_labels) if sheet]


def render(page: Page) -> str:
    """The page as self-contained HTML: pictures are data URIs, styles are inline, there are no scripts."""
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
        card=tables.card_columns(page.card),
        class_colours=dict(zip(page.classes.classes, page.classes.colours, strict=True)),
        wrong=figures.WRONG,
        not_scored=figures.NOT_SCORED,
        confidence_colours=_gradient(figures.CONFIDENCE_COLOURS),
    )


def _gradient(colour_map: str) -> list[tuple[int, ...]]:
    """Nine colours of a matplotlib colour map from its low to its high end."""
    return [matplotlib.colormaps[colour_map](i / 8, bytes=True)[:3] for i in range(9)]
