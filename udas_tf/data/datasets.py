"""What the data sets are: each split is a count and a way to make its samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from udas_tf.data import streets
from udas_tf.data.records import Sample
from udas_tf.errors import UserError


@dataclasses.dataclass(frozen=True)
class Split:
    """A part of a data set with labels for every image.

    Attributes:
      count: images.
      sample: image and label by index, deterministic, callable from several threads.
      provenance: JSON-serialisable description for the manifest.
    """

    count: int
    sample: Callable[[int], Sample]
    provenance: dict


def streets_split(domain: str, split: str, count: int, size: tuple[int, int], seed: int) -> Split:
    """Streets, rendered on the spot.

    Args:
      domain: "sim" or "real".
      split: "train" or "val".
      count: images; Streets has no end, so at least 1.
      size: (height, width), pixels.
      seed: of the scenes.
    """
    if count < 1:
        raise UserError(f"streets {domain}/{split}: {count} images asked for, expected 1 or more")
    provenance = {"dataset": "streets", "split": f"{domain}/{split}", "seed": seed, "size": list(size)}

    def sample(index: int) -> Sample:
        image, label = streets.render(domain, split, index, seed, size)
        return Sample(f"{domain}_{split}_{index:06d}", image, label, provenance=provenance)

    return Split(count, sample, provenance)


def source_train(config) -> Split:
    _check_known("data.source.dataset", config.data.source.dataset)
    return streets_split("sim", "train", config.data.source.images, tuple(config.data.size), config.seed)


def target_train(config) -> Split:
    _check_known("data.target.dataset", config.data.target.dataset)
    return streets_split("real", "train", config.data.target.images, tuple(config.data.size), config.seed)


def target_val(config) -> Split:
    _check_known("data.target.dataset", config.data.target.dataset)
    return streets_split("real", "val", config.data.target.val_images, tuple(config.data.size), config.seed)


def _check_known(key: str, name: str) -> None:
    if name != "streets":
        raise UserError(f"{key}={name!r} is unknown; expected 'streets'")
