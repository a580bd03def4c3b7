"""Meshes of the items of a street.

Axes: x to the right, y up, z forward, in metres unless a mesh is scaled later. Meshes stand on y = 0.

A mesh consists of parts, and a part of convex faces, each with a class and a material. The faces of a part are drawn
in the order in which they were added: a window after its wall. The parts are drawn far to near.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from numpy.typing import ArrayLike

from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.streets.materials import Material as M
from udas_tf.taxonomy import IGNORE

Vector = tuple[float, float, float]  # x, y, z
Range = tuple[float, float]  # low, high

CORNERS = 8  # of every face; a face with fewer repeats its last one
LABEL = {name: CITYSCAPES.id_of(name) for name in CITYSCAPES.classes} | {"void": IGNORE}


@dataclasses.dataclass(frozen=True)
class Mesh:
    """The faces of one item.

    Attributes:
      corners: float32 [faces, CORNERS, 3], counter-clockwise when seen from outside.
      normals: float32 [faces, 3], unit vectors for shading.
      labels: uint8 [faces], train ids.
      materials: int64 [faces].
      parts: int64 [faces], number of the part, from 0.
    """

    corners: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    materials: np.ndarray
    parts: np.ndarray


class Builder:
    """Builds a mesh face by face."""

    def __init__(self) -> None:
        self._faces: list[np.ndarray] = []
        self._normals: list[np.ndarray] = []
        self._labels: list[int] = []
        self._materials: list[M] = []
        self._parts: list[int] = []
        self._part = 0

    def part(self) -> None:
        """Starts the next part."""
        self._part += 1

    def face(self, corners: ArrayLike, label: str, material: M, normal: ArrayLike | None = None) -> None:
        """Adds a convex face.

        Args:
          corners: [3..CORNERS, 3], counter-clockwise when seen from outside.
          label: name of a Cityscapes class, or "void".
          material: material of the face.
          normal: [3], of any length, for shading; None = the normal of the face's plane.
        """
        points = np.asarray(corners, np.float64)
        if normal is None:
            normal = np.cross(points[-1] - points[1], points[2] - points[0])  # x, y, z is left-handed
        direction = np.asarray(normal, np.float64)
        padding = np.repeat(points[-1:], CORNERS - len(points), axis=0)
        self._faces.append(np.concatenate([points, padding]))
        self._normals.append(direction / max(float(np.linalg.norm(direction)), 1e-9))
        self._labels.append(LABEL[label])
        self._materials.append(material)
        self._parts.append(self._part)

    def box(
        self, low: Vector, high: Vector, label: str, material: M, top: Vector = (0, 0, 0), roof: M | None = None
    ) -> dict[str, np.ndarray]:
        """Adds a box without a bottom.

        Args:
          low, high: opposite corners.
          label: class of all faces.
          material: material of all faces.
          top: insets of the upper rectangle (left and right, front, back).
          roof: material of the upper rectangle; None = the same as the others.

        Returns:
          The corners float64 [4, 3] of each side by name, from the bottom left one, for `panel`.
        """
        (x0, y0, z0), (x1, y1, z1) = low, high
        u0, u1, w0, w1 = x0 + top[0], x1 - top[0], z0 + top[2], z1 - top[1]
        sides = {
            "back": [(x0, y0, z0), (x1, y0, z0), (u1, y1, w0), (u0, y1, w0)],
            "right": [(x1, y0, z0), (x1, y0, z1), (u1, y1, w1), (u1, y1, w0)],
            "front": [(x1, y0, z1), (x0, y0, z1), (u0, y1, w1), (u1, y1, w1)],
            "left": [(x0, y0, z1), (x0, y0, z0), (u0, y1, w0), (u0, y1, w1)],
            "top": [(u0, y1, w0), (u1, y1, w0), (u1, y1, w1), (u0, y1, w1)],
        }
        for name, corners in sides.items():
            self.face(corners, label, roof if roof is not None and name == "top" else material)
        return {name: np.array(corners, np.float64) for name, corners in sides.items()}

    def panel(self, side: np.ndarray, u: Range, v: Range, label: str, material: M) -> None:
        """Adds a rectangle on a side [4, 3] of a box; u and v are shares of the side's width and height."""

        def at(a: float, b: float) -> np.ndarray:
            low, high = side[0] + a * (side[1] - side[0]), side[3] + a * (side[2] - side[3])
            return low + b * (high - low)

        self.face([at(u[0], v[0]), at(u[1], v[0]), at(u[1], v[1]), at(u[0], v[1])], label, material)

    def disc(
        self,
        centre: ArrayLike,
        radius: float,
        axis: str,
        label: str,
        material: M,
        normal: ArrayLike | None = None,
        squash: float = 1.0,
    ) -> None:
        """Adds a regular octagon that faces `axis`: "+x", "-x", "+z" or "-z"; `squash` is a factor of its height."""
        turn = np.arange(CORNERS) * (2 * np.pi / CORNERS) + np.pi / CORNERS
        across, up = radius * np.cos(turn), radius * squash * np.sin(turn)
        # Seen from outside, x or z runs to the right for two of the four axes, and to the left for the others.
        corners = np.zeros((CORNERS, 3))
        corners[:, 2 if axis[1] == "x" else 0] = across if axis in ("+x", "-z") else -across
        corners[:, 1] = up
        self.face(corners + np.asarray(centre), label, material, normal)

    def ball(self, centre: Vector, radius: float, label: str, material: M, squash: float = 1.0) -> None:
        """Adds four discs that together look like a ball."""
        for axis in ("+x", "-x", "+z", "-z"):
            self.disc(centre, radius, axis, label, material, squash=squash)

    def wheels(self, half_width: float, radius: float, positions: tuple[float, ...], label: str) -> None:
        """Adds a pair of wheels, left and right, at each z of `positions`."""
        for z in positions:
            for axis, x in (("+x", half_width), ("-x", -half_width)):
                self.disc((x, radius, z), radius, axis, label, M.RUBBER)
                self.disc((x, radius, z), 0.55 * radius, axis, label, M.METAL)

    def mesh(self) -> Mesh:
        """Returns the mesh of all faces added so far."""
        return Mesh(
            np.array(self._faces, np.float32),
            np.array(self._normals, np.float32),
            np.array(self._labels, np.uint8),
            np.array(self._materials),
            np.array(self._parts),
        )


