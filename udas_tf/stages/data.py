"""Makes the records of a run, and shows them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from udas_tf.data import datasets, pipeline, records
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


def inspect(config, run_dir: RunDir, output: str | None = None) -> None:
    """Verifies the checksums of a run's sets, prints their class shares, writes a mosaic PNG of images and labels."""
    finished = [name for name in SETS if is_finished(run_dir.data(name))]
    if not finished:
        raise UserError(
            f"{run_dir.path} has no records; run first: bin/udas data prepare --workdir={run_dir.path}"
        )
    classes = networks.class_set(config)
    manifests = {}
    for name in finished:
        records.verify(run_dir.data(name))
        manifests[name] = records.read_manifest(run_dir.data(name))
    print(class_shares(manifests, classes.classes))
    path = Path(output) if output else run_dir.path / "data" / "mosaic.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    labelled = [name for name in finished if manifests[name]["with_label"]]
    rows = [np.concatenate(_pairs(run_dir.data(name), classes.palette()), axis=1) for name in labelled]
    Image.fromarray(np.concatenate(rows)).save(path)
    print(f"{', '.join(labelled)} from top to bottom: {path}")


def class_shares(manifests: dict[str, dict], classes: tuple[str, ...]) -> str:
    """A table of the per cent of labelled pixels of each class, a column for each set."""
    shares = {}
    for name, manifest in manifests.items():
        pixels = np.array(manifest["class_pixels"][: len(classes)], float)
        shares[name] = 100.0 * pixels / max(pixels.sum(), 1.0)
    width = max(map(len, classes))
    lines = [" " * width + "".join(f"  {name:>18}" for name in manifests)]
    lines.append(f"{'images':{width}}" + "".join(f"  {m['count']:18d}" for m in manifests.values()))
    for number, name in enumerate(classes):
        lines.append(f"{name:{width}}" + "".join(f"  {share[number]:16.2f} %" for share in shares.values()))
    return "\n".join(lines)


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


def _pairs(directory: Path, palette: np.ndarray, count: int = 4) -> list[np.ndarray]:
    """The first images of a set, each above its label: uint8 [2H, W, 3]."""
    batches, _ = pipeline.evaluation(directory, count, ("image", "label"))
    batch = next(batches.as_numpy_iterator())
    pairs = [
        np.concatenate([image, palette[label]])
        for image, label in zip(batch["image"], batch["label"], strict=True)
    ]
    height, width = pairs[0].shape[:2]
    blank = np.zeros((height, width, 3), np.uint8)
    return pairs + [blank] * (count - len(pairs))
