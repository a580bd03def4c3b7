"""Renders a scene: finds the face that each sample sees, then the label and the light of that face.

There are 2 x 2 samples per pixel. A pixel's label is the most frequent one of its samples, its colour their mean. Image
and labels therefore agree by construction. Twigs, foliage and railings have gaps in the image but not in the labels,
because annotators do not draw the gaps either.
"""

from __future__ import annotations

import cv2
import numpy as np

from udas_tf.data.streets.camera import NEAR, Pinhole
from udas_tf.data.streets.faces import faces_of
from udas_tf.data.streets.materials import SHEER, TEXTURE_SIZE, Material, gaps
from udas_tf.data.streets.scene import Scene
from udas_tf.data.streets.shading import light_of, shadow_map
from udas_tf.data.streets.shapes import LABEL

_SAMPLES = 2  # per pixel and axis
_SHIFT = 4  # fractional bits of polygon corners
_SHEER_FROM = 14  # samples; a see-through face that is smaller is drawn without gaps
_BONNET = np.array([52, 56, 62], np.float32)  # RGB


def render_scene(scene: Scene, size: tuple[int, int], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Renders a scene.

    Args:
      scene: the scene.
      size: (height, width) in pixels.
      rng: for the sensor's noise.

    Returns:
      Image uint8 [H, W, 3] RGB, and train ids uint8 [H, W].
    """
    faces = faces_of(scene)
    shadows = shadow_map(scene, faces) if scene.look.sun.casts else None
    in_camera = scene.camera.to_camera(faces.corners)
    # The camera's axes are right-handed and the world's left-handed: the minus makes normals point outwards.
    plane = -np.cross(in_camera[:, 3] - in_camera[:, 1], in_camera[:, 2] - in_camera[:, 0])
    offset = np.einsum("fc,fc->f", plane, in_camera[:, 0])
    visible = np.flatnonzero((offset < 0) & (in_camera[..., 2].max(1) > NEAR))
    faces, in_camera, plane = faces.take(visible), in_camera[visible], plane[visible] / offset[visible, None]

    ids, covering = _face_numbers(scene.camera, in_camera, faces.materials, (size[0] * _SAMPLES, size[1] * _SAMPLES))
    label = _commonest(np.append(LABEL["sky"], faces.labels).astype(np.uint8)[covering])
    channels = light_of(scene, faces, in_camera, plane, ids, shadows)
    light = cv2.merge([cv2.resize(channel, size[::-1], interpolation=cv2.INTER_AREA) for channel in channels])
    if scene.camera.bonnet:
        _cover_with_bonnet(scene.camera.bonnet, light, label)
    if scene.look.develop is None:
        return np.clip(light + 0.5, 0, 255).astype(np.uint8), label
    return scene.look.develop(light, rng), label


def _face_numbers(
    camera: Pinhole, in_camera: np.ndarray, materials: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Rasterises the faces in their order.

    Args:
      camera: projects the corners.
      in_camera: float32 [F, CORNERS, 3], corners of the faces in camera axes.
      materials: int64 [F].
      size: (height, width) in samples.

    Returns:
      Two int32 [H, W]: 1 + the number of the last face on each sample, 0 for none. See-through faces have gaps in the
      first and none in the second.
    """
    ids = np.zeros(size, np.int32)
    sheer = np.isin(materials, list(SHEER))
    covering = np.zeros(size, np.int32) if sheer.any() else ids
    whole = in_camera[..., 2].min(1) > NEAR
    ahead = np.maximum(in_camera[..., 2:], NEAR)
    projected = camera.to_pixels(np.concatenate([in_camera[..., :2], ahead], -1), size)
    low, high = projected.min(1), projected.max(1)
    outside = whole & ((high < 0) | (low > np.array(size[::-1]))).any(1)
    fixed_point = np.round(projected * (1 << _SHIFT)).astype(np.int32)
    sheer &= whole & ((high - low).max(1) >= _SHEER_FROM)
    for number in np.flatnonzero(~outside):
        corners = fixed_point[number]
        if sheer[number]:
            material = Material(materials[number])
            metre = camera.focal * size[1] / in_camera[number, :, 2].mean()  # in samples
            step = SHEER[material] * TEXTURE_SIZE / metre
            _paint_sheer(ids, covering, corners, int(number) + 1, gaps()[material], step)
            continue
        if not whole[number]:
            clipped = camera.to_pixels(_clip_near(in_camera[number]), size)
            corners = np.round(clipped * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(ids, corners, int(number) + 1, cv2.LINE_8, _SHIFT)
    # Later faces are in front of earlier ones and have higher numbers.
    return ids, np.maximum(ids, covering)


def _paint_sheer(
    ids: np.ndarray, covering: np.ndarray, corners: np.ndarray, number: int, pattern: np.ndarray, step: float
) -> None:
    """Fills a convex polygon in two buffers.

    Args:
      ids: int32 [H, W], buffer that is filled except for the gaps of `pattern`.
      covering: int32 [H, W], buffer that is filled completely.
      corners: int32 [n, 2], (column, row) with _SHIFT fractional bits.
      number: the value to write.
      pattern: uint8 [TEXTURE_SIZE, TEXTURE_SIZE], 0 for gaps.
      step: texels per sample.
    """
    height, width = ids.shape
    (left, top), (right, bottom) = corners.min(0) >> _SHIFT, (corners.max(0) >> _SHIFT) + 2
    rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
    # Rounding can put a polygon that touches the edge beyond it.
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    inside = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
    offset = np.array([columns.start, rows.start]) << _SHIFT
    cv2.fillConvexPoly(inside, (corners - offset).astype(np.int32), 1, cv2.LINE_8, _SHIFT)
    row = ((np.arange(rows.start, rows.stop) - top) * step).astype(int) % TEXTURE_SIZE
    column = ((np.arange(columns.start, columns.stop) - left) * step + number * 37).astype(int) % TEXTURE_SIZE
    covering[rows, columns][inside > 0] = number
    ids[rows, columns][(inside & pattern[row[:, None], column]) > 0] = number


def _clip_near(corners: np.ndarray) -> np.ndarray:
    """Clips a convex polygon [n, 3] in camera axes at the near plane [Sutherland and Hodgman 1974]."""
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] < NEAR) != (b[2] < NEAR):
            kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
    return np.array(kept, np.float32)


def _commonest(samples: np.ndarray) -> np.ndarray:
    """The most frequent value of each 2 x 2 samples; the upper left one's if there is a tie."""
    a, b, c, d = samples[::2, ::2], samples[::2, 1::2], samples[1::2, ::2], samples[1::2, 1::2]
    alone = (a != b) & (a != c) & (a != d)
    return np.where(alone & ((b == c) | (b == d)), b, np.where(alone & (c == d), c, a))


def _cover_with_bonnet(share: float, light: np.ndarray, label: np.ndarray) -> None:
    """Draws the camera's own car over the lower `share` of `light` [H, W, 3] and `label` [H, W]; its class is void."""
    height, width = label.shape
    off_centre = np.abs(np.linspace(-1, 1, width))
    edge = height * (1 - share * (1 - 0.55 * off_centre**2.5))
    below = np.arange(height)[:, None] > edge
    label[below] = LABEL["void"]
    glare = (0.75 + 0.35 * np.cos(2.2 * off_centre))[None, :, None] * _BONNET
    np.copyto(light, glare.astype(np.float32), where=below[..., None])
