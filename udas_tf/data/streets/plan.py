"""How streets are laid out, as figures."""

from __future__ import annotations

import dataclasses

import numpy as np

_LOTS = ("block", "house", "park", "walled")


@dataclasses.dataclass(frozen=True)
class Town:
    """Figures of a street as it is used and worn; probabilities 0..1, but for the spacings in metres.

    Attributes:
      tone_spread: deviation of the logarithm of an item's brightness.
      bare: trees without leaves; street_trees: along the kerb, wherever it has room.
      shops: of houses in a row.
      worn: of markings, that they are gone; repairs: that a stretch of the road was mended.
      yellow_lines: that they run along a kerb; bars: dashes, letters and what is left of them on the road.
      railings, bollards, islands: that a side of the street, or the middle of the road, has some.
      masts, adverts: spacing.
      strollers: knots of people on a side, on average.
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
    """Figures that a street is laid out by; lengths in metres, the rest probabilities or counts.

    Attributes:
      irregular: 0 for even spacing, 1 for spacing anywhere between half and one and a half times it.
      lane, lanes: width and number per direction.
      parking, walk, verge: widths per side (left, right); the verge of grass lies between walk and lots.
      curvature: of the road, 1 / metres.
      junction: distance of the crossing street, None without one.
      lots: weights of what stands along the street, by name.
      floors: lowest and highest number of storeys.
      trees, lamps: spacing along the street.
      parked, traffic, riders, people, clutter, signs: how full the street is, 0..1.
      colour_spread: deviation of an item's colour from the palette's, in RGB steps.
      town: what a denser street has besides; None without any of it.
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
        return self.lane * self.lanes

    def kerb(self, side: int) -> float:
        """Distance of the kerb from the centre line."""
        return self.half_road + self.parking[side > 0]

    def lot_line(self, side: int) -> float:
        """Distance from the centre line at which lots begin."""
        return self.kerb(side) + self.walk[side > 0] + self.verge[side > 0]


def sim_plan(rng: np.random.Generator) -> Plan:
    """A regular straight street; only what stands along it varies."""
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
    """Anything from a lane between hedges to an avenue, straight or bent."""
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
