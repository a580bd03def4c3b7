"""The camera of Streets: a pinhole projection, and the effects of lens, sensor and file format on an image."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

NEAR = 0.6  # metres ahead of the camera; faces are clipped there


@dataclasses.dataclass(frozen=True)
class Pinhole:
    """A pinhole camera above the road. World axes: x to the right, y up, z along the street.

    Attributes:
      position: (x, y, z) in metres.
      yaw, pitch, roll: radians. Positive yaw looks right, positive pitch looks up, positive roll tilts clockwise.
      focal: focal length divided by the image width.
      bonnet: share of the image's height that the camera's own car covers at the lower edge.
    """

    position: tuple[float, float, float]
    yaw: float
    pitch: float
    roll: float
    focal: float
    bonnet: float

    def rotation(self) -> np.ndarray:
        """float64 [3, 3]; the rows are the camera's axes (right, down, forward) in world axes."""
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        right, forward = np.array([cy, 0, -sy]), np.array([cp * sy, sp, cp * cy])
        down = np.array([sp * sy, -cp, sp * cy])
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cr * right + sr * down, cr * down - sr * right, forward])

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """Converts world points [..., 3] to camera axes (right, down, forward), float32 [..., 3]."""
        offsets = points - np.asarray(self.position, np.float32)
        return np.einsum("ij,...j->...i", self.rotation().astype(np.float32), offsets)

    def rays(self, size: tuple[int, int]) -> np.ndarray:
        """float32 [3, H * W]; the ray through each pixel's centre, in camera axes with forward = 1."""
        height, width = size
        rays = np.ones((3, height, width), np.float32)
        rays[0] = (np.arange(width) - (width - 1) / 2) / (self.focal * width)
        rays[1] = ((np.arange(height) - (height - 1) / 2) / (self.focal * width))[:, None]
        return rays.reshape(3, -1)

    def to_pixels(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Projects camera points [..., 3] with forward > 0 to (column, row); pixel centres are whole numbers."""
        height, width = size
        centre = np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
        return points[..., :2] / points[..., 2:] * (self.focal * width) + centre


@dataclasses.dataclass(frozen=True)
class Develop:
    """Turns the light of one picture into an image, as lens, sensor and JPEG file do.

    Attributes:
      colour: float [3, 3], matrix applied to RGB 0..1.
      black, white: float [3], RGB 0..1 of the darkest and the brightest pixel.
      gamma: exponent of the tonal curve.
      vignette: darkening at the corners, 0..1.
      blur: standard deviation of the point spread, in thousandths of the image's width.
      shot, read: standard deviation of the noise: `read` without light, plus up to `shot` at full light, 0..1.
      jpeg: JPEG quality, 0..100.
      sharpen: strength of the unsharp mask, 0 for none.
    """

    colour: np.ndarray
    black: np.ndarray
    white: np.ndarray
    gamma: float
    vignette: float
    blur: float
    shot: float
    read: float
    jpeg: int
    sharpen: float = 0.0

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Develop:
        """Draws the camera of `real`: one model with figures that vary a little from day to day."""
        saturation = rng.uniform(0.72, 0.92)
        grey = np.tile([0.3, 0.59, 0.11], (3, 1))
        balance = np.array([1.04, 1.02, 0.85]) * rng.uniform(0.96, 1.04, 3) * rng.uniform(1.0, 1.25)
        return cls(
            colour=(np.eye(3) * saturation + grey * (1 - saturation)) * balance[:, None],
            black=np.array([0.05, 0.075, 0.085]) * rng.uniform(0.7, 1.3),
            white=np.array([0.97, 0.96, 0.88]) * rng.uniform(0.97, 1.02),
            gamma=rng.uniform(0.95, 1.15),
            vignette=rng.uniform(0.22, 0.36),
            blur=rng.uniform(1.4, 3.0),
            shot=rng.uniform(0.01, 0.022),
            read=rng.uniform(0.005, 0.011),
            jpeg=int(rng.integers(55, 86)),
        )

    def __call__(self, light: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Applies lens, sensor, tonal curve and JPEG to float32 [H, W, 3] in 0..255; returns uint8 [H, W, 3]."""
        height, width = light.shape[:2]
        sigma = self.blur * width / 1000
        picture = cv2.GaussianBlur(light, (0, 0), sigma) if sigma > 0.2 else light
        if self.sharpen:
            soft = cv2.GaussianBlur(picture, (0, 0), 1.0)
            picture = cv2.addWeighted(picture, 1 + self.sharpen, soft, -self.sharpen, 0)
        picture = cv2.transform(picture, (self.colour / 255).astype(np.float32))
        shading = 1 - self.vignette * _corner_distance((height, width))
        picture = np.clip(picture * cv2.merge([shading] * 3), 0, 1)
        picture += rng.standard_normal(picture.shape, np.float32) * (self.read + self.shot * np.sqrt(picture))
        picture = cv2.pow(np.clip(picture, 0, 1, out=picture), self.gamma)
        span = np.tile(np.float32(255 * (self.white - self.black)), width).reshape(1, width, 3)
        picture = picture * span + np.tile(np.float32(255 * self.black + 0.5), width).reshape(1, width, 3)
        picture = np.clip(picture, 0, 255, out=picture).astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, self.jpeg]
        _, coded = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
        decoded = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        if decoded is None:
            raise RuntimeError("OpenCV cannot decode the JPEG image that it has encoded")
        return cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)


@functools.lru_cache(maxsize=4)
def _corner_distance(size: tuple[int, int]) -> np.ndarray:
    """float32 [H, W]; squared distance from the centre, scaled to 1 in the corners."""
    rows, columns = (np.linspace(-1, 1, extent, dtype=np.float32) ** 2 for extent in size)
    return (rows[:, None] + columns[None]) / 2
