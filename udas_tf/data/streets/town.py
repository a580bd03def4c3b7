"""Draws a town's street: to what `layout` draws, it adds worn markings, terraced houses, railings and more."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from udas_tf.data.streets import shapes, town_shapes
from udas_tf.data.streets.layout import SIDES, Layout, LotBuilder
from udas_tf.data.streets.materials import Colour, Colours, Palette
from udas_tf.data.streets.materials import Material as M
from udas_tf.data.streets.plan import Plan, Town
from udas_tf.data.streets.scene import Item, Patch
from udas_tf.data.streets.shapes import Mesh

_SMALL_ITEMS_END = 70.0  # metres; small items farther away are not drawn


class TownLayout(Layout):
    """A town's street; `town` is that of the plan, which must have one."""

    _leaf = M.FOLIAGE
    _vehicles = (0.76, 0.06, 0.05)

    def __init__(self, town: Town, plan: Plan, palette: Palette, eye_t: float, rng: np.random.Generator) -> None:
        self.town = town
        super().__init__(plan, palette, eye_t, rng)

    def _colour(self, choices: Colours) -> Colour:
        """One of the colours, varied by the plan's `colour_spread` and the town's `tone_spread`."""
        tone = math.exp(self._rng.normal(0, self.town.tone_spread))
        offsets = self._rng.normal(0, self.plan.colour_spread, 3).tolist()
        colour = choices[self._rng.integers(len(choices))]
        red, green, blue = (min(max(tone * (c + d), 8.0), 250.0) for c, d in zip(colour, offsets, strict=True))
        return red, green, blue

    # Ground.

    def _lay_ground(self) -> None:
        super()._lay_ground()
        town, rng = self.town, self._rng
        markings = [patch for patch in self.patches if patch.material == M.MARKING]
        self.patches = [patch for patch in self.patches if patch.material != M.MARKING]
        for s in self._spaced(9, 2):
            if rng.random() < town.repairs:
                self._patch(s, rng.uniform(0.6, 12), rng.uniform(0.5, 2.5), M.REPAIR)
        self.patches += [patch for patch in markings if rng.random() > town.worn]
        for s in self._spaced(12, 4):
            if rng.random() < town.bars:
                length, width = rng.uniform(0.2, 2.0, 2)
                self._patch(s, length, width, M.MARKING)
        for side in SIDES:
            if rng.random() < town.yellow_lines:
                for start, end in self._free_of_junction():
                    for offset in (0.3, 0.5):
                        line = self.plan.kerb(side) - offset
                        self._strip(side, line - 0.08, line, "road", M.YELLOW_LINE, start, end)
        if rng.random() < town.islands:
            self._island(rng.uniform(9, 40))

    def _patch(self, s: float, length: float, width: float, material: M) -> None:
        """Adds a patch anywhere across the road."""
        t = self._rng.uniform(-self.plan.half_road, self.plan.half_road)
        self.patches.append(Patch(s, s + length, t - width / 2, t + width / 2, "road", material))

    def _island(self, s: float) -> None:
        """Adds a traffic island in the middle of the road, with bollards and a sign."""
        if self._in_junction(s + 2.5, 6):
            return
        for low, high, material in ((-0.9, 0.9, M.KERB), (-0.75, 0.75, M.PAVING)):
            self.patches.append(Patch(s, s + 5.0, low, high, "sidewalk", material))
        for along in (0.5, 4.5):
            self.items.append(Item(shapes.block("pole", M.HEADLAMP), s + along, 0.0, scale=(0.3, 1.0, 0.3)))
        self._sign(s + 2.5, 0.0, 0.0)

    # Lots.

    def _lot_builders(self) -> dict[str, LotBuilder]:
        return super()._lot_builders() | {"terrace": self._terrace, "yard": self._yard, "grove": self._grove}

    def _terrace(self, side: int, s: float, width: float) -> None:
        """Adds a row of houses at the sidewalk, each with a height, front and roof of its own."""
        plan, rng, line = self.plan, self._rng, self.plan.lot_line(side)
        self._strip(side, line - plan.verge[side > 0], line + 0.8, "sidewalk", M.PAVING, s, s + width)
        end = s + width
        while end - s > 1:
            front = min(rng.uniform(4.5, 11), end - s)
            if end - s - front < 3.5:
                front = end - s
            floors = int(rng.integers(plan.floors[0], plan.floors[1] + 1))
            shop = bool(rng.random() < self.town.shops)
            roof = town_shapes.ROOFS[rng.integers(3)]
            mesh = town_shapes.terrace(floors, shop, roof, int(rng.integers(4)))
            self._building(mesh, s + front / 2, side * (line + 6 + rng.uniform(0, 0.7)), 12, front, floors)
            if shop:
                house = self.items[-1]
                fascia = self._colour(self.palette.cars + self.palette.buses)
                self.items[-1] = dataclasses.replace(house, tints=(house.tints[0], fascia, house.tints[2]))
            if shop and s < _SMALL_ITEMS_END and rng.random() < 0.5:
                self._board(s + front * rng.random(), side * (line - 0.4), rng.uniform(2.6, 4.6), (0.7, 0.8))
            s += front

    def _yard(self, side: int, s: float, width: float) -> None:
        """Adds a car park behind a kerb."""
        rng, line = self._rng, self.plan.lot_line(side)
        self._strip(side, line, line + 24, "road", M.ASPHALT, s, s + width)
        for row in (2.8, 15.0):
            for place in np.arange(s + 1.5, s + width - 1, 2.6):
                if rng.random() < self.plan.parked:
                    self._vehicle("car", place, side * (line + row), np.pi / 2 + rng.normal(0, 0.03))
        if rng.random() < 0.4:
            self._border(side, s, width, str(rng.choice(["fence", "hedge"])))

    def _grove(self, side: int, s: float, width: float) -> None:
        """Adds tall trees close together, behind a fence, hedge or wall, or in the open."""
        rng, line = self._rng, self.plan.lot_line(side)
        for _ in range(int(rng.integers(2, 5))):
            self._tree(s + width * rng.random(), side * (line + rng.uniform(1.5, 12)), rng.uniform(7, 11))
        border = str(rng.choice(["fence", "hedge", "wall", "none"]))
        if border != "none":
            self._border(side, s, width, border)

    def _border(self, side: int, s: float, width: float, kind: str) -> None:
        if kind == "fence" and self._rng.random() < 0.6:
            self._railing(side * (self.plan.lot_line(side) + 0.2), s, s + width, self._rng.uniform(1.0, 1.9))
        else:
            super()._border(side, s, width, kind)

    def _tree(self, s: float, t: float, height: float) -> None:
        height *= self._rng.uniform(0.9, 1.7)
        if self._rng.random() > self.town.bare:
            super()._tree(s, t, height)
            return
        radius = height * self._rng.uniform(0.3, 0.4)
        bark = (self._colour(self.palette.masonry),) * 3
        trunk = (0.25, height - 1.9 * radius, 0.25)
        self.items.append(Item(shapes.block("vegetation", M.BARK), s, t, scale=trunk, tints=bark))
        mesh = town_shapes.bare_crown(int(self._rng.integers(6)))
        yaw = self._towards_eye(s, t)
        self.items.append(Item(mesh, s, t, y=height - radius, yaw=yaw, scale=(radius,) * 3, tints=bark))

    def _car(self) -> Mesh:
        if self._rng.random() < 0.25:
            return super()._car()
        kinds = list(town_shapes.CARS)
        return town_shapes.rounded_car(kinds[self._rng.choice(len(kinds), p=[0.35, 0.2, 0.2, 0.15, 0.1])])

    # Sidewalk.

    def _lamp(self, s: float, t: float, yaw: float) -> None:
        """Adds a slim lamp of any height."""
        self.items.append(Item(shapes.lamp_post(), s, t, yaw=yaw, scale=(0.5, self._rng.uniform(0.7, 1.4), 0.5)))

    def _furnish(self, side: int) -> None:
        super()._furnish(side)
        plan, rng = self.plan, self._rng
        town, kerb, walk = self.town, plan.kerb(side), plan.walk[side > 0]
        if rng.random() < town.railings:
            start = rng.uniform(4, 45)
            self._railing(side * (kerb + 0.25), start, start + rng.uniform(6, 30), 1.05)
        if rng.random() < town.bollards:
            for s in np.arange(rng.uniform(4, 12), rng.uniform(15, 50), rng.uniform(1.6, 4)):
                self._post(s, side * (kerb + 0.35), rng.uniform(0.1, 0.2), rng.uniform(0.8, 1.15))
        for s in self._spaced(plan.trees, 8):
            if rng.random() < town.street_trees and not self._in_junction(s, 2):
                self._tree(s, side * (kerb + max(walk - 0.5, 0.6)), rng.uniform(5, 8))
        for s in self._spaced(town.masts, 9):
            t = side * (kerb + rng.choice([0.4, walk - 0.2]))
            self._post(s, t, rng.uniform(0.07, 0.14), rng.uniform(3, 10))
        for s in self._spaced(town.adverts, 6):
            size = rng.uniform(0.8, 1.4), rng.uniform(0.9, 2.6)
            self._board(s, side * (kerb + walk - rng.uniform(0.2, 0.8)), rng.choice([0.0, 0.0, 2.2]), size)
        for _ in range(int(rng.poisson(town.strollers))):
            self._group(side, rng.uniform(12, 60))

    def _post(self, s: float, t: float, width: float, height: float) -> None:
        """Adds a bollard or a mast, except in the junction."""
        if not self._in_junction(s, 0):
            self.items.append(Item(shapes.block("pole", M.POLE), s, t, scale=(width, height, width)))

    def _board(self, s: float, t: float, y: float, size: tuple[float, float]) -> None:
        """Adds an advert of size (width, height) with its foot at height y, except in the junction."""
        if self._in_junction(s, 0):
            return
        tints = (self._colour(self.palette.buses + self.palette.trucks + self.palette.cars),) * 3
        yaw = self._rng.choice([0.0, 0.0, np.pi / 2]) + self._rng.normal(0, 0.1)
        self.items.append(Item(town_shapes.advert(), s, t, y=y, yaw=yaw, scale=(*size, 1), tints=tints))

    def _railing(self, t: float, start: float, end: float, height: float) -> None:
        """Adds a railing along the street, with a gap at the junction."""
        tints = (self._colour(self.palette.fences),) * 3
        for s in np.arange(start + 1, min(end, _SMALL_ITEMS_END), 2.0):
            if not self._in_junction(s, 2):
                self.items.append(Item(town_shapes.railing(), s, t, scale=(1, height, 1), tints=tints))

    def _group(self, side: int, s: float) -> None:
        """Adds one to three people close together; 15 per cent of the groups cross the road."""
        plan, rng = self.plan, self._rng
        kerb, walk = plan.kerb(side), plan.walk[side > 0]
        crossing = rng.random() < 0.15
        t = rng.uniform(0, kerb) if crossing else kerb + rng.uniform(0.4, walk)
        yaw = np.pi / 2 if crossing else rng.choice([0.0, np.pi])
        for companion in range(int(rng.integers(1, 4))):
            self._person(s + 0.25 * rng.random(), side * (t + 0.6 * companion), yaw + rng.normal(0, 0.4))
