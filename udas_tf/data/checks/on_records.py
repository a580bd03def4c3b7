"""Runs the checks on sets of records. Of validation it opens the images alone: its labels must not steer a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from udas_tf.data import records
from udas_tf.data.checks import budget, drives, duplicates, scale
from udas_tf.data.checks.alignment import Alignment
from udas_tf.data.checks.scale import Extents
from udas_tf.data.checks.thumbnails import Thumbnails, look
from udas_tf.data.gap.findings import Finding
from udas_tf.taxonomy import ClassSet

LABELS = 32  # of a domain that are laid over their images: what is wrong with all of them shows in these
IMAGES = 2_000  # of a set that are compared with the other's: a twin is found only if both are looked at


def on_labels(source: Sequence[Path], target: Sequence[Path], classes: ClassSet) -> list[Finding]:
    """Warnings of labels that do not belong to their images, or whose objects have another scale.

    Args:
      source, target: directories of records of role "training"; those without labels for all do not count.
      classes: of the labels.
    """
    found: list[Finding] = []
    extents = []
    for name, directories in (("source", source), ("target", target)):
        labelled = [path for path in directories if records.read_manifest(path).all_labelled]
        alignment, sizes = Alignment(classes.classes), Extents(classes.classes)
        for directory in labelled:
            for record in spread(directory, ("image", "label"), LABELS):
                alignment.see(record["image"], record["label"])
                sizes.see(record["label"])
        found += alignment.findings(f"the {name}")
        extents.append(sizes)
    return found + scale.findings(*extents)


def on_splits(target: Sequence[Path], validation: Sequence[Path]) -> list[Finding]:
    """Warnings of images that are in both, and of drives that are spread over both.

    Args:
      target: directories of the target's training images.
      validation: directories of its validation images, of any role.
    """
    if not target or not validation:
        return []
    unlabelled = [path for path in target if not records.read_manifest(path).all_labelled]
    # `data prepare` puts every target image into the set without labels, also those that have one.
    train, val = _thumbnails(unlabelled or target), _thumbnails(validation)
    return duplicates.findings(train, val) + drives.findings(train, val)


def on_counts(source: Path, labelled: Path | None, classes: ClassSet) -> list[Finding]:
    """Warnings of classes without examples, from the manifests alone; `labelled` holds the label budget."""
    if labelled is None:
        return []
    here, there = records.read_manifest(source), records.read_manifest(labelled)
    return budget.findings(classes.classes, here.class_pixels, there.class_pixels, there.with_label)


def spread(
    directory: Path,
    fields: Sequence[str],
    count: int,
    purpose: Literal["training", "evaluation"] = "training",
) -> Iterator[dict[str, np.ndarray]]:
    """At most `count` records of a set, evenly spread; arguments and errors as for `records.read`."""
    examples, manifest = records.read(directory, purpose=purpose, fields=fields)
    with records.naming_damage(directory):
        yield from examples.shard(-(-manifest.count // count), 0).as_numpy_iterator()


def _thumbnails(directories: Sequence[Path]) -> Thumbnails:
    return Thumbnails.of(
        [
            (bytes(record["id"]).decode(), look(record["image"]))
            for directory in directories
            for record in spread(directory, ("image", "id"), IMAGES, purpose="evaluation")
        ]
    )
