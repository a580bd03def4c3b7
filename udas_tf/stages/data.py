"""Makes records: the sets of a run, or all splits of a data set for the runs to come."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from udas_tf import config as configs
from udas_tf.data import datasets, drawing, records
from udas_tf.data.in_order import in_order
from udas_tf.data.splits import Split
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish, is_finished, read_json, write_json
from udas_tf.stages import networks
from udas_tf.taxonomy import IGNORE, ClassSet

SETS = ("source_train", "target_labelled", "target_unlabelled", "target_hidden", "target_val")
REPORT = "report.json"
SHOWN_FILES = 10  # skipped files that are printed; all are in the report


def prepare(config, run_dir: RunDir, strict: bool = False) -> None:
    """Writes the sets of records of a run that are not finished yet.

    The target's training images are split by the label budget: `data.target.labelled` of those that have a label go
    with it to target_labelled; all images go without labels to target_unlabelled; the other labels go to
    target_hidden, whose role keeps training from opening it. When all is written, a manifest beside the sets says
    with which settings, and the raw data are not needed again.

    Args:
      config: of the run.
      run_dir: of the run.
      strict: the first file that cannot be used is an error.
    """
    directory = run_dir.data("source_train").parent
    settings = _settings(config)
    if is_finished(directory):
        done = read_json(directory / "manifest.json")
        if done["settings"] == settings and all(is_finished(directory / name) for name in done["sets"]):
            return
    classes = networks.class_set(config)
    target = datasets.target_train(config, classes)
    labelled, hidden = _budget(config, target)
    sets = {
        "source_train": ("training", datasets.source_train(config, classes)),
        "target_unlabelled": ("training", target.without_labels()),
        "target_labelled": ("training", labelled),
        "target_hidden": ("hidden", hidden),
        "target_val": ("validation", datasets.target_val(config, classes)),
    }
    if tuple(config.data.target.val_full_size) != (0, 0):
        at_full_size = config.copy_and_resolve_references()
        at_full_size.data.size = config.data.target.val_full_size
        sets["target_val_full"] = ("validation", datasets.target_val(at_full_size, classes))
    sets = {name: (role, split) for name, (role, split) in sets.items() if split.count}
    with drawing.on_all_cores(sum(split.count for _, split in sets.values())):
        for name, (role, split) in sets.items():
            manifest = _write(
                run_dir.data(name), role, split, config.data.shard_images, strict, f"data {name}"
            )
            _tell(name, split.warnings, manifest["skipped"], run_dir.data(name) / "manifest.json")
    finish(directory, {"settings": settings, "sets": list(sets)})


def prepare_dataset(config, name: str, root: str, output: str, strict: bool = False) -> dict:
    """Writes every split of a data set as OUTPUT/SPLIT, and what was found and skipped as OUTPUT/report.json.

    Args:
      config: `data.size`, `data.shard_images` and `classes` count; classes "" are the data set's own.
      name: one of `datasets.DATASETS`.
      root: directory of the data set.
      output: directory of the sets.
      strict: the first file that cannot be used is an error.

    Returns:
      What is in report.json: {"dataset", "root", "size", "class_set", "splits": {name: {"images", "labelled",
      "published" or None, "pixels": {class name: labelled pixels}, "ignored": pixels, "skipped": [{"path",
      "reason"}, ...], "warnings": [...]}}}.
    """
    if name not in datasets.DATASETS:
        raise UserError(f"--dataset={name} is unknown; expected one of {', '.join(datasets.DATASETS)}")
    dataset = datasets.DATASETS[name]
    classes = networks.class_set(config) if config.classes else datasets.own_classes(dataset, Path(root))
    found = {
        part: datasets.split_of(dataset, Path(root), part, classes, tuple(config.data.size))
        for part in datasets.SPLITS
    }
    if not any(found.values()):
        raise UserError(f"no images of {name} in {root}; expected {dataset.layout}")
    report = {
        "dataset": name,
        "root": str(Path(root).resolve()),
        "size": list(config.data.size),
        "class_set": classes.name,
        "splits": {},
    }
    for part, split in found.items():
        if split is None:
            if part in dataset.published:
                print(f"udas: warning: {name} has a split {part}, which is not in {root}", file=sys.stderr)
            continue
        role = "training" if part in ("train", datasets.EXTRA) else "validation"
        directory = Path(output) / part
        manifest = _write(directory, role, split, config.data.shard_images, strict, f"{name} {part}")
        report["splits"][part] = _summary(manifest, split, dataset.published.get(part), classes)
        _tell(part, split.warnings, manifest["skipped"], Path(output) / REPORT)
    write_json(Path(output) / REPORT, report)
    return report


def report_table(report: dict) -> str:
    """What `prepare_dataset` returns as a table: images and pixels of each class, a column for each split."""
    parts = report["splits"]
    rows = {key: [part[key] for part in parts.values()] for key in ("images", "labelled")}
    rows["skipped"] = [len(part["skipped"]) for part in parts.values()]
    for name in next(iter(parts.values()))["pixels"]:
        rows[name] = [part["pixels"][name] or "-" for part in parts.values()]
    rows["ignored"] = [part["ignored"] or "-" for part in parts.values()]
    width = max(map(len, rows))
    lines = [" " * width + "".join(f"  {part:>14}" for part in parts)]
    for heading, values in rows.items():
        lines.append(f"{heading:{width}}" + "".join(f"  {value:>14}" for value in values))
        if heading == "skipped":
            lines.append("labelled pixels:")
    return "\n".join(lines)


def _settings(config) -> dict:
    """The keys that the records of a run follow from, as JSON reads them back."""
    keys = {"seed": config.seed, "classes": config.classes, **configs.flatten(config.data, "data.")}
    for reading in ("data.cache", "data.shuffle_images", "data.repeat_below"):
        del keys[reading]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}


def _budget(config, target: Split) -> tuple[Split, Split]:
    """The target images that may be seen with their labels, and the other labelled ones."""
    section = config.data.target
    available = len(target.labelled)
    if not -1 <= section.labelled <= available:
        raise UserError(
            f"data.target.labelled={section.labelled}, and {available} images have labels; -1 takes all of them"
        )
    if section.labelled == -1 and not available:
        raise UserError(
            "data.target.labelled=-1 takes all labelled images, and no image has a label; expected labels, or "
            "data.target.labelled=0"
        )
    budget = available if section.labelled == -1 else section.labelled
    chosen = set(_ranked(target.labelled, section.label_seed)[:budget])
    origin = {"labelled": budget, "label_seed": section.label_seed}
    told = dataclasses.replace(target, skipped=(), warnings=())  # with all the images, in target_unlabelled
    return (
        told.part(sorted(chosen), **origin),
        told.part([index for index in target.labelled if index not in chosen], **origin),
    )


def _ranked(labelled: Sequence[int], seed: int) -> Sequence[int]:
    """In which order images are labelled, so that whoever labels more labels these too; a seed of -1 keeps theirs."""
    if seed == -1:
        return labelled
    # A hash rather than a generator, whose permutations may differ between versions of NumPy.
    return sorted(labelled, key=lambda index: hashlib.sha256(f"{seed} {index}".encode()).digest())


def _write(directory: Path, role: str, split: Split, shard_images: int, strict: bool, label: str) -> dict:
    """The set of a split, written unless it is there; its manifest."""
    if is_finished(directory):
        manifest = records.read_manifest(directory)
        if manifest["provenance"] != split.provenance or manifest["role"] != role:
            raise UserError(f"{directory} holds a set made with other settings; remove it and run again")
        records.check_skipped(manifest["skipped"], strict)
        return manifest
    if split.whole:
        return records.link(directory, split.whole, role, split.provenance)
    return records.write(
        directory,
        role,
        split.count,
        functools.partial(in_order, split.sample),
        shard_images=shard_images,
        provenance=split.provenance,
        label=label,
        skipped=split.skipped,
        strict=strict,
    )


def _summary(manifest: dict, split: Split, published: int | None, classes: ClassSet) -> dict:
    pixels = manifest["class_pixels"]
    return {
        "images": manifest["count"],
        "labelled": manifest["with_label"],
        "published": published,
        "pixels": dict(zip(classes.classes, pixels, strict=False)),
        "ignored": pixels[IGNORE],
        "skipped": manifest["skipped"],
        "warnings": list(split.warnings),
    }


def _tell(name: str, warnings: Sequence[str], skipped: Sequence[dict], everything: Path) -> None:
    """Warnings and skipped files on standard error."""
    lines = [f"udas: warning: {warning}" for warning in warnings]
    lines += [f"udas: {name}: skipped {file['path']}: {file['reason']}" for file in skipped[:SHOWN_FILES]]
    if len(skipped) > SHOWN_FILES:
        lines.append(
            f"udas: {name}: {len(skipped) - SHOWN_FILES} more skipped files are listed in {everything}"
        )
    for line in lines:
        print(line, file=sys.stderr)
