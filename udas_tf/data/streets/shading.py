"""The colour of each sample before the lens: the face that it sees in sun or shade, with texture, windows and haze.

In this module, "pixels" are the samples of `render`. Arrays over pixels have the channel or coordinate first, which
numpy processes several times faster than the other way round. `face` is always int64 [pixels], the number of the face
that each pixel sees.
"""

from __future__ import annotations

import cv2
import numpy as np

from udas_tf.data.streets.camera import NEAR
from udas_tf.data.streets.faces import Faces
from udas_tf.data.streets.materials import Material, Texture, atlas, texture_table
from udas_tf.data.streets.scene import Look, Scene
from udas_tf.data.streets.shapes import LABEL

_SHADOW_CELL, _SHADOW_HALF, _SHADOW_DEPTH = 0.15, 30.0, 90.0  # metres: side of a cell, reach to each side and ahead
_TEXTURE_FADE = 35.0  # distance in metres at which a texture has half its contrast
_BARS_CONTRAST = 0.5  # lower limit of the contrast of fences, which would look like walls without their gaps
_DOOR = (0.9, 0.6, 0.45)  # RGB factors of the glass's colour


def light_of(
    scene: Scene,
    faces: Faces,
    in_camera: np.ndarray,
    plane: np.ndarray,
    ids: np.ndarray,
    shadows: np.ndarray | None,
) -> np.ndarray:
    """Colours the sky and the faces.

    Args:
      scene: the scene.
      faces: its faces.
      in_camera: float32 [F, CORNERS, 3], corners of the faces in camera axes.
      plane: float32 [F, 3], vectors whose dot product with any point of the face, in camera axes, is 1.
      ids: int32 [H, W], 1 + the number of the face that a pixel sees, 0 for the sky.
      shadows: the result of `shadow_map`, None for no shadows.

    Returns:
      float32 [3, H, W], 0..255.
    """
    rays = scene.camera.rays(ids.shape)
    light = np.empty((3, ids.size), np.float32)
    flat_ids = ids.reshape(-1)
    empty, hit = np.flatnonzero(flat_ids == 0), np.flatnonzero(flat_ids)
    light[:, empty] = _sky(scene, rays[:, empty])
    face, rays = flat_ids[hit].astype(np.intp) - 1, rays[:, hit]

    # The depth at which a pixel's ray meets the face's plane. At a face's edge the ray may miss the face and meet the
    # plane far away, so the depth is limited to that of the face.
    with np.errstate(divide="ignore"):  # the ray is parallel to the face
        depth = 1 / _dot(plane, face, rays)
    nearest, farthest = np.maximum(in_camera[..., 2].min(1), NEAR), in_camera[..., 2].max(1)
    depth = np.clip(depth, nearest[face], farthest[face])
    world = np.einsum("ji,jn->in", scene.camera.rotation().astype(np.float32), rays * depth)
    world += np.asarray(scene.camera.position, np.float32)[:, None]

    in_sun, in_shade = _lit(scene.look, faces)
    colour = in_sun.take(face, axis=1)
    if shadows is not None:
        ground = np.flatnonzero(faces.item[face] < 0)
        shaded = face[ground]
        colour[:, ground] += _shadow_at(shadows, world[:, ground]) * (in_shade - in_sun)[:, shaded]
    across, up = _on_face(faces, face, world)
    _paint_windows(scene.look, faces, face, across, up, colour)
    _add_texture(scene.look, faces, face, across, up, depth, colour)
    if scene.look.wet:
        _mirror_sky(scene, faces, face, rays, colour)
    if scene.look.haze_distance:
        veil = 1 - np.exp(depth * (-1 / scene.look.haze_distance))
        colour += veil * (np.asarray(scene.look.haze_colour, np.float32)[:, None] - colour)
    light[:, hit] = colour
    return np.clip(light, 0, 255, out=light).reshape(3, *ids.shape)


