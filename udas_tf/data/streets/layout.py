"""Draws a street from a plan: its ground patches and its items.

Street coordinates are those of `scene`: s along the road, t to the right. `side` is -1 for left and 1 for right. A yaw
of 0 turns the z axis of a mesh along the street.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from udas_tf.data.streets import shapes
from udas_tf.data.streets.materials import Colour, Colours, Palette
from udas_tf.data.streets.materials import Material as M
from udas_tf.data.streets.plan import Plan
from udas_tf.data.streets.scene import Item, Patch, Road
from udas_tf.data.streets.shapes import Mesh, Range, Vector

LotBuilder = Callable[[int, float, float], None]  # side, start along the street, width

SIDES = (-1, 1)
_FAR = 118.0  # metres; the street ends here
_JUNCTION_MARGIN = 2.6  # metres between a junction and the nearest lots
_LENGTHS = {"car": 4.6, "truck": 8.2, "bus": 11.0, "cycle": 1.8}  # metres


class Layout:
    """A street that is drawn when the object is created.

    The order of the calls, and of the random numbers within them, defines the data set: do not change it.

    Attributes:
      plan, palette: figures and colours that the street is drawn with.
      eye_t: distance of the camera from the centre line, to the right.
      road: the course of the road.
      patches: the ground, in painting order.
      items: the items, in no particular order.
    """

    _leaf = M.LEAF
    _vehicles = (0.62, 0.1, 0.12)  # weights of cars, trucks and buses in traffic

    def __init__(self, plan: Plan, palette: Palette, eye_t: float, rng: np.random.Generator) -> None:
        self.plan, self.palette, self.eye_t, self._rng = plan, palette, eye_t, rng
        self.road = Road(plan.curvature)
        self.patches: list[Patch] = []
        self.items: list[Item] = []
        self._cross_half = plan.half_road * 0.9 + 0.5
        self._lay_ground()
        for side in SIDES:
            self._place_lots(side)
            self._park_cars(side)
            self._furnish(side)
            self._walk_people(side)
        self._drive_traffic()
        if plan.junction is not None:
            self._cross(plan.junction)
        self._close_view()

    # Choices.

    def _colour(self, choices: Colours) -> Colour:
        """One of the colours, varied by the plan's `colour_spread`."""
        colour = np.array(choices[self._rng.integers(len(choices))], float)
        return tuple(np.clip(colour + self._rng.normal(0, self.plan.colour_spread, 3), 8, 250))

    def _spaced(self, spacing: float, start: float) -> list[float]:
        """Distances along the street, about `spacing` apart, as evenly as the plan's `irregular` says."""
        distances: list[float] = []
        s = start + spacing * self._rng.random()
        while s < _FAR - 10:
            distances.append(s)
            s += spacing * (1 + self.plan.irregular * self._rng.uniform(-0.5, 0.5))
        return distances

    def _in_junction(self, s: float, margin: float) -> bool:
        return self.plan.junction is not None and abs(s - self.plan.junction) < self._cross_half + margin

    def _towards_eye(self, s: float, t: float) -> float:
        """The yaw that turns an item at (s, t) with its -z side to the camera."""
        x, z, heading = self.road.to_world(s, t)
        return float(np.arctan2(x - self.eye_t, z) - heading)

    # Ground.

    def _lay_ground(self) -> None:
        plan, junction = self.plan, self.plan.junction
        self.patches.append(Patch(0.5, 260.0, -160.0, 160.0, "terrain", M.GRASS))
        for side in SIDES:
            kerb, edge = plan.kerb(side), plan.kerb(side) + plan.walk[side > 0]
            self._strip(side, kerb, edge, "sidewalk", M.PAVING)
            self._strip(side, kerb, kerb + 0.2, "sidewalk", M.KERB)
        self.patches.append(Patch(0.5, _FAR, -plan.kerb(-1), plan.kerb(1), "road", M.ASPHALT))
        self._mark_lanes()
        if junction is None:
            return
        half, walk = self._cross_half, 2.4
        for side in SIDES:
            start, end = plan.kerb(side), 90.0
            for low, high in ((-half - walk, -half), (half, half + walk)):
                self._strip(side, start, end, "sidewalk", M.PAVING, junction + low, junction + high)
        self.patches.append(Patch(junction - half, junction + half, -90.0, 90.0, "road", M.ASPHALT))
        for near in (junction - half - 3.4, junction + half + 0.6):
            for t in np.arange(-plan.kerb(-1) + 0.4, plan.kerb(1) - 0.4, 1.0):
                self.patches.append(Patch(near, near + 2.8, t, t + 0.5, "road", M.MARKING))
        stop = junction - half - 4.4
        self.patches.append(Patch(stop, stop + 0.4, 0.2, plan.half_road, "road", M.MARKING))

    def _strip(
        self,
        side: int,
        near: float,
        far: float,
        label: str,
        material: M,
        s0: float = 0.5,
        s1: float = _FAR,
    ) -> None:
        """Adds a patch on one side, from s0 to s1 along the street, `near` to `far` from the centre line."""
        left, right = sorted((side * near, side * far))
        self.patches.append(Patch(s0, s1, left, right, label, material))

    def _mark_lanes(self) -> None:
        """Adds dashes between the lanes, and a line at each edge of the outer lanes."""
        plan = self.plan
        for boundary in range(1 - plan.lanes, plan.lanes):
            t = boundary * plan.lane
            for s in np.arange(2.0, 80.0, 6.0):
                if not self._in_junction(s + 1.5, 4.5):
                    self.patches.append(Patch(s, s + 3.0, t - 0.08, t + 0.08, "road", M.MARKING))
        for side in SIDES:
            t = side * plan.half_road
            for s0, s1 in self._free_of_junction():
                self.patches.append(Patch(s0, s1, t - 0.07, t + 0.07, "road", M.MARKING))

    def _free_of_junction(self) -> list[Range]:
        """The stretches of the street before and after the junction."""
        if self.plan.junction is None:
            return [(0.5, _FAR)]
        return [
            (0.5, self.plan.junction - self._cross_half - 4),
            (self.plan.junction + self._cross_half + 4, _FAR),
        ]

    # Lots.

    def _place_lots(self, side: int) -> None:
        names, weights = list(self.plan.lots), np.array(list(self.plan.lots.values()))
        builders = self._lot_builders()
        junction = self.plan.junction
        s = 0.0
        while s < _FAR:
            width = 13.0 * (1 + self.plan.irregular * self._rng.uniform(-0.4, 0.5))
            if junction is not None:
                before = junction - self._cross_half - _JUNCTION_MARGIN
                after = junction + self._cross_half + _JUNCTION_MARGIN
                if s < after and s + width > before:
                    room = before - s
                    if room < 5:
                        s = after
                        continue
                    width = room
            builders[self._rng.choice(names, p=weights / weights.sum())](side, s, width)
            s += width

    def _lot_builders(self) -> dict[str, LotBuilder]:
        """The functions that draw a lot, by the names of `plan.lots`."""
        return {"block": self._block, "house": self._house, "park": self._park, "walled": self._walled}

    def _building(self, mesh: Mesh, s: float, t: float, across: float, along: float, floors: int) -> None:
        """Adds a building of `across` x `along` metres."""
        spacing = self._rng.uniform(1.9, 3.0)
        storey = self._rng.uniform(2.8, 3.4)
        windows = (spacing, storey, self._rng.uniform(0.35, 0.6), self._rng.uniform(0.45, 0.65))
        palette = self.palette
        scale = (across, floors * storey, along)
        tints = (self._colour(palette.facades), self._colour(palette.trims), self._colour(palette.roofs))
        self.items.append(Item(mesh, s, t, scale=scale, windows=windows, tints=tints))

    def _block(self, side: int, s: float, width: float) -> None:
        """Adds a block of flats; in front of half of them, the sidewalk reaches the wall."""
        line = self.plan.lot_line(side)
        floors = int(self._rng.integers(self.plan.floors[0], self.plan.floors[1] + 1))
        if self._rng.random() < 0.5:
            self._strip(side, line - self.plan.verge[side > 0], line + 0.5, "sidewalk", M.PAVING, s, s + width)
        mesh = shapes.block("building", M.FACADE, M.ROOF)
        self._building(mesh, s + width / 2, side * (line + 6), 12, width - 0.1, floors)

    def _house(self, side: int, s: float, width: float) -> None:
        """Adds a detached house behind a fence, hedge or wall, and with half of them a tree."""
        line = self.plan.lot_line(side)
        setback = self._rng.uniform(3.5, 6.0)
        self._building(shapes.house(), s + width / 2, side * (line + setback + 4), 8, width * 0.75, 2)
        self._border(side, s, width, str(self._rng.choice(["fence", "hedge", "wall"], p=[0.55, 0.25, 0.2])))
        if self._rng.random() < 0.5:
            self._tree(s + self._rng.uniform(1, 2), side * (line + 2), self._rng.uniform(4, 6))

    def _park(self, side: int, s: float, width: float) -> None:
        """Adds trees and bushes, half of the time behind a fence."""
        line = self.plan.lot_line(side)
        for _ in range(int(self._rng.integers(1, 4))):
            self._tree(
                s + width * self._rng.random(),
                side * (line + self._rng.uniform(3, 14)),
                self._rng.uniform(6, 10),
            )
        for _ in range(2):
            self._bush(s + width * self._rng.random(), side * (line + self._rng.uniform(2, 9)))
        if self._rng.random() < 0.5:
            self._border(side, s, width, "fence")

    def _walled(self, side: int, s: float, width: float) -> None:
        """Adds a wall with a tree or a building behind it."""
        line = self.plan.lot_line(side)
        self._border(side, s, width, "wall")
        if self._rng.random() < 0.6:
            self._tree(s + width * 0.5, side * (line + 4), self._rng.uniform(6, 9))
        else:
            mesh = shapes.block("building", M.FACADE, M.ROOF)
            self._building(mesh, s + width / 2, side * (line + 12), 10, width - 2, int(self._rng.integers(2, 5)))

    def _border(self, side: int, s: float, width: float, kind: str) -> None:
        """Adds a fence, wall or hedge along the front of a lot."""
        t = side * (self.plan.lot_line(side) + 0.3)
        kinds = {
            "fence": ("fence", M.BARS, self._rng.uniform(1.2, 1.7), 0.1, self.palette.fences),
            "wall": ("wall", M.MASONRY, self._rng.uniform(1.7, 2.6), 0.35, self.palette.masonry),
            "hedge": ("vegetation", M.LEAF, self._rng.uniform(1.1, 1.9), 0.9, self.palette.leaves),
        }
        label, material, height, depth, colours = kinds[kind]
        tints = (self._colour(colours),) * 3
        scale = (depth, height, width)
        self.items.append(Item(shapes.block(label, material), s + width / 2, t, scale=scale, tints=tints))

    def _tree(self, s: float, t: float, height: float) -> None:
        kind = ("round", "tall", "cone")[self._rng.choice(3, p=[0.65, 0.2, 0.15])]
        radius = height * {"round": 0.32, "tall": 0.3, "cone": 0.36}[kind] * self._rng.uniform(0.85, 1.15)
        stretch = {"round": 1.0, "tall": 1.35, "cone": 1.3}[kind]
        middle = height - 0.9 * radius * stretch
        self.items.append(Item(shapes.block("vegetation", M.BARK), s, t, scale=(0.3, middle, 0.3)))
        self._foliage(kind, s, t, middle, (radius, radius * stretch, radius))

    def _bush(self, s: float, t: float) -> None:
        radius = self._rng.uniform(0.7, 1.3)
        self._foliage("round", s, t, 0.7 * radius, (radius, radius, radius))

    def _foliage(self, kind: str, s: float, t: float, y: float, scale: Vector) -> None:
        """Adds a crown whose middle is at height y, turned to the camera."""
        mesh = shapes.crown(kind, int(self._rng.integers(6)), self._leaf)
        tints = (self._colour(self.palette.leaves),) * 3
        self.items.append(Item(mesh, s, t, y=y, yaw=self._towards_eye(s, t), scale=scale, tints=tints))

    # Sidewalk.

    def _furnish(self, side: int) -> None:
        """Adds lamps, trees, signs and clutter."""
        plan, rng = self.plan, self._rng
        kerb = plan.kerb(side)
        facing = 0.0 if side > 0 else np.pi
        for s in self._spaced(plan.lamps, 6):
            if not self._in_junction(s, 1):
                self._lamp(s, side * (kerb + 0.5), facing)
        outer = kerb + plan.walk[side > 0] + max(plan.verge[side > 0] / 2, 0.1)
        for s in self._spaced(plan.trees, 5):
            if plan.verge[side > 0] > 0 and not self._in_junction(s, 3):
                self._tree(s, side * outer, rng.uniform(5, 8))
        for s in self._spaced(16, 5):
            if rng.random() < plan.signs and not self._in_junction(s, 0):
                self._sign(s, side * (kerb + rng.uniform(0.3, 0.8)), facing if rng.random() < 0.4 else 0.0)
        for s in self._spaced(9, 5):
            if rng.random() < plan.clutter and not self._in_junction(s, 1):
                self._clutter(s, side * (kerb + plan.walk[side > 0] - 0.5))

    def _lamp(self, s: float, t: float, yaw: float) -> None:
        self.items.append(Item(shapes.lamp_post(), s, t, yaw=yaw, scale=(1, self._rng.uniform(0.9, 1.1), 1)))

    def _sign(self, s: float, t: float, yaw: float) -> None:
        shape = ("disc", "triangle", "board")[self._rng.integers(3)]
        face, rim = {
            "disc": (((250, 250, 250), (40, 80, 190), (205, 30, 40)), ((205, 30, 40),)),
            "triangle": (((250, 250, 250), (250, 210, 60)), ((205, 30, 40),)),
            "board": (((40, 90, 190), (30, 120, 70), (245, 205, 50)), ((245, 245, 245),)),
        }[shape]
        size = self._rng.uniform(0.9, 1.2)
        tints = (self._colour(face), self._colour(rim), (0, 0, 0))
        self.items.append(Item(shapes.traffic_sign(shape), s, t, yaw=yaw, scale=(size, size, 1), tints=tints))

    def _clutter(self, s: float, t: float) -> None:
        """Adds a bin or cabinet (class void), a bollard (class pole) or a parked bicycle."""
        kind = self._rng.choice(3, p=[0.35, 0.2, 0.45])
        if kind == 0:
            tints = (self._colour(self.palette.clutter),) * 3
            scale = (0.6, self._rng.uniform(0.9, 1.3), 0.6)
            self.items.append(Item(shapes.block("void", M.CLUTTER), s, t, scale=scale, tints=tints))
        elif kind == 1:
            self.items.append(Item(shapes.block("pole", M.POLE), s, t, scale=(0.18, 1.0, 0.18)))
        else:
            self._cycle(s, t, self._rng.uniform(0.6, 2.5), with_rider=False)

    # Traffic and people.

    def _vehicle(self, kind: str, s: float, t: float, yaw: float) -> None:
        """Adds a "car", "truck" or "bus"."""
        palette, size = self.palette, float(self._rng.uniform(0.94, 1.08))
        if kind == "car":
            mesh = self._car()
            paint = self._colour(palette.cars)
        else:
            mesh = {"bus": shapes.bus, "truck": shapes.truck}[kind]()
            paint = self._colour({"bus": palette.buses, "truck": palette.trucks}[kind])
        tints = (paint, self._colour(palette.trims), paint)
        self.items.append(Item(mesh, s, t, yaw=yaw, scale=(1, size, size), tints=tints))

    def _car(self) -> Mesh:
        return shapes.car(("saloon", "hatch", "estate", "van")[self._rng.choice(4, p=[0.35, 0.3, 0.22, 0.13])])

    def _cycle(self, s: float, t: float, yaw: float, with_rider: bool) -> None:
        top, bottom = self._colour(self.palette.clothes), self._colour(self.palette.clothes)
        tints = (top, bottom, self._colour(self.palette.skins))
        self.items.append(Item(shapes.bicycle(with_rider), s, t, yaw=yaw, scale=(1.15, 1.05, 1.05), tints=tints))

    def _person(self, s: float, t: float, yaw: float) -> None:
        size = self._rng.uniform(0.88, 1.1)
        top, bottom = self._colour(self.palette.clothes), self._colour(self.palette.clothes)
        stride = (0.04, 0.16, 0.26)[self._rng.integers(3)]
        tints = (top, bottom, self._colour(self.palette.skins))
        scale = (size * self._rng.uniform(0.95, 1.25), size, size)
        self.items.append(Item(shapes.person(stride), s, t, yaw=yaw, scale=scale, tints=tints))

    def _park_cars(self, side: int) -> None:
        """Adds cars and trucks on the parking lane of a side that has one."""
        plan, s = self.plan, self._rng.uniform(4, 9)
        if plan.parking[side > 0] < 2:
            return
        while s < 80:
            if self._rng.random() < plan.parked and not self._in_junction(s + 2, 6):
                kind = "truck" if self._rng.random() < 0.07 and not self._in_junction(s + 6, 8) else "car"
                s += 1.8 * (kind == "truck")
                yaw = (0.0 if side > 0 else np.pi) + self._rng.normal(0, 0.03) * plan.irregular
                self._vehicle(kind, s + 2.3, side * (plan.half_road + 1.1), yaw)
                s += 1.8 * (kind == "truck")
            s += 5.6 * (1 + 0.6 * plan.irregular * self._rng.random())

    def _drive_traffic(self) -> None:
        """Adds vehicles and riders on all lanes."""
        plan, rng = self.plan, self._rng
        weights = np.array([*self._vehicles, 0.16 * plan.riders / 0.7])
        for lane in range(-plan.lanes, plan.lanes):
            t, yaw = (lane + 0.5) * plan.lane, (0.0 if lane >= 0 else np.pi)
            s = rng.uniform(9, 22) if lane >= 0 else rng.uniform(6, 16)
            while s < 90:
                kind = str(rng.choice(list(_LENGTHS), p=weights / weights.sum()))
                if rng.random() < plan.traffic:
                    sway = rng.normal(0, 0.15) * plan.irregular
                    if kind == "cycle":
                        edge = np.sign(lane + 0.5) * (plan.lane * 0.5 - 0.7)
                        self._cycle(s + 1, t + edge + sway, yaw + rng.normal(0, 0.1) * plan.irregular, with_rider=True)
                    else:
                        self._vehicle(kind, s + _LENGTHS[kind] / 2, t + sway, yaw)
                s += _LENGTHS[kind] + rng.uniform(5, 16)
        if rng.random() < plan.riders * 0.6:  # a rider at the kerb, whom the camera has just passed
            self._cycle(rng.uniform(8, 14), plan.half_road - 0.3, rng.normal(0, 0.08), with_rider=True)

    def _walk_people(self, side: int) -> None:
        """Adds people, alone or in pairs, on a sidewalk."""
        plan, rng = self.plan, self._rng
        kerb, walk = plan.kerb(side), plan.walk[side > 0]
        for s in self._spaced(7.5, 6):
            if s > 45 or rng.random() > plan.people:
                continue
            for companion in range(int(rng.integers(1, 3))):
                t = side * (kerb + rng.uniform(0.5, max(walk - 0.3, 0.8)))
                yaw = rng.choice([0.0, np.pi]) + rng.normal(0, 0.4)
                self._person(s + 0.7 * companion, t, yaw)

    def _cross(self, junction: float) -> None:
        """Adds traffic lights, crossing people, and the traffic of the crossing street."""
        plan, rng, half = self.plan, self._rng, self._cross_half
        lit = int(rng.integers(3))
        lamps = [(70, 12, 12), (70, 52, 10), (10, 60, 25)]
        lamps[lit] = ((255, 45, 35), (255, 185, 40), (50, 250, 130))[lit]
        red, amber, green = lamps
        for side in SIDES:
            for s in (junction - half - 3.9, junction + half + 0.3):
                size = rng.uniform(1.0, 1.2)
                t = side * (plan.kerb(side) + 0.4)
                tints = (red, amber, green)
                self.items.append(Item(shapes.traffic_light(), s, t, scale=(size, size, size), tints=tints))
        for _ in range(int(rng.integers(1, 5))):
            s = junction - half - 2 + rng.uniform(-0.9, 0.9)
            t = rng.uniform(-plan.kerb(-1), plan.kerb(1))
            self._person(s, t, rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.2))
        for direction in SIDES:
            s = junction + direction * half * 0.5
            for t in (rng.uniform(5, 9), rng.uniform(16, 30)):
                if rng.random() < plan.traffic * 0.6:
                    kind = str(rng.choice(["car", "bus", "truck"], p=[0.8, 0.1, 0.1]))
                    t = t if kind == "car" else t + 4
                    self._vehicle(kind, s, -direction * t, direction * np.pi / 2)

    def _close_view(self) -> None:
        """Adds buildings and trees behind the lots and across the end of the street, which close the view."""
        rng = self._rng
        mesh = shapes.block("building", M.FACADE, M.ROOF)
        for t in np.arange(-100, 101, 20.0):
            if rng.random() < 0.5:
                self._building(mesh, _FAR + 20, t, 19, 10, int(rng.integers(2, 6)))
            else:
                for step in (-6, 0, 6):
                    self._tree(_FAR + 12 + rng.uniform(-2, 2), t + step, rng.uniform(6, 11))
        for side in SIDES:
            for s in np.arange(25.0, _FAR, 22.0):
                if rng.random() < 0.6 and not self._in_junction(s, 8):
                    t = side * (self.plan.lot_line(side) + 32)
                    if rng.random() < 0.4:
                        self._building(mesh, s, t, 10, 14, int(rng.integers(2, 5)))
                    else:
                        self._tree(s, t, rng.uniform(7, 11))
