"""What a scene is: the road's course, the things on it, light and camera.

Things are placed in street coordinates: s metres along the road's centre line from the camera, t metres to
its right.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from udas_tf.data.streets.camera import Develop, Pinhole
from udas_tf.data.streets.shapes import CORNERS, LABEL, Mesh

NO_WINDOWS = (0.0, 0.0, 0.0, 0.0)
_GROUND_STEPS = np.array([1, 3, 5, 8, 12, 17, 23, 30, 38, 48, 60, 75, 95, 120], float)


@dataclasses.dataclass(frozen=True)
class Road:
    """A centre line of constant curvature (1 / metres, positive to the right)."""

    curvature: float

    def to_world(self, s: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """World x, z and the road's heading in radians, at street coordinates s, t."""
        heading = self.curvature * s
        x = self.curvature * s**2 / 2 + t * np.cos(heading)
        z = s - self.curvature**2 * s**3 / 6 - t * np.sin(heading)
        return x, z, heading


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing standing in the street.

    Attributes:
      mesh: its shape.
      s, t, y: where its origin is, in metres.
      yaw: radians against the road's heading, positive turns it to the right.
      scale: (across, up, along) factors of the mesh.
      tints: three RGB colours, see `materials.TINT_SLOT`.
      windows: (pitch across, pitch up, share across, share up) of facades, metres and fractions.
    """

    mesh: Mesh
    s: float
    t: float
    y: float = 0.0
    yaw: float = 0.0
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    tints: tuple = ((0, 0, 0),) * 3
    windows: tuple[float, float, float, float] = NO_WINDOWS


@dataclasses.dataclass(frozen=True)
class Sun:
    """Direction towards the sun (unit x, y, z), factors of the colours, whether it casts shadows."""

    direction: tuple[float, float, float]
    strength: float
    ambient: float
    tint: tuple[float, float, float]
    shade_tint: tuple[float, float, float]
    casts: bool

    @staticmethod
    def towards(azimuth: float, elevation: float) -> tuple[float, float, float]:
        """Unit vector; azimuth from the street's direction to the right, radians."""
        level = np.cos(elevation)
        return float(level * np.sin(azimuth)), float(np.sin(elevation)), float(level * np.cos(azimuth))


@dataclasses.dataclass(frozen=True)
class Ground:
    """Level faces in painting order: corners float32 [F, CORNERS, 3] in world axes, labels, materials [F]."""

    corners: np.ndarray
    labels: np.ndarray
    materials: np.ndarray

    @classmethod
    def from_patches(cls, road: Road, patches: list[tuple]) -> Ground:
        """From patches (s0, s1, t0, t1, label name, material), cut along s so that they follow the road."""
        s0, s1, t0, t1, labels, materials = [], [], [], [], [], []
        for near, far, left, right, label, material in patches:
            cuts = _GROUND_STEPS[(_GROUND_STEPS > near) & (_GROUND_STEPS < far)] if far - near > 4 else []
            edges = [near, *cuts, far]
            count = len(edges) - 1
            s0 += edges[:-1]
            s1 += edges[1:]
            t0 += [left] * count
            t1 += [right] * count
            labels += [LABEL[label]] * count
            materials += [material] * count
        s0, s1, t0, t1 = (np.array(values, float) for values in (s0, s1, t0, t1))
        s, t = np.stack([s0, s0, s1, s1], 1), np.stack([t0, t1, t1, t0], 1)
        x, z, _ = road.to_world(s, t)
        quads = np.stack([x, np.zeros_like(x), z], -1)
        corners = np.concatenate([quads, np.repeat(quads[:, -1:], CORNERS - 4, axis=1)], axis=1)
        return cls(corners.astype(np.float32), np.array(labels, np.uint8), np.array(materials))


@dataclasses.dataclass(frozen=True)
class Look:
    """Colour, light and air of a scene.

    Attributes:
      colours: float32 [materials, 3], of materials that no tint colours.
      sky: RGB at the zenith and at the horizon.
      clouds: cover, 0 none; cloud_shift moves them; cloud is their colour.
      texture_strength: factor of the materials' contrasts, 0 flat.
      haze_distance: metres after which 63 per cent of the colour is haze; 0 for clear air.
      develop: from light to file, None for a clean picture.
      wet: share of the sky that the road mirrors at a grazing view, 0..1.
    """

    colours: np.ndarray
    sun: Sun
    sky: tuple[tuple[float, ...], tuple[float, ...]]
    clouds: float
    cloud_shift: float
    texture_strength: float
    haze_distance: float
    haze_colour: tuple[float, ...]
    develop: Develop | None
    cloud: tuple[float, ...] = (238.0, 238.0, 236.0)
    wet: float = 0.0


@dataclasses.dataclass(frozen=True)
class Scene:
    """All that the renderer needs."""

    camera: Pinhole
    road: Road
    ground: Ground
    items: list[Item]
    look: Look
