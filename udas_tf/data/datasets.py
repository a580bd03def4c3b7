"""What the data sets are, and which of their splits a config makes its source and target of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

from udas_tf.data import class_file, layouts, prepared, splits
from udas_tf.data.layouts import Found
from udas_tf.data.splits import Split
from udas_tf.errors import UserError
from udas_tf.taxonomy import CAMVID, CITYSCAPES, CLASS_SETS, IGNORE, ClassSet, train_ids

TRAIN_TAIL = "train_tail"
EXTRA = "train_extra"
SPLITS = ("train", "val", "test", EXTRA)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set as its owners publish it.

    Attributes:
      name: what configs and `--dataset` call it.
      classes: its class set; of a folder, where it has no classes.yaml.
      published: number of images of each split, as published; empty for one's own.
      labelled: splits in which every image has a label.
      layout: what is to be found under its root, for messages.
      find: root, split -> the files.
    """

    name: str
    classes: ClassSet
    published: Mapping[str, int]
    labelled: tuple[str, ...]
    layout: str
    find: Callable[[Path, str], Found]


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "gta5",
            CITYSCAPES,
            {"train": 24_966},
            ("train",),
            "images/*.png and labels/*.png",
            layouts.find_gta5,
        ),
        Dataset(
            "cityscapes",
            CITYSCAPES,
            {"train": 2_975, "val": 500, "test": 1_525, EXTRA: 19_998},
            ("train", "val"),
            "leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and gtFine/SPLIT/CITY/*_gtFine_labelIds.png",
            layouts.find_cityscapes,
        ),
        Dataset(
            "synthia",
            CITYSCAPES,
            {"train": 9_400},
            ("train",),
            "RGB/*.png and GT/LABELS/*.png",
            layouts.find_synthia,
        ),
        Dataset(
            "camvid",
            CAMVID,
            {"train": 367, "val": 101, "test": 233},
            ("train", "val", "test"),
            "701_StillsRaw_full/*.png and LabeledApproved_full/*_L.png, or SPLIT/images and SPLIT/labels",
            layouts.find_camvid,
        ),
        Dataset(
            "folder",
            CITYSCAPES,
            {},
            (),
            "images/ and, where there are labels, labels/, in SPLIT/ or for train alone in it; or images alone",
            layouts.find_folder,
        ),
    )
}


def source_train(config, classes: ClassSet) -> Split:
    """The simulator's training images; those without a label are left out."""
    section = config.data.source
    split = _split(
        "data.source", section, section.domain, "train", section.images, config, classes, need_labels=True
    )
    return _first(split, section.images, "data.source.images")


def target_train(config, classes: ClassSet) -> Split:
    """The camera's training images, with whatever labels there are.

    They lack those that `data.target.val` = "train_tail" holds out; `data.target.extra` adds the data set's unlabelled
    ones at the end.
    """
    section = config.data.target
    split, _ = _target_train_and_tail(config, classes)
    split = _first(split, section.images, "data.target.images")
    if section.extra:
        extra = _split("data.target", section, "real", EXTRA, 0, config, classes)
        split = split.joined(extra.without_labels().renamed(EXTRA), extra=extra.count)
    return split


def target_val(config, classes: ClassSet) -> Split:
    """The camera's labelled images that scores are reported on."""
    section = config.data.target
    if section.val == TRAIN_TAIL:
        _, tail = _target_train_and_tail(config, classes)
        return tail
    count = section.val_images
    split = _split("data.target", section, "real", section.val, count, config, classes, need_labels=True)
    return _first(split, count, "data.target.val_images")


def _target_train_and_tail(config, classes: ClassSet) -> tuple[Split, Split | None]:
    """All of the target's training images but those held out, and those."""
    section = config.data.target
    if section.val != TRAIN_TAIL:
        return _split("data.target", section, "real", "train", section.images, config, classes), None
    held_out = section.val_images
    drawn = section.images + held_out  # by Streets, which has no end
    split = _split("data.target", section, "real", "train", drawn, config, classes)
    if not 0 < held_out < len(split.labelled):
        raise UserError(
            f"data.target.val_images={held_out} of the {len(split.labelled)} labelled training images were to be held "
            f"out (data.target.val={TRAIN_TAIL!r}); expected at least 1 and fewer than all"
        )
    tail = list(split.labelled)[-held_out:]
    kept = sorted(set(range(split.count)) - set(tail))
    return split.part(kept, without_tail=held_out), split.part(tail, tail=held_out)


