"""The faces of a scene in world axes, in painting order: far to near."""

from __future__ import annotations

import dataclasses

import numpy as np

from udas_tf.data.streets.materials import Material, tint_slots
from udas_tf.data.streets.scene import Scene
from udas_tf.data.streets.shapes import Mesh


@dataclasses.dataclass(frozen=True)
class Faces:
    """Faces in painting order; F is their number.

    Attributes:
      corners: float32 [F, CORNERS, 3] in world axes.
      normals: float32 [F, 3], unit vectors in world axes, for shading.
      labels: uint8 [F], train ids.
      materials: int64 [F].
      colours: float32 [F, 3], RGB 0..255.
      windows: float32 [F, 4], see `Item.windows`; zero on faces without windows.
      item: int64 [F], number of the face's item, -1 for the ground.
    """

    corners: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    materials: np.ndarray
    colours: np.ndarray
    windows: np.ndarray
    item: np.ndarray

    def take(self, index: np.ndarray) -> Faces:
        """Selects faces by their numbers [n]."""
        return Faces(*(getattr(self, field.name)[index] for field in dataclasses.fields(self)))


def faces_of(scene: Scene) -> Faces:
    """Returns the faces of the ground, followed by those of the items, far to near."""
    ground = scene.ground
    level, colours = len(ground.labels), scene.look.colours
    level_faces = Faces(
        ground.corners, np.tile(np.array([0, 1, 0], np.float32), (level, 1)), ground.labels, ground.materials,
        colours[ground.materials], np.zeros((level, 4), np.float32), np.full(level, -1),
    )  # fmt: skip
    item_faces = _item_faces(scene)
    return Faces(
        *(
            np.concatenate([getattr(faces, field.name) for faces in (level_faces, item_faces)])
            for field in dataclasses.fields(Faces)
        )
    )


def _item_faces(scene: Scene) -> Faces:
    """The faces of the items: items in painting order, within an item its parts far to near."""
    items = scene.items
    counts = np.array([len(item.mesh.labels) for item in items])
    of_item = np.repeat(np.arange(len(items)), counts)
    first = np.cumsum(counts) - counts
    mesh = {
        field.name: np.concatenate([getattr(item.mesh, field.name) for item in items])
        for field in dataclasses.fields(Mesh)
    }
    position = np.array([(item.t, item.y, item.s) for item in items], np.float32)
    yaw = np.array([item.yaw for item in items], np.float32)
    local = mesh["corners"] * np.array([item.scale for item in items], np.float32)[of_item, None]
    x, z, heading = scene.road.to_world(position[:, 2], position[:, 0])
    yaw_in_world = (yaw + heading)[of_item]
    corners = _turn(local, yaw_in_world) + np.stack([x, position[:, 1], z], -1)[of_item, None]

    # Extents in street coordinates: there, an axis separates neighbours even where the road bends.
    on_ground = (_turn(local, yaw[of_item]) + position[of_item, None])[..., [0, 2]]
    low, high = np.minimum.reduceat(on_ground.min(1), first), np.maximum.reduceat(on_ground.max(1), first)
    eye = np.array(scene.camera.position)[[0, 2]]
    rank = _painting_rank(low, high, eye)
    part = first[of_item] + mesh["parts"]
    distance = np.linalg.norm(corners.mean(1)[:, [0, 2]] - eye, axis=-1)
    part_distance = np.bincount(part, distance) / np.maximum(np.bincount(part), 1)
    order = np.lexsort((-part_distance[part], rank[of_item]))

    materials = mesh["materials"]
    slot = tint_slots()[materials]
    tints = np.array([item.tints for item in items], np.float32)
    colours = np.where(slot[:, None] < 0, scene.look.colours[materials], tints[of_item, np.maximum(slot, 0)])
    is_wall = (materials == Material.FACADE) & (np.abs(mesh["normals"][:, 1]) < 0.5)
    windows = np.array([item.windows for item in items], np.float32)[of_item] * is_wall[:, None]
    normals = _turn(mesh["normals"], yaw_in_world)
    return Faces(
        corners.astype(np.float32),
        normals,
        mesh["labels"],
        materials,
        colours,
        windows.astype(np.float32),
        of_item,
    ).take(order)


def _turn(points: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Rotates points [F, ..., 3] about the vertical axis by yaw [F] radians; positive turns z towards x."""
    shape = (len(yaw),) + (1,) * (points.ndim - 2)
    cos, sin = np.cos(yaw).reshape(shape), np.sin(yaw).reshape(shape)
    x, z = points[..., 0], points[..., 2]
    return np.stack([x * cos + z * sin, points[..., 1], z * cos - x * sin], -1)


def _painting_rank(low: np.ndarray, high: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Sorts items so that no item is painted over one in front of it.

    If an axis separates items a and b, and the eye is on a's side, then b cannot hide a. If a can hide b, b is painted
    before a. Items that wait for no other item are painted far to near. Where all items wait for one another, the
    farthest is painted first.

    Args:
      low, high: [N, 2], bounds of each item's rectangle on the ground, along axes that separate neighbours in a street.
      eye: [2], the camera's position.

    Returns:
      int64 [N], each item's position in painting order, from 0.
    """
    before = (high[:, None] <= low[None]) & (eye <= low[None])
    behind = (low[:, None] >= high[None]) & (eye >= high[None])
    unhidden = np.any(before | behind, axis=-1)  # [a, b]: b cannot hide a
    after = unhidden & ~unhidden.T  # [a, b]: a is painted after b
    waiting = after.sum(1)  # how many items must be painted before each item
    distance = np.linalg.norm(np.maximum(0, np.maximum(low - eye, eye - high)), axis=-1)
    rank = np.full(len(low), -1)
    painted = 0
    unpainted = np.ones(len(low), bool)
    while unpainted.any():
        ready = np.flatnonzero(unpainted & (waiting == 0))
        if not len(ready):  # a cycle: each item waits for another one
            ready = np.flatnonzero(unpainted)[[np.argmax(distance[unpainted])]]
        ready = ready[np.argsort(-distance[ready], kind="stable")]
        rank[ready] = painted + np.arange(len(ready))
        painted += len(ready)
        unpainted[ready] = False
        waiting -= after[:, ready].sum(1)
    return rank