@functools.cache
def car(kind: str) -> Mesh:
    """A car that faces +z; kind: "saloon", "hatch", "estate" or "van"."""
    build = Builder()
    length, shoulder, height = {
        "saloon": (4.5, 0.88, 1.45), "hatch": (3.9, 0.92, 1.5), "estate": (4.6, 0.92, 1.5),
        "van": (4.9, 1.1, 2.0),
    }[kind]  # fmt: skip
    cabin = {"saloon": (-1.75, 1.15), "hatch": (-1.85, 1.0), "estate": (-2.2, 1.1), "van": (-2.4, 1.85)}[kind]
    slant = {"saloon": (0.8, 0.6), "hatch": (0.75, 0.3), "estate": (0.8, 0.3), "van": (0.7, 0.05)}[kind]
    half, end = 0.88, length / 2
    body = build.box((-half, 0.25, -end), (half, shoulder, end), "car", M.PAINT, top=(0.04, 0.08, 0.05))
    build.panel(body["front"], (0.28, 0.72), (0.3, 0.75), "car", M.RUBBER)
    for u in ((0.03, 0.22), (0.78, 0.97)):
        build.panel(body["front"], u, (0.5, 0.85), "car", M.HEADLAMP)
        build.panel(body["back"], u, (0.5, 0.9), "car", M.TAILLAMP)
    build.panel(body["back"], (0.36, 0.64), (0.3, 0.5), "car", M.HEADLAMP)
    for side in ("front", "back"):
        build.panel(body[side], (0, 1), (0, 0.2), "car", M.RUBBER)
    for side in ("left", "right"):
        build.panel(body[side], (0, 1), (0, 0.12), "car", M.RUBBER)
    build.wheels(half, 0.33, (-0.31 * length, 0.31 * length), "car")
    top = (0.16, *slant)
    roof = build.box((-half + 0.06, shoulder, cabin[0]), (half - 0.06, height, cabin[1]), "car", M.PAINT, top=top)
    build.panel(roof["front"], (0.06, 0.94), (0.08, 0.9), "car", M.GLASS)
    build.panel(roof["back"], (0.08, 0.92), (0.15, 0.85), "car", M.GLASS)
    for side, from_back in (("left", False), ("right", True)):
        panes: tuple[Range, ...] = ((0.08, 0.48), (0.52, 0.92))
        if kind == "van":
            panes = ((0.66, 0.95),) if from_back else ((0.05, 0.34),)
        for u in panes:
            build.panel(roof[side], u, (0.12, 0.86), "car", M.GLASS)
    return build.mesh()


