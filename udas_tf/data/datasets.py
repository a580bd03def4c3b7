"""What the data sets are: each split is a number of images, which of them have labels, and a way to read one."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from udas_tf.data import streets
from udas_tf.data.records import Sample
from udas_tf.errors import UserError
from udas_tf.taxonomy import IGNORE, ClassSet

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")


@dataclasses.dataclass(frozen=True)
class Split:
    """A part of a data set.

    Attributes:
      count: images.
      labelled: indices of the images that have a label, ascending.
      sample: image, and label where there is one, by index; deterministic, callable from several threads.
      provenance: JSON-serialisable description for the manifest.
    """

    count: int
    labelled: Sequence[int]
    sample: Callable[[int], Sample]
    provenance: dict


def source_train(config, classes: ClassSet) -> Split:
    """The simulator's training images; every one must have a label."""
    split = _split(
        "data.source", config.data.source, "sim", "train", config.data.source.images, config, classes
    )
    if len(split.labelled) < split.count:
        raise UserError(
            f"{split.count - len(split.labelled)} of {split.count} source images in {config.data.source.root} have no "
            "label; training needs all of them"
        )
    return split


def target_train(config, classes: ClassSet) -> Split:
    """The camera's training images, with whatever labels there are."""
    return _split(
        "data.target", config.data.target, "real", "train", config.data.target.images, config, classes
    )


def target_val(config, classes: ClassSet) -> Split:
    """The camera's labelled images that scores are reported on."""
    split = _split(
        "data.target", config.data.target, "real", "val", config.data.target.val_images, config, classes
    )
    if len(split.labelled) < split.count:
        raise UserError(
            f"{split.count - len(split.labelled)} of {split.count} validation images have no label"
        )
    return split


def _split(key: str, section, domain: str, part: str, count: int, config, classes: ClassSet) -> Split:
    size = tuple(config.data.size)
    match section.dataset:
        case "streets":
            return streets_split(domain, part, count, size, config.seed)
        case "folder":
            return folder_split(Path(section.root) / part, count, size, classes)
    raise UserError(f"{key}.dataset={section.dataset!r} is unknown; expected 'streets' or 'folder'")


def streets_split(domain: str, part: str, count: int, size: tuple[int, int], seed: int) -> Split:
    """Streets, rendered on the spot.

    Args:
      domain: "sim" or "real".
      part: "train" or "val".
      count: images; Streets has no end, so at least 1.
      size: (height, width), pixels.
      seed: of the scenes.
    """
    if count < 1:
        raise UserError(f"streets {domain}/{part}: {count} images asked for, expected 1 or more")
    provenance = {"dataset": "streets", "split": f"{domain}/{part}", "seed": seed, "size": list(size)}

    def sample(index: int) -> Sample:
        image, label = streets.render(domain, part, index, seed, size)
        return Sample(f"{domain}_{part}_{index:06d}", image, label, provenance=provenance)

    return Split(count, range(count), sample, provenance)


def folder_split(directory: Path, count: int, size: tuple[int, int], classes: ClassSet) -> Split:
    """One's own images: `directory/images/NAME.{png,jpg,jpeg,bmp}`, and for those with a label `directory/labels/NAME.png`.

    Labels are one-channel PNGs of train ids, 255 = ignored. Images come in the order of their names and are resized to
    `size`, labels with nearest neighbours.

    Args:
      count: images to use, the first of them; 0 = all.
      size: (height, width), pixels.
      classes: whose ids the labels hold.

    Raises:
      UserError: no images; two images of one name; (while reading) an unreadable file, a label of another size than
        its image, or an id that is no class.
    """
    folder = directory / "images"
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise UserError(f"no images in {folder}; expected files ending in {', '.join(IMAGE_SUFFIXES)}")
    for first, second in itertools.pairwise(paths):
        if first.stem == second.stem:
            raise UserError(f"{first} and {second} have one name, and would share a label; rename one")
    paths = paths[: count or None]
    labels = [directory / "labels" / f"{path.stem}.png" for path in paths]
    labelled = [index for index, label in enumerate(labels) if label.is_file()]
    with_label = set(labelled)
    provenance = {"dataset": "folder", "split": str(directory), "size": list(size)}

    def sample(index: int) -> Sample:
        image = _read(paths[index], "RGB")
        label = None
        if index in with_label:
            label = _read_label(labels[index], image.size, classes, size)
        resized = np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR))
        return Sample(paths[index].stem, resized, label, provenance=provenance | {"file": paths[index].name})

    return Split(len(paths), labelled, sample, provenance)


def _read_label(
    path: Path, image_size: tuple[int, int], classes: ClassSet, size: tuple[int, int]
) -> np.ndarray:
    label = _read(path, None)
    if label.mode not in ("L", "P"):
        raise UserError(f"{path} has mode {label.mode}; expected one channel of 8-bit train ids")
    if label.size != image_size:
        raise UserError(f"{path} is {label.size} wide and high, its image {image_size}; they must agree")
    ids = np.asarray(label.resize(size[::-1], Image.Resampling.NEAREST))
    foreign = [int(id_) for id_ in np.unique(ids) if id_ >= len(classes) and id_ != IGNORE]
    if foreign:
        raise UserError(
            f"{path} holds ids {foreign}; expected train ids 0 to {len(classes) - 1} of {classes.name}, or {IGNORE}. "
            "Labels of another numbering (Cityscapes labelIds, say) must be mapped to train ids first"
        )
    return ids


def _read(path: Path, mode: str | None) -> Image.Image:
    try:
        with Image.open(path) as image:
            image.load()
            return image.convert(mode) if mode else image
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from error
