"""Opens a split of a data set by the set's name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf import plugins
from udas_tf.data import class_file, image_files, sets
from udas_tf.data.class_map import provenance_of
from udas_tf.data.class_sets import built_in, train_ids
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.label_survey import survey
from udas_tf.data.labels import of_class_file
from udas_tf.data.sample import NEAREST_COLOURS, Sample, Skipped, path_text
from udas_tf.data.sets import Dataset
from udas_tf.data.split_files import SplitFiles
from udas_tf.data.splits import Request, Split
from udas_tf.errors import UserError
from udas_tf.sizes import size_text
from udas_tf.taxonomy import IGNORE, ClassSet

EXTRA = "train_extra"
SPLITS = ("train", "val", "test", EXTRA)


def open_split(name: str, request: Request, what: str = "dataset") -> Split | None:
    """A split of the data set `name`; None where a set of files does not have it.

    Raises:
      UserError: no such data set (`what` says what received its name), or as the set's module says.
    """
    dataset = sets.declared(name, what)
    module = plugins.load(sets.PACKAGE, name, what)
    if not dataset.of_files:
        return module.open_split(request)
    if request.root is None:
        raise ValueError(f"{name} needs a root")
    files = module.find(request.root, request.split)
    return _split_of(dataset, files, request.root, request) if files.pairs else None


def own_classes(dataset: Dataset, root: Path) -> ClassSet:
    """The class set of the labels of a set of files, as its files say, else as its module declares.

    Raises:
      UserError: neither says it.
    """
    module = plugins.load(sets.PACKAGE, dataset.name, "dataset")
    described = module.own_classes(root) if hasattr(module, "own_classes") else None
    if described is not None:
        return described
    if dataset.class_set is None:
        raise UserError(f"{root} does not say which classes its labels hold; set config.classes")
    return built_in()[dataset.class_set]


def _split_of(dataset: Dataset, files: SplitFiles, root: Path, request: Request) -> Split:
    """The files of a split as samples of one size.

    A file that cannot be read, a label of another size than its image or with values outside the data set's map is
    Skipped when its turn comes.
    """
    warnings = [*files.warnings, *_other_count(dataset, files, root, request)]
    need_labels = request.need_labels
    if need_labels is None:
        published = request.split in dataset.labelled
        need_labels = published and any(pair.labelled for pair in files.pairs)
        if published and not need_labels:
            warnings.append(f"{dataset.name} {request.split} in {root} has no labels, and is taken as unlabelled")
    labels = files.labels or of_class_file(class_file.train_ids_of(request.classes))
    if request.class_map is not None:
        labels = dataclasses.replace(labels, class_map=request.class_map)
    if labels.class_map is None:  # which has a line for each class
        warnings += _lacking(labels.classes, request.classes)
    labels, doubts = survey(labels, files.pairs)
    warnings += doubts
    without_label = _without_label(files.pairs) if need_labels else []
    pairs = [pair for pair in files.pairs if pair.labelled or not need_labels]
    origin = {"dataset": dataset.name, "split": request.split}
    return Split(
        count=len(pairs),
        labelled=[index for index, pair in enumerate(pairs) if pair.labelled],
        read=_reader(pairs, files, labels.counting_reader(request.classes), request.size, origin),
        provenance={
            **origin,
            "root": path_text(root.resolve()),
            "size": list(request.size),
            "class_set": request.classes.name,
            "classes": list(request.classes.classes),
            **provenance_of(labels.class_map),
        },
        skipped=(*files.skipped, *without_label),
        warnings=tuple(warnings),
    )


def _reader(
    pairs: Sequence[Pair],
    files: SplitFiles,
    read_label: Callable[[Pair], tuple[np.ndarray, int]],
    size: tuple[int, int],
    origin: dict[str, str],
) -> Callable[[int, bool], Sample | Skipped]:
    """What reads a sample, as `Split.read`; labels are resized with nearest neighbours."""

    def read(index: int, with_label: bool) -> Sample | Skipped:
        pair, label, nearest = pairs[index], None, 0
        try:
            image, original = files.read_image(pair, size)
            if with_label and pair.labelled:
                label, nearest = read_label(pair)
                if label.shape != original:
                    reason = f"is {size_text(label.shape)}, its image {size_text(original)}"
                    raise Unusable(pair.label or pair.image, reason)
                label = image_files.resize_label(label, size)
        except Unusable as error:
            return Skipped(path_text(error.path), error.reason)
        made_from: dict[str, Any] = {"file": path_text(Path(pair.image.name)), "original_size": list(original)}
        if nearest:
            made_from[NEAREST_COLOURS] = nearest
        return Sample(pair.name, image, label, provenance=origin | made_from)

    return read


def _other_count(dataset: Dataset, files: SplitFiles, root: Path, request: Request) -> list[str]:
    """A warning where a split does not have as many images as its owners publish."""
    count = len(files.pairs)
    published = dataset.published.get(request.split, count)
    if count == published:
        return []
    return [f"{dataset.name} {request.split} is published with {published} images; {root} has {count}"]


def _without_label(pairs: Sequence[Pair]) -> list[Skipped]:
    """The images that have no label, in a split that is to have some."""
    if not any(pair.labelled for pair in pairs):
        place = f"; the first was looked for at {pairs[0].label}" if pairs[0].label else ""
        raise UserError(f"no image has a label where all need one{place}")
    return [
        Skipped(path_text(pair.image), "has no label" + (f"; expected {pair.label}" if pair.label else ""))
        for pair in pairs
        if not pair.labelled
    ]


def _lacking(own: ClassSet, classes: ClassSet) -> list[str]:
    """A warning of the classes of one's own that the run's class set lacks; those of the built-in sets are known."""
    if own in built_in().values():
        return []
    into = train_ids(own, classes)
    ignored = ", ".join(name for number, name in enumerate(own.classes) if into[number] == IGNORE)
    warning = (
        f"{ignored} of {own.name} are no classes of {classes.name}, the run's, and are ignored; "
        "config.classes may name the classes.yaml"
    )
    return [warning] if ignored else []
