"""AutoAugment's ImageNet policy with Pillow, image by image, and how its pixels moved."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

GREY = (128, 128, 128)
# (operation, probability, magnitude index) twice a sub-policy: table 9 of arXiv:1805.09501.
POLICY = (
    (("posterize", 0.4, 8), ("rotate", 0.6, 9)),
    (("solarize", 0.6, 5), ("auto_contrast", 0.6, 0)),
    (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
    (("posterize", 0.6, 7), ("posterize", 0.6, 6)),
    (("equalize", 0.4, 0), ("solarize", 0.2, 4)),
    (("equalize", 0.4, 0), ("rotate", 0.8, 8)),
    (("solarize", 0.6, 3), ("equalize", 0.6, 0)),
    (("posterize", 0.8, 5), ("equalize", 1.0, 0)),
    (("rotate", 0.2, 3), ("solarize", 0.6, 8)),
    (("equalize", 0.6, 0), ("posterize", 0.4, 6)),
    (("rotate", 0.8, 8), ("colour", 0.4, 0)),
    (("rotate", 0.4, 9), ("equalize", 0.6, 0)),
    (("equalize", 0.0, 0), ("equalize", 0.8, 0)),
    (("invert", 0.6, 0), ("equalize", 1.0, 0)),
    (("colour", 0.6, 4), ("contrast", 1.0, 8)),
    (("rotate", 0.8, 8), ("colour", 1.0, 2)),
    (("colour", 0.8, 8), ("solarize", 0.8, 7)),
    (("sharpness", 0.4, 7), ("invert", 0.6, 0)),
    (("shear_x", 0.6, 5), ("equalize", 1.0, 0)),
    (("colour", 0.4, 0), ("equalize", 0.6, 0)),
    (("equalize", 0.4, 0), ("solarize", 0.2, 4)),
    (("solarize", 0.6, 5), ("auto_contrast", 0.6, 0)),
    (("invert", 0.6, 0), ("equalize", 1.0, 0)),
    (("colour", 0.6, 4), ("contrast", 1.0, 8)),
    (("equalize", 0.8, 0), ("equalize", 0.6, 0)),
)
ENHANCERS = {
    "colour": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "sharpness": ImageEnhance.Sharpness,
}


def auto_augment(image: Image.Image, rng: random.Random) -> tuple[Image.Image, np.ndarray]:
    """The augmented image, and the map from its pixels to those of `image`: [2, 3], on pixel centres."""
    moved = np.eye(3)
    for operation, probability, index in rng.choice(POLICY):
        if rng.random() < probability:
            sign = rng.choice((-1, 1))
            if operation in ("rotate", "shear_x"):
                step = _step(operation, sign * index / 9, image.size)
                image = warp(image, step[:2], GREY)
                moved = moved @ step
            else:
                image = _recolour(image, operation, index / 9, sign)
    return image, moved[:2]


def warp(image: Image.Image, moved: np.ndarray, fill) -> Image.Image:
    if np.array_equal(moved, np.eye(3)[:2]):
        return image
    return image.transform(image.size, Image.Transform.AFFINE, moved.ravel(), fillcolor=fill)


def _step(operation: str, strength: float, size: tuple[int, int]) -> np.ndarray:
    if operation == "shear_x":
        return np.array([[1, 0.3 * strength, 0], [0, 1, 0], [0, 0, 1]])
    angle = np.radians(30 * strength)
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = size[0] / 2, size[1] / 2
    return np.array([[cosine, -sine, x - cosine * x + sine * y], [sine, cosine, y - sine * x - cosine * y], [0, 0, 1]])


def _recolour(image: Image.Image, operation: str, share: float, sign: int) -> Image.Image:
    match operation:
        case "posterize":
            return ImageOps.posterize(image, 8 - round(4 * share))
        case "solarize":
            return ImageOps.solarize(image, 255 * (1 - share))
        case "auto_contrast":
            return ImageOps.autocontrast(image)
        case "equalize":
            return ImageOps.equalize(image)
        case "invert":
            return ImageOps.invert(image)
    return ENHANCERS[operation](image).enhance(1 + sign * 0.9 * share)
