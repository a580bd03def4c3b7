"""All faces of a scene in world axes, in the order in which a painter would put them down."""

from __future__ import annotations

import dataclasses

import numpy as np

from udas_tf.data.streets.materials import Material, tint_slots
from udas_tf.data.streets.scene import Scene
from udas_tf.data.streets.shapes import Mesh


@dataclasses.dataclass(frozen=True)
class Faces:
    """Every face of a scene, in painting order; [F] first."""

    corners: np.ndarray  # world, float32 [F, CORNERS, 3]
    normals: np.ndarray  # world, for shading, float32 [F, 3]
    labels: np.ndarray
    materials: np.ndarray
    colours: np.ndarray  # float32 [F, 3]
    windows: np.ndarray  # float32 [F, 4], see `Item.windows`; zero without
    item: np.ndarray  # -1 for the ground

    def take(self, index: np.ndarray) -> Faces:
        return Faces(*(getattr(self, field.name)[index] for field in dataclasses.fields(self)))


def faces_of(scene: Scene) -> Faces:
    """Ground, then the items far to near."""
    ground = scene.ground
    level, colours = len(ground.labels), scene.look.colours
    flat = Faces(
        ground.corners, np.tile(np.float32([0, 1, 0]), (level, 1)), ground.labels, ground.materials,
        colours[ground.materials], np.zeros((level, 4), np.float32), np.full(level, -1),
    )  # fmt: skip
    upright = _items(scene)
    return Faces(
        *(
            np.concatenate([getattr(part, field.name) for part in (flat, upright)])
            for field in dataclasses.fields(Faces)
        )
    )


def _items(scene: Scene) -> Faces:
    items = scene.items
    counts = np.array([len(item.mesh.labels) for item in items])
    of_item = np.repeat(np.arange(len(items)), counts)
    first = np.cumsum(counts) - counts
    mesh = {
        field.name: np.concatenate([getattr(item.mesh, field.name) for item in items])
        for field in dataclasses.fields(Mesh)
    }
    place = np.array([(item.t, item.y, item.s) for item in items], np.float32)
    yaw = np.array([item.yaw for item in items], np.float32)
    local = mesh["corners"] * np.array([item.scale for item in items], np.float32)[of_item, None]
    x, z, heading = scene.road.to_world(place[:, 2], place[:, 0])
    yaw_in_world = (yaw + heading)[of_item]
    corners = _turn(local, yaw_in_world) + np.stack([x, place[:, 1], z], -1)[of_item, None]

    # Along the street's own axes, neighbours are separated even where the road bends.
    flat = (_turn(local, yaw[of_item]) + place[of_item, None])[..., [0, 2]]
    low, high = np.minimum.reduceat(flat.min(1), first), np.maximum.reduceat(flat.max(1), first)
    eye = np.array(scene.camera.position)[[0, 2]]
    rank = _painting_rank(low, high, eye)
    part = first[of_item] + mesh["parts"]
    away = np.linalg.norm(corners.mean(1)[:, [0, 2]] - eye, axis=-1)
    part_away = np.bincount(part, away) / np.maximum(np.bincount(part), 1)
    order = np.lexsort((-part_away[part], rank[of_item]))

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
    """Points [F, ..., 3] about the vertical by yaw [F]; positive turns z towards x."""
    shape = (len(yaw),) + (1,) * (points.ndim - 2)
    cos, sin = np.cos(yaw).reshape(shape), np.sin(yaw).reshape(shape)
    x, z = points[..., 0], points[..., 2]
    return np.stack([x * cos + z * sin, points[..., 1], z * cos - x * sin], -1)


def _painting_rank(low: np.ndarray, high: np.ndarray, eye: np.ndarray) -> np.ndarray:
    """Position of each item, 0 first, such that none covers one that is in front of it.

    Args:
      low, high: [N, 2] extents on the ground, along axes that separate neighbours in a street.
      eye: [2].

    Where an axis separates a from b with the eye on a's side, b cannot hide a. Items that overlap, or that
    nothing separates, go by distance.
    """
    before = (high[:, None] <= low[None]) & (eye <= low[None])
    behind = (low[:, None] >= high[None]) & (eye >= high[None])
    unhidden = (before | behind).any(-1)
    after = unhidden & ~unhidden.T
    waiting = after.sum(1)
    distance = np.linalg.norm(np.maximum(0, np.maximum(low - eye, eye - high)), axis=-1)
    rank = np.full(len(low), -1)
    painted = 0
    left = np.ones(len(low), bool)
    while left.any():
        ready = np.flatnonzero(left & (waiting == 0))
        if not len(ready):  # a ring of items, each before the next
            ready = np.flatnonzero(left)[[np.argmax(distance[left])]]
        ready = ready[np.argsort(-distance[ready], kind="stable")]
        rank[ready] = painted + np.arange(len(ready))
        painted += len(ready)
        left[ready] = False
        waiting -= after[:, ready].sum(1)
    return rank
