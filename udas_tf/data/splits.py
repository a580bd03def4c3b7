"""Splits: a number of images, which of them have labels, and a way to read one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

from udas_tf.data import drawing, image_files, streets
from udas_tf.data.image_files import LabelCode, Unusable
from udas_tf.data.records import Sample, Skipped
from udas_tf.errors import UserError
from udas_tf.taxonomy import CITYSCAPES, ClassSet, train_ids


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
    provenance: dict
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    whole: Path | None = None

    def sample(self, index: int) -> Sample | Skipped:
        """Image, and label where there is one."""
        return self.read(index, True)

    def part(self, indices: Sequence[int], **provenance) -> Split:
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
        return dataclasses.replace(
            self, labelled=(), read=lambda index, label: self.read(index, False), whole=None
        )

    def renamed(self, prefix: str) -> Split:
        """The same images with `prefix` before their ids, which those of another split may have too."""

        def read(index: int, with_label: bool) -> Sample | Skipped:
            sample = self.read(index, with_label)
            if isinstance(sample, Skipped):
                return sample
            return dataclasses.replace(sample, id=f"{prefix}_{sample.id}")

        return dataclasses.replace(self, read=read, whole=None)

    def joined(self, other: Split, **provenance) -> Split:
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
class Pair:
    """An image file and its label file.

    Attributes:
      name: of the image within its data set; no two share one.
      image: its file.
      label: its label's file, or where that would be.
      labelled: whether that is there.
    """

    name: str
    image: Path
    label: Path
    labelled: bool


def of_streets(
    domain: str, part: str, count: int, size: tuple[int, int], seed: int, classes: ClassSet = CITYSCAPES
) -> Split:
    """Streets, rendered on the spot.

    Args:
      domain: as `streets.domains.find` takes it.
      part: "train" or "val".
      count: images; Streets has no end, so at least 1.
      size: (height, width), pixels.
      seed: of the scenes.
      classes: whose ids the labels are to hold.
    """
    streets.domains.find(domain)  # a wrong one is noticed now
    if part not in streets.SPLITS:
        raise UserError(f"streets has no split {part!r}; expected one of {', '.join(streets.SPLITS)}")
    if count < 1:
        raise UserError(f"streets {domain}/{part}: {count} images asked for, expected 1 or more")
    provenance = {"dataset": "streets", "split": f"{domain}/{part}", "seed": seed, "size": list(size)}
    into = train_ids(CITYSCAPES, classes)

    def read(index: int, with_label: bool) -> Sample:
        image, label = drawing.draw(domain, part, index, seed, size)
        label = into[label] if with_label else None
        return Sample(f"{domain}_{part}_{index:06d}", image, label, provenance=provenance)

    return Split(count, range(count), read, provenance)


def of_files(
    pairs: Sequence[Pair],
    code: LabelCode,
    classes: ClassSet,
    size: tuple[int, int],
    provenance: dict,
    *,
    need_labels: bool,
    skipped: tuple[Skipped, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Split:
    """Images and labels in files, resized to `size`, labels with nearest neighbours.

    A file that cannot be read, a label of another size than its image or with values outside the data set's map is
    Skipped when its turn comes.

    Args:
      pairs: in order.
      code: how labels say which class a pixel has.
      classes: whose ids the samples' labels are to hold.
      size: (height, width), pixels.
      provenance: "dataset" and "split" among it.
      need_labels: leave out, as skipped, the images that have none.
      skipped, warnings: what came up while listing the files.
    """
    if need_labels:
        if not any(pair.labelled for pair in pairs):
            raise UserError(
                f"no image has a label where all need one; the first was looked for at {pairs[0].label}"
            )
        skipped += tuple(
            Skipped(str(pair.image), f"has no label; expected {pair.label}")
            for pair in pairs
            if not pair.labelled
        )
        pairs = [pair for pair in pairs if pair.labelled]
    label_of = code.reader(classes)
    origin = {key: provenance[key] for key in ("dataset", "split")}

    def read(index: int, with_label: bool) -> Sample | Skipped:
        pair = pairs[index]
        try:
            image, original = image_files.read_image(pair.image, size)
            label = None
            if with_label and pair.labelled:
                label = label_of(pair.label)
                if label.shape != original:
                    raise Unusable(pair.label, f"is {_size(label.shape)}, its image {_size(original)}")
                label = image_files.resize_label(label, size)
        except Unusable as error:
            return Skipped(str(error.path), error.reason)
        made_from = {"file": pair.image.name, "original_size": list(original)}
        return Sample(pair.name, image, label, provenance=origin | made_from)

    labelled = [index for index, pair in enumerate(pairs) if pair.labelled]
    return Split(
        len(pairs),
        labelled,
        read,
        {**provenance, "size": list(size), "class_set": classes.name, "classes": list(classes.classes)},
        skipped,
        warnings,
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
