"""Meshes of the items that only towns have: terraced houses, leafless trees, rounded cars, railings, adverts."""

from __future__ import annotations

import functools

import numpy as np

from udas_tf.data.streets.materials import Material as M
from udas_tf.data.streets.shapes import Builder, Mesh, Range, limb

ROOFS = ("flat", "ridge", "gable")


@functools.cache
def terrace(floors: int, shop: bool, roof: str, variant: int) -> Mesh:
    """A terraced house, 1 x 1 x 1 without its roof, with a street front on its -x and on its +x side.

    Args:
      floors: number of storeys.
      shop: whether each front has a shop window and a lettered fascia.
      roof: one of ROOFS; "ridge" runs along the street, "gable" faces it.
      variant: seed of the details.
    """
    rng = np.random.default_rng([variant, floors, shop, ROOFS.index(roof)])
    build = Builder()
    sides = build.box((-0.5, 0, -0.5), (0.5, 1, 0.5), "building", M.FACADE, roof=M.ROOF)
    storey = 1 / floors
    for name in ("left", "right"):
        if shop:
            _shopfront(build, sides[name], storey, rng)
        if rng.random() < 0.5:
            build.panel(sides[name], (0, 1), (1 - 0.1 * storey, 1), "building", M.TRIM)
    top = 1 + storey * rng.uniform(0.7, 1.3)
    if roof != "flat":
        _pitched_roof(build, top, towards_street=roof == "gable")
    if roof != "flat" and rng.random() < 0.7:
        build.part()
        z = rng.choice([-0.42, 0.42])
        build.box((-0.06, 1, z - 0.08), (0.06, top + 0.4 * storey, z + 0.08), "building", M.MASONRY)
    return build.mesh()


def _shopfront(build: Builder, side: np.ndarray, storey: float, rng: np.random.Generator) -> None:
    """Adds shop windows and a fascia to the lowest storey of a side [4, 3]."""
    panes, sill = int(rng.integers(2, 5)), rng.uniform(0.6, 0.78)
    build.panel(side, (0, 1), (0, 0.1 * storey), "building", M.RUBBER)
    build.panel(side, (0.02, 0.98), (sill * storey, 0.97 * storey), "building", M.FASCIA)
    for pane in range(panes):
        u = ((pane + 0.06) / panes, (pane + 0.94) / panes)
        poster = rng.random() < 0.2
        build.panel(side, u, (0.1 * storey, (sill - 0.03) * storey), "building", M.FASCIA if poster else M.GLASS)


def _pitched_roof(build: Builder, top: float, towards_street: bool) -> None:
    """Adds a roof over the unit square; its ridge runs along z, or along x if it faces the streets."""
    low, high, back, front = (-0.52, 0.98), (0.52, 0.98), -0.5, 0.5
    faces = (
        (M.ROOF, [(*high, back), (*high, front), (0, top, front), (0, top, back)]),
        (M.ROOF, [(*low, front), (*low, back), (0, top, back), (0, top, front)]),
        (M.MASONRY, [(*low, back), (*high, back), (0, top, back)]),
        (M.MASONRY, [(*high, front), (*low, front), (0, top, front)]),
    )
    for material, corners in faces:
        x, y, z = np.array(corners).T
        if towards_street:
            x, z = z, -x
        build.face(np.stack([x, y, z], -1), "building", material)


@functools.cache
def bare_crown(variant: int) -> Mesh:
    """A leafless crown that faces -z: branches and twigs, of about unit radius around the origin."""
    rng = np.random.default_rng([31, variant])
    build = Builder()
    fork, tips = np.array([0.0, -0.8, 0.0]), []
    for turn in np.linspace(-1.3, 1.3, 7) + rng.normal(0, 0.12, 7):
        tips.append(fork + rng.uniform(0.75, 1.35) * np.array([0.85 * np.sin(turn), np.cos(turn), 0]))
    for tip in tips:
        radius = rng.uniform(0.3, 0.42)
        build.disc(tip, radius, "-z", "vegetation", M.TWIGS, normal=(0, 0.5, -0.5), squash=1.15)
    build.disc((0, -0.1, 0), 0.5, "-z", "vegetation", M.TWIGS, normal=(0, 0.5, -0.5))
    for tip in tips:
        middle = fork + (tip - fork) * 0.5 + (0, 0.1, 0)
        limb(build, fork, middle, 0.018, M.BARK, "vegetation")
        for end in (tip + rng.normal(0, 0.06, 3), tip + rng.normal(0, 0.2, 3) * (1, 1, 0)):
            limb(build, middle, end, 0.009, M.BARK, "vegetation")
    limb(build, (0, -1.05, 0), fork, 0.03, M.BARK, "vegetation")
    return build.mesh()


