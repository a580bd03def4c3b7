"""Images and labels to measure on: the same bytes for this package and for its references. Without TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from udas_tf.bench.workloads import Scale
from udas_tf.data import streets
from udas_tf.data.in_order import in_order

DOMAINS = ("sim", "real")
CLASSES = 19

Files = dict[str, tuple[list[Path], list[Path]]]  # domain -> images, label maps


def original_files(directory: Path, scale: Scale) -> Files:
    """`scale.images` PNG images and label maps of each domain, `scale.original` pixels; made by the first call."""
    names = [f"{index:04d}.png" for index in range(scale.images)]
    files: Files = {
        domain: (
            [directory / domain / "images" / name for name in names],
            [directory / domain / "labels" / name for name in names],
        )
        for domain in DOMAINS
    }
    missing = [
        (domain, index, image, label)
        for domain, (images, labels) in files.items()
        for index, (image, label) in enumerate(zip(images, labels, strict=True))
        if not label.is_file()
    ]
    for _ in in_order(lambda job: _render(*job, scale.original), missing):
        pass
    return files


def resized_files(directory: Path, scale: Scale) -> Files:
    """The same files at `scale.size`."""
    resized: Files = {}
    for domain, (images, labels) in original_files(directory, scale).items():
        resized[domain] = (
            [_resize(path, scale.size, Image.Resampling.BILINEAR) for path in images],
            [_resize(path, scale.size, Image.Resampling.NEAREST) for path in labels],
        )
    return resized


def pictures(count: int, size: tuple[int, int]) -> np.ndarray:
    """Images of the target domain, uint8 [count, height, width, 3]."""
    return np.stack([streets.render("real", "train", index, 0, size)[0] for index in range(count)])


def label_maps(count: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Labels with ignored pixels, and predictions of which four fifths are right: both uint8 [count, height, width]."""
    rng = np.random.default_rng(0)
    height, width = size
    blocks = rng.integers(0, CLASSES + 1, (count, -(-height // 32), -(-width // 32)), np.uint8)
    labels = blocks.repeat(32, axis=1).repeat(32, axis=2)[:, :height, :width]
    wrong = rng.random(labels.shape, np.float32) < 0.2
    predictions = np.where(wrong, rng.integers(0, CLASSES, labels.shape, np.uint8), np.minimum(labels, CLASSES - 1))
    return np.where(labels == CLASSES, np.uint8(255), labels), predictions.astype(np.uint8)


def _render(domain: str, index: int, image: Path, label: Path, size: tuple[int, int]) -> None:
    for path, array in zip((image, label), streets.render(domain, "train", index, 0, size), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(path)


def _resize(path: Path, size: tuple[int, int], resampling: Image.Resampling) -> Path:
    resized = path.parent.with_name(f"{path.parent.name}_resized") / path.name
    if not resized.is_file():
        resized.parent.mkdir(exist_ok=True)
        with Image.open(path) as image:
            image.resize(size[::-1], resampling).save(resized)
    return resized
