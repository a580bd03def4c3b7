"""Writes records: the sets of one run, or all splits of a data set for many runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import logging
from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import typed_json
from udas_tf.data import datasets, recognition, records, run_splits, sets
from udas_tf.data.checks import on_records
from udas_tf.data.drawing import Drawer
from udas_tf.data.gap.findings import Finding
from udas_tf.data.in_order import in_order
from udas_tf.data.records import Manifest, Role
from udas_tf.data.sample import Skipped, path_text
from udas_tf.data.splits import Request, Split
from udas_tf.errors import UserError
from udas_tf.report.text import aligned
from udas_tf.run import Run
from udas_tf.run_dir import MANIFEST, is_finished
from udas_tf.taxonomy import IGNORE, ClassSet

INDEX = "prepared.json"  # beside the sets of a run: the settings they were made with
STREETS = "streets"  # the data set without files
REPORT = "report.json"
SHOWN_FILES = 10  # skipped files that are logged; all are in the report


@dataclasses.dataclass(frozen=True)
class Prepared:
    """The config keys that the sets of a run were made with, and the names of the sets."""

    settings: dict[str, Any]
    sets: list[str]


@dataclasses.dataclass(frozen=True)
class PreparedSplit:
    """The records of a split.

    Attributes:
      images, labelled: number of records, and of those with a label.
      published: number of images that the owners of the data set publish; None for a data set of one's own.
      pixels: class name -> labelled pixels.
      ignored: labelled pixels without a class.
      skipped: files that were left out, each with its reason.
      warnings: what a user should know before training on it.
    """

    images: int
    labelled: int
    published: int | None
    pixels: dict[str, int]
    ignored: int
    skipped: list[Skipped]
    warnings: list[str]


@dataclasses.dataclass(frozen=True)
class PreparedDataset:
    """What `prepare_dataset` wrote; `size` is (height, width)."""

    dataset: str
    root: str
    size: tuple[int, int]
    class_set: str
    splits: dict[str, PreparedSplit]


def prepare(run: Run, strict: bool = False) -> None:
    """Writes the sets of records of a run that are not finished yet.

    The label budget splits the target's training images: `data.target.labelled` of those with a label go with it to
    target_labelled; all images go without labels to target_unlabelled; the images with the other labels go to
    target_hidden, whose role keeps training from opening it. Once all sets are written, INDEX beside them holds their
    settings, and the raw data are not needed again.

    Args:
      strict: whether the first file that cannot be used is an error.

    Raises:
      UserError: the data set is missing, a set of other settings is in the way, or the config does not fit the data.
    """
    config = run.config
    index = run.dir.data("source_train").with_name(INDEX)
    settings = _settings(config)
    if index.is_file():
        done = typed_json.read(index, Prepared)
        if done.settings == settings and all(is_finished(run.dir.data(name)) for name in done.sets):
            logging.info("the data is prepared already: %s", index.parent)
            return
    drawer = Drawer()
    splits = _splits(run, drawer)
    with drawer.on_all_cores(sum(split.count for _, split in splits.values())):
        for name, (role, split) in splits.items():
            directory = run.dir.data(name)
            manifest = _write(directory, role, split, config.data.shard_images, strict, f"data {name}")
            _log(name, _warnings(manifest, split), manifest.skipped, directory / MANIFEST)
    typed_json.write(index, Prepared(settings, list(splits)))
    for finding in _findings(run, list(splits)):
        logging.warning("%s; %s", finding.text, finding.remedy)


def _findings(run: Run, names: Sequence[str]) -> list[Finding]:
    """What may be wrong with the sets of these names; Streets, which is drawn, is not looked at."""
    data = run.config.data

    def written(section: ConfigDict, *wanted: str) -> list[Path]:
        return [run.dir.data(name) for name in wanted if name in names and section.dataset != STREETS]

    source = written(data.source, "source_train")
    target = written(data.target, "target_labelled", "target_unlabelled")
    labelled = next(iter(written(data.target, "target_labelled")), None)
    return [
        *on_records.on_labels(source, target, run.classes),
        *on_records.on_splits(target, written(data.target, "target_val")),
        *on_records.on_counts(run.dir.data("source_train"), labelled, run.classes),
    ]


def _splits(run: Run, drawer: Drawer) -> dict[str, tuple[Role, Split]]:
    """Name -> role and content, of the sets of a run that are not empty."""
    config, classes, draw = run.config, run.classes, drawer.draw
    target = run_splits.target_train(config, classes, draw)
    labelled, hidden = run_splits.label_budget(config, target)
    splits: dict[str, tuple[Role, Split]] = {
        "source_train": ("training", run_splits.source_train(config, classes, draw)),
        "target_unlabelled": ("training", target.without_labels()),
        "target_labelled": ("training", labelled),
        "target_hidden": ("hidden", hidden),
        "target_val": ("validation", run_splits.target_val(config, classes, draw)),
    }
    if config.data.target.val_full_size is not None:
        at_full_size = configs.override(config, {"data.size": tuple(config.data.target.val_full_size)})
        splits["target_val_full"] = ("validation", run_splits.target_val(at_full_size, classes, draw))
    return {name: (role, split) for name, (role, split) in splits.items() if split.count}


def prepare_dataset(
    config: ConfigDict, classes: ClassSet | None, name: str, root: str, output: str, strict: bool = False
) -> PreparedDataset:
    """Writes every split of a data set as OUTPUT/SPLIT, and OUTPUT/report.json.

    Args:
      config: of which only `data.size` and `data.shard_images` count.
      classes: class set of the records; None = the data set's own.
      name: one of `sets.of_files`, or `recognition.AUTO`.
      root: directory of the data set.
      output: directory of the sets.
      strict: whether the first file that cannot be used is an error.

    Returns:
      The content of report.json.

    Raises:
      UserError: the data set is unknown or not at `root`, or a set of other settings is in the way.
    """
    if name == recognition.AUTO:
        name, why = recognition.the_one(Path(root))
        logging.info("%s is read as %s: %s", root, name, why)
    dataset = sets.declared(name, "--dataset")
    if not dataset.of_files:
        known = ", ".join(other.name for other in sets.of_files())
        raise UserError(f"--dataset={name} has no files to make records of; expected one of {known}")
    classes = classes or datasets.own_classes(dataset, Path(root))
    size = tuple(config.data.size)
    splits = {part: datasets.open_split(name, Request(part, classes, size, Path(root))) for part in datasets.SPLITS}
    if not any(splits.values()):
        raise UserError(f"no images of {name} in {root}; expected {dataset.layout}")
    written = {}
    for part, split in splits.items():
        if split is None:
            if part in dataset.published:
                logging.warning("%s has a split %s, which is not in %s", name, part, root)
            continue
        role: Role = "training" if part in ("train", datasets.EXTRA) else "validation"
        directory = Path(output) / part
        manifest = _write(directory, role, split, config.data.shard_images, strict, f"{name} {part}")
        written[part] = _summary(manifest, split, dataset.published.get(part), classes)
        _log(part, _warnings(manifest, split), manifest.skipped, Path(output) / REPORT)
    prepared = PreparedDataset(name, path_text(Path(root).resolve()), size, classes.name, written)
    typed_json.write(Path(output) / REPORT, prepared)
    return prepared


def table(prepared: PreparedDataset) -> str:
    """A text table: images, and labelled pixels of each class, a column per split."""
    names = ("images", "labelled", "skipped", "labelled pixels:", *_classes(prepared), "ignored")
    columns = [["", *names]]
    for part, split in prepared.splits.items():
        pixels = [str(count or "-") for count in (*split.pixels.values(), split.ignored)]
        columns.append([part, str(split.images), str(split.labelled), str(len(split.skipped)), "", *pixels])
    return aligned(columns)


def _classes(prepared: PreparedDataset) -> list[str]:
    return list(next(iter(prepared.splits.values())).pixels)


def _settings(config: ConfigDict) -> dict[str, Any]:
    """The config keys that the records of a run follow from, with their values as JSON reads them back."""
    keys = {"seed": config.seed, "classes": config.classes, **configs.flatten(config.data, "data.")}
    for reading in ("data.cache", "data.shuffle_buffer", "data.repeat_factor_threshold"):
        del keys[reading]
    return {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}


def _write(directory: Path, role: Role, split: Split, shard_images: int, strict: bool, label: str) -> Manifest:
    """Writes the set of a split unless it is there; returns its manifest."""
    if is_finished(directory):
        manifest = records.read_manifest(directory)
        if manifest.provenance != split.provenance or manifest.role != role:
            raise UserError(f"{directory} holds a set made with other settings; remove it and run again")
        records.check_skipped(manifest.skipped, strict)
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


def _summary(manifest: Manifest, split: Split, published: int | None, classes: ClassSet) -> PreparedSplit:
    return PreparedSplit(
        images=manifest.count,
        labelled=manifest.with_label,
        published=published,
        pixels=dict(zip(classes.classes, manifest.class_pixels, strict=False)),
        ignored=manifest.class_pixels[IGNORE],
        skipped=manifest.skipped,
        warnings=_warnings(manifest, split),
    )


def _warnings(manifest: Manifest, split: Split) -> list[str]:
    """What a user should know of a set that is written."""
    if not manifest.nearest_colours:
        return list(split.warnings)
    nearest = f"{manifest.nearest_colours:,} pixels of the label files have no class's colour and took the nearest one"
    return [*split.warnings, nearest]


def _log(name: str, warnings: Sequence[str], skipped: Sequence[Skipped], everything: Path) -> None:
    for warning in warnings:
        logging.warning("%s", warning)
    for file in skipped[:SHOWN_FILES]:
        logging.warning("%s: skipped %s: %s", name, file.path, file.reason)
    if len(skipped) > SHOWN_FILES:
        logging.warning("%s: %d more skipped files are listed in %s", name, len(skipped) - SHOWN_FILES, everything)
