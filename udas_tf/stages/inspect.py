"""Shows what records hold: a mosaic, class shares, and the gap between source and target."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf.data import domain_gap, gap_findings, records
from udas_tf.data.domain_statistics import APPEARANCE, Collector, Domain
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.stages import mosaic, networks
from udas_tf.taxonomy import ClassSet

SETS = {"source": ("source_train",), "target": ("target_labelled", "target_unlabelled")}
NONE = "-"
WIDTH = 100  # columns of a line of text
AFTERWARDS = "What translation leaves of the gap is told by data inspect --source=WORKDIR/translated"


def inspect(
    config,
    run_dir: RunDir,
    output: str | None = None,
    source: Sequence[str] | None = None,
    target: Sequence[str] | None = None,
    images: int = 200,
) -> dict:
    """Verifies checksums, prints what source and target hold and the gap between them, draws a mosaic.

    Only sets of role "training" are opened for statistics: target labels beyond the budget and validation
    labels would steer what is trained. Validation pairs appear in a run's mosaic, since a wrong class map is
    seen there.

    Args:
      output: PNG file; None = data/mosaic.png in the run, or mosaic.png where sets were named.
      source: directories of records; None = the run's, where they are finished.
      target: likewise. Sets with labels tell of the classes; of the images those without, where there are
        any.
      images: looked at in each set, spread over it. Class shares are those of the whole set.

    Returns:
      What was printed, for machines: {"classes", "source", "target": Domain or None, "gap": Gap or None,
      "warnings": [Finding], "mosaic": path}.

    Raises:
      UserError: nothing to inspect; a set that is damaged, guarded, or of other classes than the config's.
    """
    classes = networks.class_set(config)
    sets = {
        name: list(map(Path, named)) if named else _finished(run_dir, SETS[name])
        for name, named in (("source", source), ("target", target))
    }
    if not any(sets.values()):
        raise UserError(
            f"{run_dir.path} has no records; run first: bin/udas data prepare --workdir={run_dir.path}"
        )
    validation = [] if source or target else _finished(run_dir, ("target_val",))
    shown = [*sets["source"], *sets["target"], *validation]
    for directory in shown:
        records.verify(directory)
    domains = {
        name: _domain(directories, classes, images) for name, directories in sets.items() if directories
    }
    print("\n".join(f"{name}: {', '.join(map(str, sets[name]))}" for name in domains), end="\n\n")
    gap = domain_gap.compare(**domains) if len(domains) == 2 else None
    findings = gap_findings.warnings(**domains, gap=gap) if gap else []
    tables = [class_table(domains), appearance_table(domains, gap), sizes(domains)]
    print(*tables, *([distances(gap), advice(findings)] if gap else []), "", sep="\n\n")
    path = Path(output or ("mosaic.png" if source or target else run_dir.path / "data" / "mosaic.png"))
    path.parent.mkdir(parents=True, exist_ok=True)
    mosaic.write(path, shown, classes)
    print(f"{', '.join(directory.name for directory in shown)} from top to bottom: {path}")
    return {
        "classes": list(classes.classes),
        **{name: dataclasses.asdict(domains[name]) if name in domains else None for name in SETS},
        "gap": gap and dataclasses.asdict(gap),
        "warnings": [dataclasses.asdict(finding) for finding in findings],
        "mosaic": str(path),
    }


def class_table(domains: dict[str, Domain]) -> str:
    """Class shares, images that show a class and its mean height there, side by side; per cent."""
    labelled = {name: domain for name, domain in domains.items() if domain.classes is not None}
    if not labelled:
        return "no labels: class shares are unknown"
    classes = list(next(iter(labelled.values())).classes)
    occurring = [c for c in classes if any(domain.classes[c].share > 0 for domain in labelled.values())]
    columns = [["", "per cent", *occurring]]
    for heading, cell in (
        ("of labelled pixels", _share),
        ("of images show it", _images),
        ("height, 0 = top", _row),
    ):
        for number, (name, domain) in enumerate(domains.items()):
            known = domain.classes is not None
            cells = [cell(domain, c) if known else "unknown" for c in occurring]
            columns.append(["" if number else heading, name, *cells])
    lines = [_aligned(columns)]
    absent = [c for c in classes if c not in occurring]
    if absent:
        where = "either domain" if len(domains) == 2 else next(iter(domains))
        lines.append(f"Not among the labels of {where}: {', '.join(absent)}.")
    return "\n".join(lines)


def appearance_table(domains: dict[str, Domain], gap: domain_gap.Gap | None) -> str:
    """Colour, contrast, sharpness, noise: mean ± deviation between images, and how many such apart."""
    columns = [["images", *APPEARANCE.values()]]
    for name, domain in domains.items():
        spreads = [domain.appearance[statistic] for statistic in APPEARANCE]
        columns.append([name, *(f"{spread.mean:.2f} ± {spread.deviation:.2f}" for spread in spreads)])
    if gap:
        effects = [gap.appearance[statistic].effect for statistic in APPEARANCE]
        columns.append(["apart", *(NONE if effect is None else f"{effect:+.1f}" for effect in effects)])
    return _aligned(columns)


def sizes(domains: dict[str, Domain]) -> str:
    """A line a domain: images looked at, size of the records, sizes and aspect ratios before."""
    lines = []
    for name, domain in domains.items():
        line = f"{name}: {domain.images} images and {domain.labelled} labels looked at, "
        line += f"records {_size(*domain.size)}"
        for height, width, count in domain.original_sizes[:3]:
            line += f"; {count} were {_size(height, width)}"
        others = len(domain.original_sizes) - 3
        lines.append(line + (f"; and {others} other sizes" if others > 0 else ""))
    return "\n".join(lines)


def distances(gap: domain_gap.Gap) -> str:
    """The distances of two domains, each in a line."""
    lines = [f"colours: {gap.colour:.1f} in L*a*b* between the means; 2.3 is just noticeable"]
    if gap.shares is not None:
        lines.append(
            f"class shares: {gap_findings.per_cent(gap.shares)} of the pixels would have to change class; "
            f"{gap_findings.per_cent(gap.shares_by_chance)} between such samples of one domain"
        )
    if gap.layout is not None:
        lines.append(
            f"layout: classes lie {gap_findings.per_cent(gap.layout)} of the image apart on average; "
            f"{gap_findings.per_cent(gap.layout_by_chance)} between such samples of one domain"
        )
    return "\n".join(lines)


def advice(findings: Sequence[gap_findings.Finding]) -> str:
    """The warnings, numbered, each with what to do."""
    lines = ["Warnings" if findings else "No warnings."]
    for number, finding in enumerate(findings, 1):
        for start, text in ((f"{number}.", finding.text), ("  ", finding.remedy)):
            sentence = text[0].upper() + text[1:] + "."
            lines.append(
                textwrap.fill(sentence, WIDTH, initial_indent=f"{start} ", subsequent_indent=" " * 3)
            )
    if findings:
        lines.append(f"{AFTERWARDS}.")
    return "\n".join(lines)


def _finished(run_dir: RunDir, names: Sequence[str]) -> list[Path]:
    return [run_dir.data(name) for name in names if is_finished(run_dir.data(name))]


def _domain(directories: Sequence[Path], classes: ClassSet, images: int) -> Domain:
    manifests = {directory: records.read_manifest(directory) for directory in directories}
    labelled = [directory for directory in directories if _with_labels(manifests[directory])]
    # `data prepare` puts every target image into the set without labels, those with a label too.
    pictures = [directory for directory in directories if directory not in labelled] or labelled
    collector = Collector(classes.classes)
    original_sizes: list[tuple[int, int]] = []
    class_pixels = np.zeros(256, np.int64)
    for directory in directories:
        _check_classes(directory, manifests[directory], classes)
        fields = ["image"] * (directory in pictures) + ["label"] * (directory in labelled)
        for record in _spread(directory, fields, images):
            if "image" in record:
                collector.see_image(record["image"])
            if "label" in record:
                collector.see_label(record["label"])
        if directory in pictures:
            original_sizes.extend(_original_sizes(directory, manifests[directory], images))
        if directory in labelled:
            class_pixels += np.array(manifests[directory]["class_pixels"])
    return collector.domain(manifests[pictures[0]]["size"], class_pixels, original_sizes)


def _spread(directory: Path, fields: Sequence[str], images: int) -> Iterator[dict[str, np.ndarray]]:
    """At most `images` records of a set that training may open, spread evenly over it."""
    examples, manifest = records.read(directory, purpose="training", fields=fields)
    with records.naming_damage(directory):
        yield from examples.shard(_step(manifest, images), 0).as_numpy_iterator()


def _original_sizes(directory: Path, manifest: dict, images: int) -> Iterator[tuple[int, int]]:
    """(height, width) of what records were made from, where their provenance holds an "original_size"."""
    files = [str(directory / shard["file"]) for shard in manifest["shards"]]
    written = tf.data.TFRecordDataset(files).shard(_step(manifest, images), 0).with_options(records.UNTUNED)
    for record in written.as_numpy_iterator():
        (provenance,) = tf.train.Example.FromString(record).features.feature["provenance"].bytes_list.value
        origin = json.loads(provenance)
        if "original_size" in origin:
            yield tuple(origin["original_size"])


def _step(manifest: dict, images: int) -> int:
    return -(-manifest["count"] // images)


def _with_labels(manifest: dict) -> bool:
    return manifest["with_label"] == manifest["count"]


def _check_classes(directory: Path, manifest: dict, classes: ClassSet) -> None:
    if not manifest["with_label"]:
        return
    names = tuple(manifest["provenance"].get("classes", classes.classes))
    foreign = [id_ for id_ in np.flatnonzero(manifest["class_pixels"]) if len(classes) <= id_ < 255]
    if names != classes.classes or foreign:
        held = f"ids {', '.join(map(str, foreign))}" if foreign else f"the classes {', '.join(names)}"
        raise UserError(
            f"the labels of {directory} hold {held}, and the config's classes are {classes.name!r}; "
            "give the --config or --config.classes they were made with"
        )


def _share(domain: Domain, name: str) -> str:
    share = 100 * domain.classes[name].share
    return NONE if share == 0 else f"{share:.2f}"


def _images(domain: Domain, name: str) -> str:
    return f"{100 * domain.classes[name].images / domain.labelled:.0f}"


def _row(domain: Domain, name: str) -> str:
    row = domain.classes[name].row
    return NONE if row is None else f"{100 * row.mean:.0f} ± {100 * row.deviation:.0f}"


def _size(height: int, width: int) -> str:
    return f"{height}x{width} ({width / height:.2f}:1)"


def _aligned(columns: Sequence[Sequence[str]]) -> str:
    """Columns of cells as lines of text: the first to the left, the others to the right."""
    first, *others = columns
    widths = [max(map(len, column)) for column in columns]
    lines = []
    for number, cell in enumerate(first):
        cells = [column[number].rjust(width) for column, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([cell.ljust(widths[0]), *cells]))
    return "\n".join(lines)
