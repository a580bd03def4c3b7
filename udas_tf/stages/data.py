"""Makes the records of a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from udas_tf.data import datasets, records
from udas_tf.data.datasets import Split
from udas_tf.data.records import Sample
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.stages import networks

SETS = ("source_train", "target_labelled", "target_unlabelled", "target_hidden", "target_val")


def prepare(config, run_dir: RunDir) -> None:
    """Writes the sets of records that are not finished yet.

    The target's training images are split by the label budget: the first `data.target.labelled` that have a label go
    with it to target_labelled; all images go without labels to target_unlabelled; the other labels go to
    target_hidden, whose role keeps training from opening it.
    """
    classes = networks.class_set(config)
    target = datasets.target_train(config, classes)
    available = len(target.labelled)
    budget = config.data.target.labelled
    if not -1 <= budget <= available:
        raise UserError(
            f"data.target.labelled={budget}, and {available} images have labels; -1 takes all of them"
        )
    budget = available if budget == -1 else budget
    _write(config, run_dir, "source_train", "training", datasets.source_train(config, classes))
    _write(config, run_dir, "target_unlabelled", "training", _without_labels(target))
    if budget > 0:
        _write(config, run_dir, "target_labelled", "training", _part(target, target.labelled[:budget]))
    if budget < available:
        _write(config, run_dir, "target_hidden", "hidden", _part(target, target.labelled[budget:]))
    _write(config, run_dir, "target_val", "validation", datasets.target_val(config, classes))


def _write(config, run_dir: RunDir, name: str, role: str, split: Split) -> None:
    if is_finished(run_dir.data(name)):
        return
    records.write(
        run_dir.data(name),
        role,
        split.count,
        records.in_parallel(split.sample),
        shard_images=config.data.shard_images,
        provenance=split.provenance,
        label=f"data {name}",
    )


def _part(split: Split, indices: Sequence[int]) -> Split:
    """The images of a split with these indices, all labelled."""
    provenance = split.provenance | {"from": indices[0], "to": indices[-1]}
    return Split(len(indices), range(len(indices)), lambda index: split.sample(indices[index]), provenance)


def _without_labels(split: Split) -> Split:
    def sample(index: int) -> Sample:
        return dataclasses.replace(split.sample(index), label=None)

    return Split(split.count, (), sample, split.provenance)
