"""Pictures of a run as arrays and PNG files: error and confidence maps, sheets of pictures, a chart."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from udas_tf.report import label_curve
from udas_tf.report.label_curve import Curve
from udas_tf.report.tables import per_cent, row_name
from udas_tf.taxonomy import IGNORE

WRONG = (214, 39, 40)
NOT_SCORED = (23, 27, 33)
CONFIDENCE_COLOURS = "viridis"
STAGE_COLOURS = {"source": "#9aa5b1", "uda": "#5b8db8", "student": "#1f5f8b", "supervised": "#d9a566"}
_WIDEST = 640  # pixels of a picture in the page; a run at full size would weigh a hundred megabytes otherwise
_GAP = 4  # pixels between the panels of a mosaic


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Pictures that belong together, all of one size.

    Attributes:
      name: of its file, and of its place in the page.
      title: a heading.
      columns: captions of the panels of every line; empty when the lines speak for themselves.
      lines: (label, note, panels) from top to bottom; panels uint8 RGB [H, W, 3].
      aside: (caption, panel), what every line is to be compared with.
    """

    name: str
    title: str
    columns: Sequence[str]
    lines: Sequence[tuple[str, str, Sequence[np.ndarray]]]
    aside: Sequence[tuple[str, np.ndarray]] = ()

    def mosaic(self) -> np.ndarray:
        """All of the sheet in one picture without words, uint8 RGB: the lines, each after the aside."""
        aside = [panel for _, panel in self.aside]
        lines = [_joined([*aside, *panels], axis=1) for _, _, panels in self.lines]
        return _joined(lines, axis=0)


def error_map(image: np.ndarray, label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Where a prediction is wrong: the image in pale grey, red where wrong, almost black without a label.

    Args:
      image: uint8 RGB [H, W, 3].
      label: uint8 train ids [H, W], 255 = ignored.
      prediction: uint8 train ids [H, W].

    Returns:
      uint8 RGB [H, W, 3].
    """
    grey = np.asarray(Image.fromarray(image).convert("L"), np.float32)
    pale = np.repeat((140 + 0.4 * grey)[..., np.newaxis], 3, axis=-1)
    red = 0.85 * np.array(WRONG) + 0.15 * pale
    picture = np.where((label != prediction)[..., np.newaxis], red, pale)
    return np.where((label == IGNORE)[..., np.newaxis], NOT_SCORED, picture).astype(np.uint8)


def confidence_map(confidence: np.ndarray) -> np.ndarray:
    """Probabilities [H, W] in [0, 1] as colours from violet (0) to yellow (1): uint8 RGB [H, W, 3]."""
    return matplotlib.colormaps[CONFIDENCE_COLOURS](np.asarray(confidence, np.float32), bytes=True)[..., :3]


def png(picture: np.ndarray) -> bytes:
    """A PNG file of uint8 RGB [H, W, 3]."""
    return _file(Image.fromarray(picture))


def data_uri(picture: np.ndarray) -> str:
    """A picture for the page, at most 640 pixels wide and high."""
    image = Image.fromarray(picture)
    image.thumbnail((_WIDEST, _WIDEST))
    return png_uri(_file(image))


def png_uri(file: bytes) -> str:
    """The contents of a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(file).decode()


def miou_chart(rows: Sequence[dict]) -> bytes:
    """A PNG file with a bar for the mIoU of each row, in the table's order. Rows as in `tables`."""
    figure, axes = _axes(0.6 + 0.38 * len(rows))
    values = [100 * (row["miou"] or 0.0) for row in rows]
    colours = [STAGE_COLOURS[row["stage"]] for row in rows]
    bars = axes.barh([row_name(row) for row in rows], values, color=colours, height=0.66)
    axes.bar_label(bars, [per_cent(row["miou"]) for row in rows], padding=5, color="#1f2933", fontsize=10)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.0, 1.12 * max(values)))
    axes.set_xlabel("mIoU, per cent", color="#52606d", fontsize=9)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return _saved(figure)


def label_chart(curve: Curve) -> bytes:
    """A PNG file: mIoU over labelled images, of UDAS and supervised, with the deviation over seeds as error bars.

    The axis of the labels is logarithmic from the smallest budget above 0, and has room for 0.
    """
    figure, axes = _axes(4.8)
    lines = (("UDAS", label_curve.udas, "student"), ("supervised", label_curve.supervised, "supervised"))
    for name, score, stage in lines:
        found = [(labels, label_curve.over_seeds(curve, labels, score)) for labels in curve.budgets]
        shown = [(labels, value) for labels, value in found if value]
        axes.errorbar(
            [labels for labels, _ in shown],
            [100 * value.mean for _, value in shown],
            yerr=[100 * (value.deviation or 0.0) for _, value in shown],
            label=name,
            color=STAGE_COLOURS[stage],
            marker="o",
            linewidth=2,
            capsize=4,
        )
    baseline, colour = label_curve.baseline(curve), STAGE_COLOURS["source"]
    axes.axhline(100 * baseline.mean, color=colour, linestyle="--", label="no adaptation")
    low, high = (100 * (baseline.mean + sign * (baseline.deviation or 0.0)) for sign in (-1, 1))
    axes.axhspan(low, high, color=colour, alpha=0.2, linewidth=0)
    smallest = min((labels for labels in curve.budgets if labels), default=1)
    axes.set_xscale("symlog", linthresh=smallest, linscale=0.5)
    axes.set_xticks(curve.budgets, labels=[str(labels) for labels in curve.budgets])
    axes.minorticks_off()
    axes.set_xlim(-0.1 * smallest, 1.15 * max(curve.budgets[-1], 1))
    axes.set_xlabel("labelled target images", color="#52606d", fontsize=9)
    axes.set_ylabel("mIoU, per cent", color="#52606d", fontsize=9)
    axes.tick_params(axis="y", colors="#52606d", labelsize=9)
    axes.grid(axis="y", color="#e4e7eb")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines["left"].set_color("#cbd2d9")
    axes.legend(frameon=False, loc="best")
    return _saved(figure)


def _axes(height: float) -> tuple[Figure, Axes]:
    """A figure of 9 inches by `height`, with its axes."""
    # A Figure of its own draws on Agg and leaves the process's pyplot as it is.
    figure = Figure(figsize=(9, height), dpi=160, layout="constrained")
    axes = figure.add_subplot()
    axes.tick_params(axis="x", colors="#52606d", labelsize=9)
    axes.spines["bottom"].set_color("#cbd2d9")
    return figure, axes


def _saved(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _file(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def _joined(pictures: Sequence[np.ndarray], axis: int) -> np.ndarray:
    """Pictures side by side (axis 1) or one below the other (axis 0), with white between them."""
    gap = np.full([_GAP if i == axis else size for i, size in enumerate(pictures[0].shape)], 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)]
    return np.concatenate(parts[1:], axis)
