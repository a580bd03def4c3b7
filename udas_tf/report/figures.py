"""Pictures of a run as arrays and PNG files: error and confidence maps, sheets of pictures, charts."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from udas_tf.evaluation.scores import Scores
from udas_tf.report import label_curve
from udas_tf.report.label_curve import Curve
from udas_tf.report.tables import per_cent
from udas_tf.taxonomy import IGNORE

WRONG = (214, 39, 40)
NOT_SCORED = (23, 27, 33)
CONFIDENCE_COLOURS = "viridis"
UDAS_COLOUR, SUPERVISED_COLOUR, BASELINE_COLOUR = "#1f5f8b", "#d9a566", "#9aa5b1"
_WIDEST = 640  # pixels of a picture in the page, which would have a hundred megabytes with pictures at full size
_GAP = 4  # pixels between the panels of a mosaic


@dataclasses.dataclass(frozen=True)
class Sheet:
    """Pictures of one size in lines, with labels.

    Attributes:
      name: of its file, and its id in the page.
      title: its heading.
      columns: captions of the panels of every line; empty where the lines need none.
      lines: (label, note, panels) from top to bottom; panels uint8 RGB [H, W, 3].
      aside: (caption, panel), pictures to compare every line with.
    """

    name: str
    title: str
    columns: Sequence[str]
    lines: Sequence[tuple[str, str, Sequence[np.ndarray]]]
    aside: Sequence[tuple[str, np.ndarray]] = ()

    def mosaic(self) -> np.ndarray:
        """The whole sheet as one picture without text, uint8 RGB: in each line the aside, then the panels."""
        aside = [panel for _, panel in self.aside]
        lines = [_joined([*aside, *panels], axis=1) for _, _, panels in self.lines]
        return _joined(lines, axis=0)


def error_map(image: np.ndarray, label: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Shows where a prediction is wrong: the image in pale grey, red where wrong, almost black without a label.

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
    """The content of a PNG file with a picture, uint8 RGB [H, W, 3]."""
    return _file(Image.fromarray(picture))


def data_uri(picture: np.ndarray) -> str:
    """A picture, uint8 RGB [H, W, 3], as a data URI for the page; reduced to at most 640 pixels in width and height."""
    image = Image.fromarray(picture)
    image.thumbnail((_WIDEST, _WIDEST))
    return png_uri(_file(image))


def png_uri(file: bytes) -> str:
    """The content of a PNG file as a data URI."""
    return "data:image/png;base64," + base64.b64encode(file).decode()


def miou_chart(rows: Sequence[Scores], colours: Mapping[str, str]) -> bytes:
    """A bar chart of the mIoU of each row, from top to bottom.

    Args:
      rows: scores, in the table's order.
      colours: name of a row -> colour of its bar, such as "#1f5f8b".

    Returns:
      The content of a PNG file.
    """
    figure, axes = _axes(0.6 + 0.38 * len(rows))
    values = [100 * (row.miou or 0.0) for row in rows]
    names = [row.name for row in rows]
    bars = axes.barh(names, values, color=[colours[name] for name in names], height=0.66)
    axes.bar_label(bars, [per_cent(row.miou) for row in rows], padding=5, color="#1f2933", fontsize=10)
    axes.invert_yaxis()
    axes.set_xlim(0, max(1.0, 1.12 * max(values)))
    axes.set_xlabel("mIoU, per cent", color="#52606d", fontsize=9)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return _saved(figure)


def label_chart(curve: Curve) -> bytes:
    """A chart of mIoU over labelled images for UDAS and supervised, with the deviation over seeds as error bars.

    The axis of the labels is logarithmic from the smallest budget above 0; below that it is linear down to 0.

    Returns:
      The content of a PNG file.
    """
    figure, axes = _axes(4.8)
    lines = (
        ("UDAS", label_curve.udas, UDAS_COLOUR),
        ("supervised", label_curve.supervised, SUPERVISED_COLOUR),
    )
    for name, score, colour in lines:
        spreads = [(labels, label_curve.over_seeds(curve, labels, score)) for labels in curve.budgets]
        points = [(labels, value) for labels, value in spreads if value]
        axes.errorbar(
            [labels for labels, _ in points],
            [100 * value.mean for _, value in points],
            yerr=[100 * (value.deviation or 0.0) for _, value in points],
            label=name,
            color=colour,
            marker="o",
            linewidth=2,
            capsize=4,
        )
    baseline, colour = label_curve.baseline(curve), BASELINE_COLOUR
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
    # A Figure without pyplot is drawn by Agg, and changes no state of the process.
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
