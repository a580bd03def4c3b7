"""Inspects sets of records: a mosaic, class shares, and the gap between source and target."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf.data import records
from udas_tf.data.checks import on_records
from udas_tf.data.gap.distances import Gap, compare
from udas_tf.data.gap.findings import Finding, per_cent, warnings
from udas_tf.data.gap.statistics import APPEARANCE, ClassPlace, Collector, Domain
from udas_tf.data.records import Manifest
from udas_tf.errors import UserError
from udas_tf.report import mosaic
from udas_tf.report.text import aligned
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.sizes import size_text
from udas_tf.taxonomy import ClassSet

SETS = {"source": ("source_train",), "target": ("target_labelled", "target_unlabelled")}
NONE = "-"
WIDTH = 100  # columns of a line of text
AFTERWARDS = "To see the gap that translation leaves, run data inspect --source=WORKDIR/translated"


@dataclasses.dataclass(frozen=True)
class Inspection:
    """Statistics of source and target, and the gap between them.

    Attributes:
      classes: names of the class set.
      source, target: statistics; None where there are no records.
      gap: None unless there are both.
      warnings: each with its remedy.
      mosaic: path of the PNG file.
      sets: "source" or "target" -> directories of its records.
    """

    classes: list[str]
    source: Domain | None
    target: Domain | None
    gap: Gap | None
    warnings: list[Finding]
    mosaic: str
    sets: dict[str, list[str]]


def inspect(
    run: Run,
    output: str | None = None,
    source: Sequence[str] | None = None,
    target: Sequence[str] | None = None,
    images: int = 200,
) -> Inspection:
    """Verifies checksums, compares source and target, and draws a mosaic.

    The statistics read only sets of role "training": validation labels and target labels beyond the budget must not
    influence what is trained. Of validation the images alone are compared with those of training, to find images that
    are in both. The mosaic of a run also shows validation images with their labels, because a wrong class map is
    visible there.

    Args:
      run: for its classes and its sets.
      output: PNG file for the mosaic. None = mosaic.png in `RunDir.inspection`, or in the working directory where
        `source` or `target` is given.
      source: directories of records; None = the run's source set, where it is finished.
      target: directories of records; None = the run's target sets, where they are finished. Class statistics come from
        the sets with labels; the appearance comes from those without, where there are any.
      images: how many are read from each set, evenly spread. Class shares are those of the whole set.

    Raises:
      UserError: there is nothing to inspect, or a set is damaged, guarded or has other classes than the run.
    """
    classes, run_dir = run.classes, run.dir
    sets = {
        name: list(map(Path, named)) if named else _finished(run_dir, SETS[name])
        for name, named in (("source", source), ("target", target))
    }
    if not any(sets.values()):
        raise UserError(f"{run_dir.path} has no records; run first: bin/udas data prepare --workdir={run_dir.path}")
    validation = [] if source or target else _finished(run_dir, ("target_val",))
    drawn = [*sets["source"], *sets["target"], *validation]
    for directory in drawn:
        records.verify(directory)
    domains = {name: _domain(directories, classes, images) for name, directories in sets.items() if directories}
    gap = compare(**domains) if len(domains) == 2 else None
    path = Path(output or ("mosaic.png" if source or target else run_dir.inspection / "mosaic.png"))
    path.parent.mkdir(parents=True, exist_ok=True)
    mosaic.write(path, drawn, classes)
    return Inspection(
        classes=list(classes.classes),
        source=domains.get("source"),
        target=domains.get("target"),
        gap=gap,
        warnings=[
            *on_records.on_labels(sets["source"], sets["target"], classes),
            *on_records.on_splits(sets["target"], validation),
            *(warnings(**domains, gap=gap) if gap else []),
        ],
        mosaic=str(path),
        sets={name: list(map(str, sets[name])) for name in domains},
    )


def text(inspection: Inspection) -> str:
    """An inspection as text for the terminal."""
    domains = {
        name: domain
        for name, domain in (("source", inspection.source), ("target", inspection.target))
        if domain is not None
    }
    lines = [f"{name}: {', '.join(inspection.sets[name])}" for name in domains]
    parts = [
        "\n".join(lines),
        class_table(domains),
        appearance_table(domains, inspection.gap),
        sizes(domains),
    ]
    if inspection.gap is not None:
        parts.append(distances(inspection.gap))
    if inspection.gap is not None or inspection.warnings:
        parts.append(advice(inspection.warnings))
    return "\n\n".join([*parts, f"The sets from top to bottom: {inspection.mosaic}"])


def class_table(domains: dict[str, Domain]) -> str:
    """A table of the classes: share, images that show the class, and mean height in these; per cent, by domain."""
    labelled = {name: domain.classes for name, domain in domains.items() if domain.classes is not None}
    if not labelled:
        return "no labels: class shares are unknown"
    classes = list(next(iter(labelled.values())))
    occurring = [c for c in classes if any(places[c].share > 0 for places in labelled.values())]
    columns = [["", "per cent", *occurring]]
    for heading, cell in (
        ("of labelled pixels", _share),
        ("of images show it", _images),
        ("height, 0 = top", _row),
    ):
        for number, (name, domain) in enumerate(domains.items()):
            cells = ["unknown"] * len(occurring)
            if name in labelled:
                cells = [cell(labelled[name][c], domain.labelled) for c in occurring]
            columns.append(["" if number else heading, name, *cells])
    lines = [aligned(columns)]
    absent = [c for c in classes if c not in occurring]
    if absent:
        where = "either domain" if len(domains) == 2 else next(iter(domains))
        lines.append(f"Not among the labels of {where}: {', '.join(absent)}.")
    return "\n".join(lines)


def appearance_table(domains: dict[str, Domain], gap: Gap | None) -> str:
    """A table of colour, contrast, sharpness and noise: mean ± deviation between images.

    With a gap its last column is the difference of the means in deviations.
    """
    columns = [["images", *APPEARANCE.values()]]
    for name, domain in domains.items():
        spreads = [domain.appearance[statistic] for statistic in APPEARANCE]
        columns.append([name, *(f"{spread.mean:.2f} ± {spread.deviation:.2f}" for spread in spreads)])
    if gap:
        effects = [gap.appearance[statistic].effect for statistic in APPEARANCE]
        columns.append(["apart", *(NONE if effect is None else f"{effect:+.1f}" for effect in effects)])
    return aligned(columns)


def sizes(domains: dict[str, Domain]) -> str:
    """A line per domain: images read, size of the records, and the images' original sizes and aspect ratios."""
    lines = []
    for name, domain in domains.items():
        line = f"{name}: {domain.images} images and {domain.labelled} labels looked at, "
        line += f"records {_size(*domain.size)}"
        for height, width, count in domain.original_sizes[:3]:
            line += f"; {count} were {_size(height, width)}"
        others = len(domain.original_sizes) - 3
        lines.append(line + (f"; and {others} other sizes" if others > 0 else ""))
    return "\n".join(lines)


