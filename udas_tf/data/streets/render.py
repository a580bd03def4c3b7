"""Turns a scene into pixels: which face each pixel sees, then label and light by looking that face up.

Image and label come from one buffer of face numbers at twice the resolution, so that they agree by
construction: a label is the commonest of a pixel's four samples, a colour their mean.
"""

from __future__ import annotations

import cv2
import numpy as np

from udas_tf.data.streets.camera import NEAR, Pinhole
from udas_tf.data.streets.faces import faces_of
from udas_tf.data.streets.scene import Scene
from udas_tf.data.streets.shading import light_of, shadow_map
from udas_tf.data.streets.shapes import LABEL

_SAMPLES = 2  # per pixel and axis
_SHIFT = 4  # fractional bits of polygon corners
_BONNET = np.array([52, 56, 62], np.float32)


def render_scene(
    scene: Scene, size: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 [H, W, 3] RGB and train ids uint8 [H, W]; `rng` is for the sensor's noise only."""
    faces = faces_of(scene)
    shadows = shadow_map(scene, faces) if scene.look.sun.casts else None
    in_camera = scene.camera.to_camera(faces.corners)
    # The camera's axes are right-handed, the world's are not: the minus keeps the plane's normal outside.
    plane = -np.cross(in_camera[:, 3] - in_camera[:, 1], in_camera[:, 2] - in_camera[:, 0])
    offset = np.einsum("fc,fc->f", plane, in_camera[:, 0])
    seen = np.flatnonzero((offset < 0) & (in_camera[..., 2].max(1) > NEAR))
    faces, in_camera, plane = faces.take(seen), in_camera[seen], plane[seen] / offset[seen, None]

    ids = _face_numbers(scene.camera, in_camera, (size[0] * _SAMPLES, size[1] * _SAMPLES))
    label = _commonest(np.append(LABEL["sky"], faces.labels).astype(np.uint8)[ids])
    channels = light_of(scene, faces, in_camera, plane, ids, shadows)
    light = cv2.merge([cv2.resize(channel, size[::-1], interpolation=cv2.INTER_AREA) for channel in channels])
    if scene.camera.bonnet:
        _cover_with_bonnet(scene.camera.bonnet, light, label)
    if scene.look.develop is None:
        return np.clip(light + 0.5, 0, 255).astype(np.uint8), label
    return scene.look.develop(light, rng), label


def _face_numbers(camera: Pinhole, in_camera: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """int32 [H, W]: 1 + the last face painted on each pixel, 0 for none."""
    ids = np.zeros(size, np.int32)
    whole = in_camera[..., 2].min(1) > NEAR
    ahead = np.maximum(in_camera[..., 2:], NEAR)
    flat = camera.to_pixels(np.concatenate([in_camera[..., :2], ahead], -1), size)
    low, high = flat.min(1), flat.max(1)
    outside = whole & ((high < 0) | (low > np.array(size[::-1]))).any(1)
    fixed = np.round(flat * (1 << _SHIFT)).astype(np.int32)
    for number in np.flatnonzero(~outside):
        corners = fixed[number]
        if not whole[number]:
            clipped = camera.to_pixels(_clip_near(in_camera[number]), size)
            corners = np.round(clipped * (1 << _SHIFT)).astype(np.int32)
        cv2.fillConvexPoly(ids, corners, int(number) + 1, cv2.LINE_8, _SHIFT)
    return ids


def _clip_near(corners: np.ndarray) -> np.ndarray:
    """The part of a convex polygon [n, 3] beyond the near plane [Sutherland and Hodgman 1974]."""
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if a[2] >= NEAR:
            kept.append(a)
        if (a[2] < NEAR) != (b[2] < NEAR):
            kept.append(a + (b - a) * ((NEAR - a[2]) / (b[2] - a[2])))
    return np.array(kept, np.float32)


def _commonest(samples: np.ndarray) -> np.ndarray:
    """The commonest of each 2 x 2 samples; the upper left one's where two pairs tie."""
    a, b, c, d = samples[::2, ::2], samples[::2, 1::2], samples[1::2, ::2], samples[1::2, 1::2]
    alone = (a != b) & (a != c) & (a != d)
    return np.where(alone & ((b == c) | (b == d)), b, np.where(alone & (c == d), c, a))


def _cover_with_bonnet(share: float, light: np.ndarray, label: np.ndarray) -> None:
    """The camera's own car over the lower `share` of the picture; it has no class."""
    height, width = label.shape
    off_centre = np.abs(np.linspace(-1, 1, width))
    edge = height * (1 - share * (1 - 0.55 * off_centre**2.5))
    below = np.arange(height)[:, None] > edge
    label[below] = LABEL["void"]
    glare = (0.75 + 0.35 * np.cos(2.2 * off_centre))[None, :, None] * _BONNET
    np.copyto(light, glare.astype(np.float32), where=below[..., None])
