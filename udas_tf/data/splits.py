"""Splits: a number of images, which of them have labels, and a way to read one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf.data import streets
from udas_tf.data.class_map import ClassMap
from udas_tf.data.sample import Sample, Skipped
from udas_tf.taxonomy import ClassSet

Draw = Callable[[str, str, int, int, tuple[int, int]], tuple[np.ndarray, np.ndarray]]  # as `streets.render`


@dataclasses.dataclass(frozen=True)
class Split:
    """A part of a data set.

    Attributes:
      count: images.
      labelled: indices of the images that have a label, ascending.
      read: index, and whether to read the label too -> the sample, or why there is none; deterministic, callable from
        several threads.
      provenance: JSON-serialisable description for the manifest.
      skipped: files that are left out from the start.
      warnings: what a user should know before training on it.
      whole: directory of the set of records that this is, image by image and label by label; None for everything else.
    """

    count: int
    labelled: Sequence[int]
    read: Callable[[int, bool], Sample | Skipped]
    provenance: dict[str, Any]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    whole: Path | None = None

    def sample(self, index: int) -> Sample | Skipped:
        """Image, and label where there is one."""
        return self.read(index, True)

    def part(self, indices: Sequence[int], **provenance: Any) -> Split:
        """The images with these indices, in this order."""
        if list(indices) == list(range(self.count)):
            return dataclasses.replace(self, provenance=self.provenance | provenance)
        with_label = set(self.labelled)
        return dataclasses.replace(
            self,
            count=len(indices),
            labelled=[place for place, index in enumerate(indices) if index in with_label],
            read=lambda place, label: self.read(indices[place], label),
            provenance=self.provenance | provenance,
            whole=None,
        )

    def without_labels(self) -> Split:
        """The same images; their labels are not even opened."""
        if not self.labelled:
            return self
        return dataclasses.replace(self, labelled=(), read=lambda index, label: self.read(index, False), whole=None)

    def renamed(self, prefix: str) -> Split:
        """The same images with `prefix` before their ids, which those of another split may have too."""

        def read(index: int, with_label: bool) -> Sample | Skipped:
            sample = self.read(index, with_label)
            if isinstance(sample, Skipped):
                return sample
            return dataclasses.replace(sample, id=f"{prefix}_{sample.id}")

        return dataclasses.replace(self, read=read, whole=None)

    def joined(self, other: Split, **provenance: Any) -> Split:
        """The images of this split, then those of another."""
        return Split(
            self.count + other.count,
            [*self.labelled, *(self.count + index for index in other.labelled)],
            lambda index, label: (
                self.read(index, label) if index < self.count else other.read(index - self.count, label)
            ),
            self.provenance | provenance,
            self.skipped + other.skipped,
            self.warnings + other.warnings,
        )


@dataclasses.dataclass(frozen=True)
class Request:
    """A split that a data set is asked for.

    Attributes:
      split: its name, such as "train".
      classes: class set whose ids the samples' labels are to hold.
      size: (height, width) of the samples, pixels.
      root: where the data set lies; None for one that needs no root.
      need_labels: leave out images without a label; None = if the split is published with labels, and any are there.
      images: how many; only a set without an end looks at it; None = all.
      seed: of the scenes of Streets.
      domain: of Streets.
      draw: what draws Streets.
      class_map: from the data set's classes to `classes`; None = that of its classes.yaml, or a declared one.
    """

    split: str
    classes: ClassSet
    size: tuple[int, int]
    root: Path | None = None
    need_labels: bool | None = None
    images: int | None = None
    seed: int = 0
    domain: str = "sim"
    draw: Draw = streets.render
    class_map: ClassMap | None = None