@functools.cache
def truck() -> Mesh:
    """A truck that faces +z, 8.2 m long: a cab and a cargo box on one frame."""
    build = Builder()
    build.box((-1.1, 0.5, -4.1), (1.1, 0.9, 2.0), "truck", M.RUBBER)
    cargo = build.box((-1.22, 0.9, -4.1), (1.22, 3.5, 1.9), "truck", M.TRIM)
    build.panel(cargo["back"], (0.48, 0.52), (0.05, 0.95), "truck", M.METAL)
    for u in ((0.02, 0.12), (0.88, 0.98)):
        build.panel(cargo["back"], u, (0.0, 0.07), "truck", M.TAILLAMP)
    build.wheels(1.22, 0.5, (-3.0, -1.9), "truck")
    build.part()
    cab = build.box((-1.15, 0.4, 2.1), (1.15, 2.8, 4.1), "truck", M.PAINT, top=(0.06, 0.3, 0.0))
    build.panel(cab["front"], (0.07, 0.93), (0.5, 0.88), "truck", M.GLASS)
    build.panel(cab["front"], (0.2, 0.8), (0.12, 0.38), "truck", M.RUBBER)
    for u in ((0.03, 0.18), (0.82, 0.97)):
        build.panel(cab["front"], u, (0.06, 0.2), "truck", M.HEADLAMP)
    build.panel(cab["left"], (0.12, 0.6), (0.52, 0.86), "truck", M.GLASS)
    build.panel(cab["right"], (0.4, 0.88), (0.52, 0.86), "truck", M.GLASS)
    build.wheels(1.16, 0.5, (3.1,), "truck")
    return build.mesh()


@functools.cache
def bus() -> Mesh:
    """A city bus that faces +z, 11 m long."""
    build = Builder()
    body = build.box((-1.25, 0.35, -5.5), (1.25, 3.1, 5.5), "bus", M.PAINT, top=(0.05, 0.1, 0.05), roof=M.TRIM)
    build.panel(body["front"], (0.05, 0.95), (0.35, 0.8), "bus", M.GLASS)
    build.panel(body["front"], (0.2, 0.8), (0.84, 0.96), "bus", M.HOUSING)
    build.panel(body["back"], (0.12, 0.88), (0.5, 0.85), "bus", M.GLASS)
    for u in ((0.04, 0.16), (0.84, 0.96)):
        build.panel(body["front"], u, (0.1, 0.2), "bus", M.HEADLAMP)
        build.panel(body["back"], u, (0.15, 0.32), "bus", M.TAILLAMP)
    for side in ("left", "right"):
        build.panel(body[side], (0, 1), (0.28, 0.36), "bus", M.TRIM)
        for pane in range(7):
            build.panel(body[side], (0.02 + pane * 0.14, 0.135 + pane * 0.14), (0.45, 0.85), "bus", M.GLASS)
    for u in ((0.55, 0.65), (0.86, 0.96)):
        build.panel(body["right"], u, (0.03, 0.85), "bus", M.GLASS)
    build.wheels(1.26, 0.48, (-3.3, 3.4), "bus")
    return build.mesh()


@functools.cache
def person(stride: float) -> Mesh:
    """A person who faces +z, 1.75 m tall; `stride` is half the distance between the feet in metres."""
    build = Builder()
    for side in (-1, 1):
        x, z = 0.11 * side, stride * side
        limb(build, (x, 0.0, z), (x, 0.1, z), 0.1, M.RUBBER)
        limb(build, (x, 0.1, z), (x, 0.88, 0), 0.09, M.BOTTOM)
        build.part()
        limb(build, (0.3 * side, 0.75, -z), (0.25 * side, 1.4, 0), 0.065, M.TOP)
        build.part()
    build.box((-0.22, 0.82, -0.13), (0.22, 1.46, 0.13), "person", M.TOP, top=(0.02, 0.03, 0.03))
    build.part()
    build.ball((0, 1.6, 0.02), 0.15, "person", M.SKIN, squash=1.15)
    build.ball((0, 1.68, -0.02), 0.14, "person", M.HAIR, squash=0.7)
    return build.mesh()