# Length, height and shoulder height in metres; back and front of the cabin as shares of the length, from the car's
# middle; slant of the cabin's back and front in metres.
CARS = {
    "hatch": (3.8, 1.48, 0.9, (-0.47, 0.26), (0.35, 0.75)),
    "saloon": (4.5, 1.42, 0.88, (-0.33, 0.24), (0.7, 0.85)),
    "estate": (4.6, 1.5, 0.9, (-0.47, 0.24), (0.4, 0.8)),
    "people": (4.4, 1.68, 0.95, (-0.48, 0.34), (0.25, 1.0)),
    "van": (5.1, 2.1, 1.05, (-0.49, 0.4), (0.08, 0.7)),
}


@functools.cache
def rounded_car(kind: str) -> Mesh:
    """A car that faces +z, with cut corners; kind: one of CARS."""
    build = Builder()
    length, height, shoulder, (back, front), (slant_back, slant_front) = CARS[kind]
    end = length / 2
    skirt = _ring(0.2, 0.8, -end + 0.12, end - 0.12, 0.2)
    belt = _ring(0.52, 0.88, -end, end, 0.24)
    top = _ring(shoulder, 0.83, -end + 0.08, end - 0.3, 0.3)
    low, high = _loft(build, skirt, belt, M.PAINT), _loft(build, belt, top, M.PAINT)
    build.face(top, "car", M.PAINT)
    for side in range(8):
        build.panel(low[side], (0, 1), (0, 0.45), "car", M.RUBBER)
    build.panel(low[4], (0.1, 0.9), (0.3, 0.9), "car", M.RUBBER)
    for side, lamp in ((5, M.HEADLAMP), (3, M.HEADLAMP), (7, M.TAILLAMP), (1, M.TAILLAMP)):
        build.panel(high[side], (0.1, 0.9), (0.15, 0.75), "car", lamp)
    build.panel(low[0], (0.33, 0.67), (0.5, 0.95), "car", M.HEADLAMP)
    build.panel(low[4], (0.36, 0.64), (0.5, 0.8), "car", M.HEADLAMP)
    build.wheels(0.88, 0.32, (-0.31 * length, 0.31 * length), "car")
    foot = _ring(shoulder, 0.8, back * length, front * length, 0.15)
    roof = _ring(height, 0.6, back * length + slant_back, front * length - slant_front, 0.15)
    panes = _loft(build, foot, roof, M.PAINT)
    build.face(roof, "car", M.PAINT)
    for side in (0, 4):
        build.panel(panes[side], (0.04, 0.96), (0.1, 0.88), "car", M.GLASS)
    right: list[Range] = [(0.05, 0.5), (0.54, 0.95)]
    left: list[Range] = [(0.05, 0.46), (0.5, 0.95)]
    if kind == "van":  # windows at the front only
        right, left = right[1:], left[:1]
    for side, windows in ((2, right), (6, left)):
        for u in windows:
            build.panel(panes[side], u, (0.12, 0.86), "car", M.GLASS)
    return build.mesh()


def _ring(y: float, half: float, back: float, front: float, corner: float) -> np.ndarray:
    """Corners float64 [8, 3] of a level rectangle with cut corners, counter-clockwise from the back left.

    Args:
      y: height.
      half: half of the width.
      back, front: z of its ends.
      corner: length of the cut along each side.
    """
    x = np.array([corner - half, half - corner, half, half, half - corner, corner - half, -half, -half])
    z = np.array([back, back, back + corner, front - corner, front, front, front - corner, back + corner])
    return np.stack([x, np.full(8, y), z], -1)


def _loft(build: Builder, low: np.ndarray, high: np.ndarray, material: M) -> list[np.ndarray]:
    """Adds the eight faces between two rings; returns their corners [4, 3]. 0, 2, 4, 6: back, right, front, left."""
    sides = [np.array([low[k], low[k - 7], high[k - 7], high[k]]) for k in range(8)]
    for side in sides:
        build.face(side, "car", material)
    return sides


@functools.cache
def railing() -> Mesh:
    """Two metres of railing along z, 1 m high."""
    build = Builder()
    for axis, x in ((1, 0.02), (-1, -0.02)):
        z0, z1 = -axis, axis
        build.face([(x, 0, z0), (x, 0, z1), (x, 1, z1), (x, 1, z0)], "fence", M.RAILING)
    build.box((-0.03, 0.95, -1), (0.03, 1.02, 1), "fence", M.BARS)
    return build.mesh()


@functools.cache
def advert() -> Mesh:
    """A board of 1 x 1 in x and y, 0.12 deep, with lettering on both sides; its class is "traffic sign"."""
    build = Builder()
    sides = build.box((-0.5, 0, -0.06), (0.5, 1, 0.06), "traffic sign", M.SIGN_RIM)
    for name in ("back", "front"):
        build.panel(sides[name], (0.05, 0.95), (0.04, 0.96), "traffic sign", M.ADVERT)
    return build.mesh()
