"""The camera of Streets: a pinhole, and for `real` what lens, sensor and file format do to a picture."""

from __future__ import annotations

import dataclasses
import functools

import cv2
import numpy as np

NEAR = 0.6  # metres; what is nearer is cut off


@dataclasses.dataclass(frozen=True)
class Pinhole:
    """A camera over the road; world axes are x to the right, y up, z along the street.

    Attributes:
      position: float (x, y, z) in metres.
      yaw, pitch, roll: radians; positive looks right, up, and tilts clockwise.
      focal: focal length over image width.
      bonnet: share of the picture's height that the camera's own car takes at the lower edge.
    """

    position: tuple[float, float, float]
    yaw: float
    pitch: float
    roll: float
    focal: float
    bonnet: float

    def rotation(self) -> np.ndarray:
        """float64 [3, 3]: rows are the image's right, down and forward in world axes."""
        cy, sy, cp, sp = np.cos(self.yaw), np.sin(self.yaw), np.cos(self.pitch), np.sin(self.pitch)
        right, forward = np.array([cy, 0, -sy]), np.array([cp * sy, sp, cp * cy])
        down = np.array([sp * sy, -cp, sp * cy])
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        return np.stack([cr * right + sr * down, cr * down - sr * right, forward])

    def to_camera(self, points: np.ndarray) -> np.ndarray:
        """World points [..., 3] in camera axes (right, down, forward), float32."""
        away = points - np.asarray(self.position, np.float32)
        return np.einsum("ij,...j->...i", self.rotation().astype(np.float32), away)

    def rays(self, size: tuple[int, int]) -> np.ndarray:
        """float32 [3, H * W] in camera axes with forward = 1, through each pixel's centre."""
        height, width = size
        rays = np.ones((3, height, width), np.float32)
        rays[0] = (np.arange(width) - (width - 1) / 2) / (self.focal * width)
        rays[1] = ((np.arange(height) - (height - 1) / 2) / (self.focal * width))[:, None]
        return rays.reshape(3, -1)

    def to_pixels(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Camera points [..., 3] with forward > 0 as (column, row), pixel centres at whole numbers."""
        height, width = size
        centre = np.array([(width - 1) / 2, (height - 1) / 2], np.float32)
        return points[..., :2] / points[..., 2:] * (self.focal * width) + centre


@dataclasses.dataclass(frozen=True)
class Develop:
    """From light to file, for one picture.

    Attributes:
      colour: float [3, 3], applied to RGB 0..1.
      black, white: RGB that darkest and brightest become, 0..1.
      gamma: exponent of the tonal curve.
      vignette: darkening at the corners, 0..1.
      blur: deviation of the point spread in thousandths of the picture's width.
      shot, read: noise deviation at full signal and at none, 0..1.
      jpeg: quality 0..100.
      sharpen: share of the difference from a blurred picture that is added.
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
        """One camera on different days: every figure is the camera's own plus a little of the day's."""
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
        """float32 [H, W, 3] in 0..255 -> uint8, through lens, sensor, tonal curve and JPEG in this order."""
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
        return cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@functools.lru_cache(maxsize=4)
def _corner_distance(size: tuple[int, int]) -> np.ndarray:
    """float32 [H, W]: squared distance from the centre, 1 in the corners."""
    rows, columns = (np.linspace(-1, 1, extent, dtype=np.float32) ** 2 for extent in size)
    return (rows[:, None] + columns[None]) / 2
