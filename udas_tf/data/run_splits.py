"""The splits of a run: which images its config makes the source and the target, and which labels it may see."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from udas_tf.data import class_map, datasets, recognition, sets, streets
from udas_tf.data.datasets import EXTRA
from udas_tf.data.splits import Draw, Request, Split
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

SOURCE, TARGET = "data.source", "data.target"  # sections of the config
CAMERA = "real"  # the domain of Streets that stands for photographs
TRAIN_TAIL = "train_tail"


def source_train(config: ConfigDict, classes: ClassSet, draw: Draw = streets.render) -> Split:
    """The simulator's training images; those without a label are left out.

    Args:
      classes: class set whose ids the labels are to hold.
      draw: what draws Streets.
    """
    section = config.data.source
    split = _split(SOURCE, config, "train", section.images, classes, draw, section.domain, need_labels=True)
    return _first(split, section.images)


def target_train(config: ConfigDict, classes: ClassSet, draw: Draw = streets.render) -> Split:
    """The camera's training images, with whatever labels there are.

    They lack those that `data.target.val` = "train_tail" holds out; `data.target.extra` adds the data set's unlabelled
    ones at the end. Arguments as for `source_train`.
    """
    section = config.data.target
    split, _ = _target_train_and_tail(config, classes, draw)
    split = _first(split, section.images)
    if section.extra:
        extra = _split(TARGET, config, EXTRA, None, classes, draw)
        split = split.joined(extra.without_labels().renamed(EXTRA), extra=extra.count)
    return split


def target_val(config: ConfigDict, classes: ClassSet, draw: Draw = streets.render) -> Split:
    """The camera's labelled images that scores are reported on. Arguments as for `source_train`."""
    section = config.data.target
    if section.val == TRAIN_TAIL:
        _, tail = _target_train_and_tail(config, classes, draw)
        return tail
    count = section.val_images
    split = _split(TARGET, config, section.val, count, classes, draw, need_labels=True)
    return _first(split, count)


def label_budget(config: ConfigDict, target: Split) -> tuple[Split, Split]:
    """The target images that may be seen with their labels, and the other labelled ones.

    Args:
      target: of `target_train`.

    Raises:
      UserError: `data.target.labelled` is more than there are, or takes all of none.
    """
    section = config.data.target
    available = len(target.labelled)
    if section.labelled is not None and section.labelled > available:
        raise UserError(
            f"data.target.labelled={section.labelled}, and {available} images have labels; none takes all of them"
        )
    if section.labelled is None and not available:
        raise UserError(
            "data.target.labelled=none takes all labelled images, and no image has a label; expected labels, or "
            "data.target.labelled=0"
        )
    budget = available if section.labelled is None else section.labelled
    seen = set(_ranked(target.labelled, section.label_seed)[:budget])
    hidden = [index for index in target.labelled if index not in seen]
    origin = {"labelled": budget, "label_seed": section.label_seed}
    # The set of all images without labels lists what was skipped.
    quiet = dataclasses.replace(target, skipped=(), warnings=())
    return quiet.part(sorted(seen), **origin), quiet.part(hidden, **origin)


def _ranked(labelled: Sequence[int], seed: int | None) -> Sequence[int]:
    """The order in which images are labelled: the images of a budget are among those of any larger one."""
    if seed is None:
        return labelled
    # A hash rather than a generator, whose permutations may differ between versions of NumPy.
    return sorted(labelled, key=lambda index: hashlib.sha256(f"{seed} {index}".encode()).digest())


def _target_train_and_tail(config: ConfigDict, classes: ClassSet, draw: Draw) -> tuple[Split, Split]:
    """The target's training images but those held out, and those held out."""
    section = config.data.target
    if section.val != TRAIN_TAIL:
        split = _split(TARGET, config, "train", section.images, classes, draw)
        return split, split.part([])
    held_out = section.val_images
    drawn = (section.images or 0) + (held_out or 0)  # by Streets, which has no end
    split = _split(TARGET, config, "train", drawn, classes, draw)
    if held_out is None or held_out >= len(split.labelled):
        raise UserError(
            f"data.target.val_images={held_out} of the {len(split.labelled)} labelled training images were to be held "
            f"out (data.target.val={TRAIN_TAIL!r}); expected at least 1 and fewer than all"
        )
    tail = list(split.labelled)[-held_out:]
    kept = sorted(set(range(split.count)) - set(tail))
    return split.part(kept, without_tail=held_out), split.part(tail, tail=held_out)


def _first(split: Split, count: int | None) -> Split:
    """The first images of a split; None = all."""
    return split if count is None else split.part(range(min(count, split.count)))


def _split(
    key: str,
    config: ConfigDict,
    part: str,
    images: int | None,
    classes: ClassSet,
    draw: Draw,
    domain: str = CAMERA,
    need_labels: bool = False,
) -> Split:
    """A split of the data set that the section `key` of the config names; `images` and `domain` are for Streets."""
    section = config.data.source if key == SOURCE else config.data.target
    name = section.dataset
    if name == recognition.AUTO:
        name, _ = recognition.the_one(Path(section.root or ""))
    dataset = sets.declared(name, f"{key}.dataset")
    if dataset.layout and not section.root:
        raise UserError(f"{key}.dataset={section.dataset!r} needs {key}.root, the directory where it lies")
    request = Request(
        split=part,
        classes=classes,
        size=tuple(config.data.size),
        root=Path(section.root) if dataset.layout else None,
        need_labels=need_labels,
        images=images,
        seed=config.seed,
        domain=domain,
        draw=draw,
        class_map=class_map.read_named(section.class_map),
    )
    split = datasets.open_split(dataset.name, request)
    if split is None:
        raise UserError(f"no {part} images of {dataset.name} in {section.root}; expected {dataset.layout}")
    return split