def limb(build: Builder, low: ArrayLike, high: ArrayLike, half: float, material: M, label: str = "person") -> None:
    """Adds a slanting square bar, 2 * `half` wide, between two points; its ends are level and open."""
    foot, head = np.array(low, float), np.array(high, float)
    ring = np.array([(-half, 0, -half), (half, 0, -half), (half, 0, half), (-half, 0, half)])
    for a in range(4):
        b = (a + 1) % 4
        build.face([foot + ring[a], foot + ring[b], head + ring[b], head + ring[a]], label, material)


@functools.cache
def bicycle(with_rider: bool) -> Mesh:
    """A bicycle that faces +z, with wheels of 0.7 m; the rider has a class of its own."""
    build = Builder()
    for z in (-0.52, 0.52):
        build.box((-0.05, 0, z - 0.25), (0.05, 0.71, z + 0.25), "bicycle", M.RUBBER)
        for axis in ("+x", "-x"):
            x = 0.05 if axis == "+x" else -0.05
            build.disc((x, 0.36, z), 0.36, axis, "bicycle", M.RUBBER)
            build.disc((x, 0.36, z), 0.25, axis, "bicycle", M.METAL)
    for low, high in (
        ((0, 0.35, -0.52), (0, 0.85, -0.2)), ((0, 0.3, 0.0), (0, 0.85, -0.2)),
        ((0, 0.3, 0.0), (0, 0.9, 0.42)),
        ((0, 0.82, -0.2), (0, 0.84, 0.4)), ((0, 0.35, 0.52), (0, 1.05, 0.4)),
    ):  # fmt: skip
        limb(build, low, high, 0.045, M.PAINT, "bicycle")
    build.box((-0.28, 1.0, 0.36), (0.28, 1.08, 0.44), "bicycle", M.RUBBER)
    build.box((-0.09, 0.85, -0.36), (0.09, 0.93, -0.06), "bicycle", M.RUBBER)
    if with_rider:
        for side, foot in ((-1, 0.22), (1, 0.42)):
            x = 0.13 * side
            build.part()
            limb(build, (x, foot, 0.05), (x, foot + 0.4, 0.22), 0.085, M.BOTTOM, "rider")
            limb(build, (x, foot + 0.4, 0.22), (x, 0.98, -0.18), 0.095, M.BOTTOM, "rider")
            build.part()
            limb(build, (0.24 * side, 1.06, 0.36), (0.22 * side, 1.45, 0.06), 0.065, M.TOP, "rider")
        build.part()
        limb(build, (0, 0.92, -0.2), (0, 1.52, 0.04), 0.19, M.TOP, "rider")
        build.part()
        build.ball((0, 1.68, 0.12), 0.15, "rider", M.SKIN, squash=1.1)
        build.ball((0, 1.77, 0.1), 0.16, "rider", M.PAINT, squash=0.65)
    return build.mesh()


@functools.cache
def crown(kind: str, variant: int, leaf: M = M.LEAF) -> Mesh:
    """Foliage of unit radius around the origin, made of discs that face -z; kind: "round", "tall" or "cone"."""
    rng = np.random.default_rng([variant, len(kind)])
    build = Builder()
    # The first disc hides the sky in the middle.
    build.disc((0, -0.1, 0), 0.45, "-z", "vegetation", leaf, normal=(0, 0.2, -0.3))
    build.part()
    for _ in range(13):
        height = rng.uniform(-0.85, 0.75)
        spread = {"round": np.sqrt(1 - height**2), "tall": 0.55, "cone": 0.5 * (0.85 - height)}[kind]
        radius = {"round": 0.45, "tall": 0.36, "cone": 0.16 + 0.18 * (0.85 - height)}[kind] * rng.uniform(0.8, 1.2)
        angle = rng.uniform(0, 2 * np.pi)
        offset = 0.75 * spread * np.array([np.cos(angle), 0, np.sin(angle)]) + (0, height, 0)
        build.disc(offset, radius, "-z", "vegetation", leaf, normal=offset + np.array([0, 0.35, -0.3]), squash=0.9)
        build.part()
    return build.mesh()


