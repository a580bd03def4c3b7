"""The figures that streets are laid out by, and how `sim` and `real` draw them."""

from __future__ import annotations

import dataclasses

import numpy as np

_LOTS = ("block", "house", "park", "walled")


@dataclasses.dataclass(frozen=True)
class Town:
    """Figures of a town's street, beyond those of `Plan`. They are probabilities unless a unit is named.

    Attributes:
      tone_spread: standard deviation of the logarithm of an item's brightness.
      bare: a tree has no leaves.
      street_trees: a place for a tree along the kerb has one; below 0 counts as 0.
      shops: a terraced house has a shop.
      worn: a road marking is worn away.
      repairs: a stretch of the road has a repaired patch.
      yellow_lines: a kerb has yellow lines.
      bars: a stretch of the road has a bar of marking, as from dashes and letters.
      railings, bollards: a side of the street has them.
      islands: the road has a traffic island.
      masts, adverts: spacing in metres.
      strollers: mean number of groups of people per side.
    """

    tone_spread: float
    bare: float
    street_trees: float
    shops: float
    worn: float
    repairs: float
    yellow_lines: float
    bars: float
    railings: float
    bollards: float
    islands: float
    masts: float
    adverts: float
    strollers: float


@dataclasses.dataclass(frozen=True)
class Plan:
    """Figures that a street is laid out by. Lengths are in metres.

    Attributes:
      irregular: 0 = even spacing, 1 = each gap is 0.5 to 1.5 times the spacing.
      lane, lanes: width of a lane, and number of lanes per direction.
      parking, walk, verge: widths per side (left, right). `walk` is the sidewalk, the verge of grass lies behind it.
      curvature: curvature of the road in 1 / metres, positive to the right.
      junction: distance of the crossing street, None without one.
      lots: weight of each kind of lot, by name.
      floors: lowest and highest number of storeys.
      trees, lamps: spacing along the street.
      parked, traffic, riders, people, clutter, signs: how full the street is, 0..1.
      colour_spread: standard deviation of an item's colour around the palette's, in RGB steps.
      town: figures of a town's street; None = not a town.
    """

    irregular: float
    lane: float
    lanes: int
    parking: tuple[float, float]
    walk: tuple[float, float]
    verge: tuple[float, float]
    curvature: float
    junction: float | None
    lots: dict[str, float]
    floors: tuple[int, int]
    trees: float
    lamps: float
    parked: float
    traffic: float
    riders: float
    people: float
    clutter: float
    signs: float
    colour_spread: float
    town: Town | None = None

    @property
    def half_road(self) -> float:
        """Distance from the centre line to the edge of the outer lane."""
        return self.lane * self.lanes

    def kerb(self, side: int) -> float:
        """Distance from the centre line to the kerb; side is -1 (left) or 1 (right)."""
        return self.half_road + self.parking[side > 0]

    def lot_line(self, side: int) -> float:
        """Distance from the centre line to the lots; side is -1 (left) or 1 (right)."""
        return self.kerb(side) + self.walk[side > 0] + self.verge[side > 0]


def sim_plan(rng: np.random.Generator) -> Plan:
    """Draws a straight, regular street. Only parking, the junction and the items vary."""
    return Plan(
        irregular=0.15, lane=3.3, lanes=1,
        parking=tuple(np.where(rng.random(2) < 0.5, 2.1, 0.2)), walk=(2.6, 2.6), verge=(1.6, 1.6),
        curvature=0.0,
        junction=rng.choice([20.0, 28.0, 36.0]) if rng.random() < 0.5 else None,
        lots=dict(zip(_LOTS, (0.34, 0.24, 0.2, 0.22), strict=True)), floors=(2, 4),
        trees=13.0, lamps=18.0, parked=0.6, traffic=0.75, riders=0.7, people=0.6, clutter=0.25, signs=0.8,
        colour_spread=0.0,
    )  # fmt: skip


def real_plan(rng: np.random.Generator) -> Plan:
    """Draws any street, from a narrow lane to an avenue, straight or bent."""
    lanes = 2 if rng.random() < 0.25 else 1
    return Plan(
        irregular=1.0, lane=rng.uniform(2.9, 3.6), lanes=lanes,
        parking=tuple(np.where(rng.random(2) < 0.45, 2.1, 0.2)), walk=tuple(rng.uniform(1.7, 3.6, 2)),
        verge=tuple(np.where(rng.random(2) < 0.45, rng.uniform(0.8, 2.5, 2), 0.0)),
        curvature=rng.normal(0, 0.0035) if rng.random() < 0.7 else 0.0,
        junction=rng.uniform(15, 45) if rng.random() < 0.45 else None,
        lots=dict(zip(_LOTS, rng.dirichlet((2.2, 1.6, 1.6, 1.6)), strict=True)),
        floors=(2, 5), trees=rng.uniform(8, 22), lamps=rng.uniform(16, 30), parked=rng.uniform(0.3, 0.9),
        traffic=rng.uniform(0.35, 0.95), riders=rng.uniform(0.4, 0.9), people=rng.uniform(0.3, 0.95),
        clutter=rng.uniform(0.2, 0.8), signs=rng.uniform(0.5, 1.0), colour_spread=9.0,
    )  # fmt: skip