def distances(gap: Gap) -> str:
    """The distances between two domains, one per line."""
    lines = [f"colours: {gap.colour:.1f} in L*a*b* between the means; 2.3 is just noticeable"]
    if gap.shares is not None and gap.shares_by_chance is not None:
        lines.append(
            f"class shares: {per_cent(gap.shares)} of the pixels would have to change class; "
            f"{per_cent(gap.shares_by_chance)} between such samples of one domain"
        )
    if gap.layout is not None and gap.layout_by_chance is not None:
        lines.append(
            f"layout: classes lie {per_cent(gap.layout)} of the image apart on average; "
            f"{per_cent(gap.layout_by_chance)} between such samples of one domain"
        )
    return "\n".join(lines)


def advice(findings: Sequence[Finding]) -> str:
    """The warnings, numbered, each with its remedy."""
    lines = ["Warnings" if findings else "No warnings."]
    for number, finding in enumerate(findings, 1):
        for start, text in ((f"{number}.", finding.text), ("  ", finding.remedy)):
            sentence = text[0].upper() + text[1:] + "."
            lines.append(textwrap.fill(sentence, WIDTH, initial_indent=f"{start} ", subsequent_indent=" " * 3))
    if findings:
        lines.append(f"{AFTERWARDS}.")
    return "\n".join(lines)


def _finished(run_dir: RunDir, names: Sequence[str]) -> list[Path]:
    return [run_dir.data(name) for name in names if is_finished(run_dir.data(name))]


def _domain(directories: Sequence[Path], classes: ClassSet, images: int) -> Domain:
    manifests = {directory: records.read_manifest(directory) for directory in directories}
    labelled = [directory for directory in directories if manifests[directory].all_labelled]
    # `data prepare` puts every target image into the set without labels, also those that have one.
    pictures = [directory for directory in directories if directory not in labelled] or labelled
    collector = Collector(classes.classes)
    original_sizes: list[tuple[int, int]] = []
    class_pixels = np.zeros(256, np.int64)
    for directory in directories:
        _check_classes(directory, manifests[directory], classes)
        fields = ["image"] * (directory in pictures) + ["label"] * (directory in labelled)
        for record in on_records.spread(directory, fields, images):
            if "image" in record:
                collector.see_image(record["image"])
            if "label" in record:
                collector.see_label(record["label"])
        if directory in pictures:
            original_sizes.extend(_original_sizes(directory, manifests[directory], images))
        if directory in labelled:
            class_pixels += np.array(manifests[directory].class_pixels)
    return collector.domain(manifests[pictures[0]].size, class_pixels, original_sizes)


def _original_sizes(directory: Path, manifest: Manifest, images: int) -> Iterator[tuple[int, int]]:
    """(height, width) of the images that records were made from, where the provenance holds an "original_size"."""
    files = [str(directory / shard.file) for shard in manifest.shards]
    written = tf.data.TFRecordDataset(files).shard(_step(manifest, images), 0).with_options(records.UNTUNED)
    for record in written.as_numpy_iterator():
        (provenance,) = tf.train.Example.FromString(record).features.feature["provenance"].bytes_list.value
        origin = json.loads(provenance)
        if "original_size" in origin:
            yield tuple(origin["original_size"])


def _step(manifest: Manifest, images: int) -> int:
    return -(-manifest.count // images)


def _check_classes(directory: Path, manifest: Manifest, classes: ClassSet) -> None:
    if not manifest.with_label:
        return
    names = tuple(manifest.provenance.get("classes", classes.classes))
    foreign = [id_ for id_ in np.flatnonzero(manifest.class_pixels) if len(classes) <= id_ < 255]
    if names != classes.classes or foreign:
        held = f"ids {', '.join(map(str, foreign))}" if foreign else f"the classes {', '.join(names)}"
        raise UserError(
            f"the labels of {directory} hold {held}, and the config's classes are {classes.name!r}; "
            "give the --config or --config.classes they were made with"
        )


def _share(place: ClassPlace, images: int) -> str:
    return NONE if place.share == 0 else f"{100 * place.share:.2f}"


def _images(place: ClassPlace, images: int) -> str:
    return f"{100 * place.images / images:.0f}"


def _row(place: ClassPlace, images: int) -> str:
    return NONE if place.row is None else f"{100 * place.row.mean:.0f} ± {100 * place.row.deviation:.0f}"


def _size(height: int, width: int) -> str:
    return f"{size_text((height, width))} ({width / height:.2f}:1)"
