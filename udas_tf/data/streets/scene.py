"""The contents of a scene: the course of the road, the ground, the items, the light and the camera.

Street coordinates: s metres along the road's centre line, from the camera; t metres to the right of it.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple, TypeVar

import numpy as np

from udas_tf.data.streets.camera import Develop, Pinhole
from udas_tf.data.streets.materials import Colour, Material
from udas_tf.data.streets.shapes import CORNERS, LABEL, Mesh, Vector

Tints = tuple[Colour, Colour, Colour]
Windows = tuple[float, float, float, float]
Number = TypeVar("Number", float, np.ndarray)

NO_WINDOWS = (0.0, 0.0, 0.0, 0.0)
# Distances in metres where ground patches are cut, so that they follow the road.
_GROUND_STEPS = (1.0, 3.0, 5.0, 8.0, 12.0, 17.0, 23.0, 30.0, 38.0, 48.0, 60.0, 75.0, 95.0, 120.0)


@dataclasses.dataclass(frozen=True)
class Road:
    """A road whose centre line has constant curvature, in 1 / metres, positive to the right."""

    curvature: float

    def to_world(self, s: Number, t: Number) -> tuple[Number, Number, Number]:
        """Returns world x and z of street coordinates (s, t), and the road's heading there in radians."""
        heading = self.curvature * s
        x = self.curvature * s**2 / 2 + t * np.cos(heading)
        z = s - self.curvature**2 * s**3 / 6 - t * np.sin(heading)
        return x, z, heading


@dataclasses.dataclass(frozen=True)
class Item:
    """One object that stands in the street.

    Attributes:
      mesh: its shape.
      s, t, y: position of the mesh's origin in metres: street coordinates, and height.
      yaw: rotation in radians from the road's heading, positive to the right.
      scale: factors of the mesh (across, up, along).
      tints: three RGB colours, see `materials.TINT_SLOT`.
      windows: of facades: (spacing across, spacing up) in metres, and the share of it that a window takes (across, up).
    """

    mesh: Mesh
    s: float
    t: float
    y: float = 0.0
    yaw: float = 0.0
    scale: Vector = (1.0, 1.0, 1.0)
    tints: Tints = ((0, 0, 0),) * 3
    windows: Windows = NO_WINDOWS


@dataclasses.dataclass(frozen=True)
class Sun:
    """The light of the sun and of the sky.

    Attributes:
      direction: unit vector towards the sun, in world axes.
      strength: factor of a face's colour for the sun's light on a face that is turned to the sun.
      ambient: factor of a face's colour for the sky's light.
      tint, shade_tint: RGB factors of the sun's and of the sky's light.
      casts: whether items cast shadows.
    """

    direction: Vector
    strength: float
    ambient: float
    tint: Colour
    shade_tint: Colour
    casts: bool

    @staticmethod
    def towards(azimuth: float, elevation: float) -> Vector:
        """Returns the unit vector of two angles in radians; azimuth is 0 along the street, positive to the right."""
        level = np.cos(elevation)
        return float(level * np.sin(azimuth)), float(np.sin(elevation)), float(level * np.cos(azimuth))


class Patch(NamedTuple):
    """A rectangle of ground, from s0 to s1 along the road and from t0 to t1 across it."""

    s0: float
    s1: float
    t0: float
    t1: float
    label: str
    material: Material


@dataclasses.dataclass(frozen=True)
class Ground:
    """The level faces of a scene, in painting order.

    Attributes:
      corners: float32 [faces, CORNERS, 3] in world axes.
      labels: uint8 [faces], train ids.
      materials: int64 [faces].
    """

    corners: np.ndarray
    labels: np.ndarray
    materials: np.ndarray

    @classmethod
    def from_patches(cls, road: Road, patches: list[Patch]) -> Ground:
        """Converts patches to faces: later patches cover earlier ones, and long ones are cut to follow the road."""
        pieces: list[Patch] = []
        for patch in patches:
            steps = _GROUND_STEPS if patch.s1 - patch.s0 > 4 else ()
            cuts = [step for step in steps if patch.s0 < step < patch.s1]
            edges = itertools.pairwise([patch.s0, *cuts, patch.s1])
            pieces += [patch._replace(s0=start, s1=end) for start, end in edges]
        s0, s1, t0, t1 = np.array([piece[:4] for piece in pieces], float).T
        s, t = np.stack([s0, s0, s1, s1], 1), np.stack([t0, t1, t1, t0], 1)
        x, z, _ = road.to_world(s, t)
        quads = np.stack([x, np.zeros_like(x), z], -1)
        corners = np.concatenate([quads, np.repeat(quads[:, -1:], CORNERS - 4, axis=1)], axis=1)
        labels = np.array([LABEL[piece.label] for piece in pieces], np.uint8)
        return cls(corners.astype(np.float32), labels, np.array([piece.material for piece in pieces]))


@dataclasses.dataclass(frozen=True)
class Look:
    """Colours, light and air of a scene, and what the camera does to the image.

    Attributes:
      colours: float32 [materials, 3], colours of the materials that no tint colours.
      sun: the light.
      sky: RGB at the zenith and at the horizon.
      clouds: cover of the clouds, 0 for none.
      cloud_shift: texels that the clouds are moved by.
      texture_strength: factor of the materials' contrasts, 0 for flat colours.
      haze_distance: distance in metres at which 63 per cent of a colour is haze; 0 = clear air.
      haze_colour: RGB of the haze.
      develop: effects of lens, sensor and file; None = a clean image.
      cloud: RGB of the clouds.
      wet: share of the sky that the road mirrors at a grazing view, 0..1.
    """

    colours: np.ndarray
    sun: Sun
    sky: tuple[Colour, Colour]
    clouds: float
    cloud_shift: float
    texture_strength: float
    haze_distance: float
    haze_colour: Colour
    develop: Develop | None
    cloud: Colour = (238.0, 238.0, 236.0)
    wet: float = 0.0


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything that the renderer needs."""

    camera: Pinhole
    road: Road
    ground: Ground
    items: list[Item]
    look: Look