def _lit(look: Look, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
    """Colours float32 [3, F] of the faces in the sun, and in the shade. The sky lights faces that look up more."""
    sun = look.sun
    facing = np.clip(np.einsum("fc,c->f", faces.normals, np.array(sun.direction, np.float32)), 0, None)
    ambient = sun.ambient * (0.78 + 0.22 * faces.normals[:, 1])
    in_shade = faces.colours.T * ambient * np.array(sun.shade_tint, np.float32)[:, None]
    in_sun = in_shade + faces.colours.T * (sun.strength * facing) * np.array(sun.tint, np.float32)[:, None]
    return in_sun, in_shade


def _dot(of_face: np.ndarray, face: np.ndarray, of_pixel: np.ndarray) -> np.ndarray:
    """Dot product [pixels] of each pixel's vector [3, pixels] with the vector of its face [F, 3]."""
    x, y, z = np.ascontiguousarray(of_face.T)
    return x[face] * of_pixel[0] + y[face] * of_pixel[1] + z[face] * of_pixel[2]


def shadow_map(scene: Scene, faces: Faces) -> np.ndarray:
    """Shadows on the ground, seen from above; an item's shadow is the convex hull of its corners' shadows.

    Returns uint8 [z, x], cells of _SHADOW_CELL metres, 0 = sun, 255 = shade.
    """
    right, up, forward = scene.look.sun.direction
    points = faces.corners
    cast = points[..., [0, 2]] - points[..., 1:2] * np.array([right / up, forward / up], np.float32)
    cells = np.round((cast - np.array([-_SHADOW_HALF, 0], np.float32)) / _SHADOW_CELL).astype(np.int32)
    shadows = np.zeros((int(_SHADOW_DEPTH / _SHADOW_CELL), int(2 * _SHADOW_HALF / _SHADOW_CELL)), np.uint8)
    upright = np.flatnonzero(faces.item >= 0)
    starts = upright[np.flatnonzero(np.diff(faces.item[upright], prepend=-1))]
    for start, stop in zip(starts, [*starts[1:], len(faces.item)], strict=True):
        cv2.fillConvexPoly(shadows, cv2.convexHull(cells[start:stop].reshape(-1, 2)), 255)
    return cv2.blur(shadows, (3, 3))


def _shadow_at(shadows: np.ndarray, world: np.ndarray) -> np.ndarray:
    """Darkness float32 [pixels], 0..1, of ground points [3, pixels], interpolated between the map's cells."""
    columns, rows = (world[0] + _SHADOW_HALF) / _SHADOW_CELL, world[2] / _SHADOW_CELL
    # OpenCV's remap takes at most 32767 columns, so the points are arranged in rows of 1024.
    shape = (len(columns) // 1024 + 1, 1024)
    dark = cv2.remap(shadows, np.resize(columns, shape), np.resize(rows, shape), cv2.INTER_LINEAR)
    return dark.reshape(-1)[: len(columns)] * np.float32(1 / 255)


def _on_face(faces: Faces, face: np.ndarray, world: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Metres across and up from the face's first corner, float32 [pixels] each; on the ground, x and z."""
    along = faces.corners[:, 1] - faces.corners[:, 0]
    along /= np.maximum(np.linalg.norm(along, axis=-1, keepdims=True), 1e-6)
    level = faces.item < 0
    along[level] = (1, 0, 0)
    start = np.where(level, 0, np.einsum("fc,fc->f", along, faces.corners[:, 0])).astype(np.float32)
    foot = np.where(level, 0, faces.corners[:, 0, 1]).astype(np.float32)
    up = np.where(level[face], world[2], world[1]) - foot[face]
    return _dot(along, face, world) - start[face], up


def _paint_windows(
    look: Look, faces: Faces, face: np.ndarray, across: np.ndarray, up: np.ndarray, colour: np.ndarray
) -> None:
    """Draws rows of windows, with doors at street level, on the facades in `colour` [3, pixels]."""
    pixels = np.flatnonzero((faces.windows[:, 0] > 0)[face])
    face, across, up = face[pixels], across[pixels], up[pixels]
    spacing_across, spacing_up, share_across, share_up = np.ascontiguousarray(faces.windows.T)[:, face]
    column, row = across / spacing_across, up / spacing_up
    column_at, row_at = np.floor(column), np.floor(row)
    # A number in 0..1 for each window, which looks random.
    phase = column_at * 12.9898 + row_at * 78.233 + (faces.item * np.float32(3.7))[face]
    chance = np.mod(np.abs(np.sin(phase)) * np.float32(437.58), 1)
    street_level = row_at < 1
    share_across = np.where(street_level, np.minimum(share_across * 1.3, 0.8), share_across)
    off_column = np.abs(column - column_at - 0.5) - share_across / 2
    taller = np.where(street_level, np.float32(0.85), np.float32(1))
    off_row = np.abs(row - row_at - 0.5) * taller - share_up / 2
    outside = np.maximum(off_column, off_row)
    pane, frame = np.flatnonzero(outside < 0), np.flatnonzero((outside >= 0) & (outside < 0.05))
    colour[:, pixels[frame]] = np.minimum(colour[:, pixels[frame]] * 1.25, 250)
    glass = look.colours[Material.GLASS][:, None] * (0.55 + 0.9 * chance[pane])
    door = street_level[pane] & (chance[pane] > 0.6)
    colour[:, pixels[pane]] = glass * np.where(door, np.array(_DOOR, np.float32)[:, None], np.float32(1))


def _add_texture(
    look: Look,
    faces: Faces,
    face: np.ndarray,
    across: np.ndarray,
    up: np.ndarray,
    depth: np.ndarray,
    colour: np.ndarray,
) -> None:
    """Multiplies `colour` [3, pixels] by the texture of its material, which fades with distance."""
    textures, tiles, contrasts = texture_table()
    contrasts = contrasts * look.texture_strength
    contrasts[Material.BARS] = max(contrasts[Material.BARS], _BARS_CONTRAST)
    pixels = np.flatnonzero((contrasts[faces.materials] > 0)[face])
    face = face[pixels]
    pattern = atlas()
    side = pattern.shape[-1]
    per_metre = (side / tiles)[faces.materials][face]
    shift = (faces.item * (0.37 * side)).astype(np.int32)[face]
    column = (across[pixels] * per_metre).astype(np.int32) + shift & (side - 1)
    row = (up[pixels] * per_metre).astype(np.int32) & (side - 1)
    layer = (textures[faces.materials] * side).astype(np.int32)[face]
    detail = pattern.reshape(-1).take((layer + row) * side + column) * contrasts[faces.materials][face]
    gain = 1 + detail / (1 + (depth[pixels] * np.float32(1 / _TEXTURE_FADE)) ** 2)
    if len(pixels) == colour.shape[1]:
        colour *= gain
    else:
        colour[:, pixels] *= gain


def _mirror_sky(scene: Scene, faces: Faces, face: np.ndarray, rays: np.ndarray, colour: np.ndarray) -> None:
    """Mixes the sky's colour into the road in `colour` [3, pixels]: the flatter the view along `rays`, the more."""
    pixels = np.flatnonzero((faces.labels == LABEL["road"])[face])
    down = -(scene.camera.rotation()[:, 1].astype(np.float32) @ rays[:, pixels])
    shine = scene.look.wet * np.exp(-6 * np.clip(down, 0, None))
    horizon = np.asarray(scene.look.sky[1], np.float32)[:, None]
    colour[:, pixels] += shine * (horizon - colour[:, pixels])


def _sky(scene: Scene, rays: np.ndarray) -> np.ndarray:
    """Colours float32 [3, pixels] along rays [3, pixels]: a gradient from horizon to zenith, and clouds."""
    look = scene.look
    up = scene.camera.rotation()[:, 1].astype(np.float32)
    share = np.clip(np.einsum("i,in->n", up, rays) / 0.5, 0, 1)
    zenith, horizon = (np.asarray(colour, np.float32)[:, None] for colour in look.sky)
    sky = horizon + share * (zenith - horizon)
    if look.clouds:
        pattern = atlas()[Texture.PLASTER]
        side = pattern.shape[-1]
        column = (rays[0] * 150 + look.cloud_shift).astype(np.int32) & (side - 1)
        row = (rays[1] * 400).astype(np.int32) & (side - 1)
        cover = np.clip(pattern[row, column] + look.clouds, 0, 0.8)
        sky += cover * (np.array(look.cloud, np.float32)[:, None] - sky)
    return sky