@functools.cache
def block(label: str, material: M, roof: M | None = None) -> Mesh:
    """A box of 1 x 1 x 1, for walls, fences, hedges, trunks, flat-roofed buildings and bins."""
    build = Builder()
    build.box((-0.5, 0, -0.5), (0.5, 1, 0.5), label, material, roof=roof)
    return build.mesh()


@functools.cache
def house() -> Mesh:
    """A house: walls of 1 x 1 x 1 and a pitched roof, 0.45 high, with its ridge along z."""
    build = Builder()
    build.box((-0.5, 0, -0.5), (0.5, 1, 0.5), "building", M.FACADE)
    right, left, ridge = (0.54, 0.98), (-0.54, 0.98), (0, 1.45)
    back, front = -0.52, 0.52
    build.face([(*right, back), (*right, front), (*ridge, front), (*ridge, back)], "building", M.ROOF)
    build.face([(*left, front), (*left, back), (*ridge, back), (*ridge, front)], "building", M.ROOF)
    build.face([(*left, back), (*right, back), (*ridge, back)], "building", M.TRIM)
    build.face([(*right, front), (*left, front), (*ridge, front)], "building", M.TRIM)
    return build.mesh()


@functools.cache
def lamp_post() -> Mesh:
    """A street lamp, 7 m high, with its arm towards -x."""
    build = Builder()
    build.box((-0.1, 0, -0.1), (0.1, 6.8, 0.1), "pole", M.POLE)
    build.box((-1.8, 6.7, -0.08), (0.1, 6.86, 0.08), "pole", M.POLE)
    build.box((-2.2, 6.62, -0.16), (-1.4, 6.8, 0.16), "pole", M.METAL)
    return build.mesh()


@functools.cache
def traffic_light() -> Mesh:
    """A traffic light that faces -z, 3.6 m high; the item's tints colour its lamps."""
    build = Builder()
    build.box((-0.08, 0, -0.08), (0.08, 2.5, 0.08), "pole", M.POLE)
    build.part()
    build.box((-0.25, 2.4, -0.2), (0.25, 3.65, 0.2), "traffic light", M.HOUSING)
    for y, material in ((3.42, M.LAMP_RED), (3.02, M.LAMP_AMBER), (2.62, M.LAMP_GREEN)):
        build.disc((0, y, -0.2), 0.17, "-z", "traffic light", material)
    return build.mesh()


@functools.cache
def traffic_sign(shape: str) -> Mesh:
    """A sign on a pole that faces -z; shape: "disc", "triangle" or "board"."""
    build = Builder()
    build.box((-0.05, 0, -0.05), (0.05, 2.2, 0.05), "pole", M.POLE)
    build.part()
    z = -0.08
    if shape == "disc":
        build.disc((0, 2.6, z), 0.45, "-z", "traffic sign", M.SIGN_RIM)
        build.disc((0, 2.6, z), 0.32, "-z", "traffic sign", M.SIGN_FACE)
        build.disc((0, 2.6, z), 0.45, "+z", "traffic sign", M.METAL)
    elif shape == "triangle":
        for half, material in ((0.52, M.SIGN_RIM), (0.3, M.SIGN_FACE)):
            build.face(
                [(-half, 2.5 - 0.6 * half, z), (half, 2.5 - 0.6 * half, z), (0, 2.5 + 1.15 * half, z)],
                "traffic sign", material,
            )  # fmt: skip
        build.face([(0.52, 2.19, z), (-0.52, 2.19, z), (0, 3.1, z)], "traffic sign", M.METAL)
    else:
        side = build.box((-0.75, 2.2, z), (0.75, 3.1, z + 0.06), "traffic sign", M.SIGN_RIM)
        build.panel(side["back"], (0.05, 0.95), (0.08, 0.92), "traffic sign", M.SIGN_FACE)
    return build.mesh()
