"""How far two domains lie apart: distances of class shares, places, appearance and sizes."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from udas_tf.data.gap.statistics import APPEARANCE, ClassPlace, Domain, Spread


@dataclasses.dataclass(frozen=True)
class ClassGap:
    """The target's class against the source's.

    Attributes:
      row, column: target's mean place - source's.
      row_error, column_error: their standard errors.
      moved: earth mover's distance of the distributions over the grid's rows plus that over its columns;
        between few images some hundredths are chance.
    """

    row: float
    column: float
    row_error: float
    column_error: float
    moved: float


@dataclasses.dataclass(frozen=True)
class AppearanceGap:
    """Target's mean - source's; the same in deviations between images, None where no image deviates."""

    difference: float
    effect: float | None


@dataclasses.dataclass(frozen=True)
class Gap:
    """Distances from source to target; what needs labels is None unless both domains have some.

    Attributes:
      shares: total variation distance of the class shares, 0..1.
      shares_by_chance: what it would be on average between two such samples of one domain.
      classes: by class name; None for a class that one domain does not show.
      layout: mean of |row| + |column| of the classes, weighted by their shares.
      layout_by_chance: likewise.
      colour: distance of the mean colours in L*a*b*.
      appearance: by the names of APPEARANCE.
      stretch: how many times wider for their height making records left the target's objects than the
        source's.
    """

    shares: float | None
    shares_by_chance: float | None
    classes: dict[str, ClassGap | None] | None
    layout: float | None
    layout_by_chance: float | None
    colour: float
    appearance: dict[str, AppearanceGap]
    stretch: float


def compare(source: Domain, target: Domain) -> Gap:
    """The distances of two domains of one class set."""
    look = {name: _difference(source.appearance[name], target.appearance[name]) for name in APPEARANCE}
    colour = math.hypot(*(look[name].difference for name in ("lightness", "green_red", "blue_yellow")))
    from_labels = dict.fromkeys(("shares", "shares_by_chance", "classes", "layout", "layout_by_chance"))
    if source.classes is not None and target.classes is not None:
        from_labels = _compare_labels({name: (source.classes[name], target.classes[name]) for name in source.classes})
    return Gap(**from_labels, colour=colour, appearance=look, stretch=_stretch(target) / _stretch(source))


def _compare_labels(pairs: dict[str, tuple[ClassPlace, ClassPlace]]) -> dict[str, Any]:
    """The fields of Gap that need labels."""
    chance = math.sqrt(2 / math.pi)  # mean of |x| for a normal x of deviation 1
    classes = {name: _class_gap(*pair) for name, pair in pairs.items()}
    weights = {name: sum(place.share for place in pairs[name]) for name, gap in classes.items() if gap}
    total = sum(weights.values())

    def layout(*parts: str) -> float | None:
        moves = {name: sum(abs(getattr(classes[name], part)) for part in parts) for name in weights}
        return sum(weights[name] * moves[name] for name in weights) / total if total else None

    layout_by_chance = layout("row_error", "column_error")
    return {
        "shares": 0.5 * sum(abs(there.share - here.share) for here, there in pairs.values()),
        "shares_by_chance": 0.5 * chance * sum(share_error(*pair) for pair in pairs.values()),
        "classes": classes,
        "layout": layout("row", "column"),
        "layout_by_chance": None if layout_by_chance is None else chance * layout_by_chance,
    }


def _difference(here: Spread, there: Spread) -> AppearanceGap:
    deviation = math.sqrt((here.deviation**2 + there.deviation**2) / 2)
    difference = there.mean - here.mean
    return AppearanceGap(difference, difference / deviation if deviation > 0 else None)


def share_error(here: ClassPlace, there: ClassPlace) -> float:
    """Standard error of the difference of a class's shares."""
    return math.hypot(here.share_error, there.share_error)


def _class_gap(here: ClassPlace, there: ClassPlace) -> ClassGap | None:
    if here.row is None or here.column is None or there.row is None or there.column is None:
        return None
    grids = np.array(here.grid), np.array(there.grid)
    scales = math.sqrt(here.images), math.sqrt(there.images)
    return ClassGap(
        row=there.row.mean - here.row.mean,
        column=there.column.mean - here.column.mean,
        row_error=math.hypot(here.row.deviation / scales[0], there.row.deviation / scales[1]),
        column_error=math.hypot(here.column.deviation / scales[0], there.column.deviation / scales[1]),
        moved=sum(_earth_mover(*(grid.sum(axis=1 - axis) for grid in grids)) for axis in (0, 1)),
    )


def _earth_mover(here: np.ndarray, there: np.ndarray) -> float:
    """Least mean way from one distribution over equal bins of [0, 1] to the other."""
    return float(np.abs(np.cumsum(there - here)).sum() / len(here))


def _stretch(domain: Domain) -> float:
    """How many times wider for their height objects became from the originals to the records."""
    sizes = domain.original_sizes or ((*domain.size, 1),)
    aspects = sum(images * width / height for height, width, images in sizes)
    return domain.size[1] / domain.size[0] * sum(images for _, _, images in sizes) / aspects