def _first(split: Split, count: int, key: str) -> Split:
    if count < 0:
        raise UserError(f"{key}={count}; expected a number of images, 0 = all")
    return split.part(range(min(count, split.count))) if count else split


def _split(
    key: str,
    section,
    domain: str,
    part: str,
    count: int,
    config,
    classes: ClassSet,
    need_labels: bool = False,
) -> Split:
    """A split of the data set that a section of the config names; `count` is for Streets alone."""
    size = tuple(config.data.size)
    if section.dataset == "streets":
        return splits.of_streets(domain, part, count, size, config.seed, classes)
    if not section.root:
        raise UserError(f"{key}.dataset={section.dataset!r} needs {key}.root, the directory where it lies")
    if section.dataset == "records":
        return prepared.of_records(Path(section.root) / part, classes, size, need_labels=need_labels)
    if section.dataset not in DATASETS:
        raise UserError(
            f"{key}.dataset={section.dataset!r} is unknown; expected streets, records, {', '.join(DATASETS)}"
        )
    dataset = DATASETS[section.dataset]
    split = split_of(dataset, Path(section.root), part, classes, size, need_labels=need_labels)
    if split is None:
        raise UserError(f"no {part} images of {dataset.name} in {section.root}; expected {dataset.layout}")
    return split


def own_classes(dataset: Dataset, root: Path) -> ClassSet:
    """The class set of a data set's labels: a folder's is that of its classes.yaml."""
    described = root / class_file.FILE_NAME
    if dataset.name == "folder" and described.is_file():
        return class_file.read(described).classes
    return dataset.classes


def split_of(
    dataset: Dataset,
    root: Path,
    part: str,
    classes: ClassSet,
    size: tuple[int, int],
    *,
    need_labels: bool | None = None,
) -> Split | None:
    """A split of a data set in files; None where it is not there.

    Args:
      dataset: which.
      root: where it lies.
      part: name of the split.
      classes: whose ids the samples' labels are to hold.
      size: (height, width) of the samples, pixels.
      need_labels: leave out images without a label; None = if the split is published with labels, and any are there.
    """
    found = dataset.find(root, part)
    if not found.pairs:
        return None
    warnings = found.warnings
    published = dataset.published.get(part, len(found.pairs))
    if len(found.pairs) != published:
        warnings += (
            f"{dataset.name} {part} is published with {published} images; {root} has {len(found.pairs)}",
        )
    if need_labels is None:
        need_labels = part in dataset.labelled and any(pair.labelled for pair in found.pairs)
        if part in dataset.labelled and not need_labels:
            warnings += (f"{dataset.name} {part} in {root} has no labels, and is taken as unlabelled",)
    code = found.code or layouts.folder_code(class_file.train_ids_of(classes))
    return splits.of_files(
        found.pairs,
        code,
        classes,
        size,
        {"dataset": dataset.name, "split": part, "root": str(root.resolve())},
        need_labels=need_labels,
        skipped=found.orphans,
        warnings=warnings + _without_a_place(code.classes, classes),
    )


def _without_a_place(own: ClassSet, classes: ClassSet) -> tuple[str, ...]:
    """A warning of the classes of one's own that a run's class set lacks; how the built-in ones go is known."""
    if own in CLASS_SETS.values():
        return ()
    ignored = [
        name for name, into in zip(own.classes, train_ids(own, classes), strict=False) if into == IGNORE
    ]
    if not ignored:
        return ()
    told = (
        f"{', '.join(ignored)} of {own.name} are no classes of {classes.name}, the run's, and are ignored; "
        "config.classes may name the classes.yaml"
    )
    return (told,)
