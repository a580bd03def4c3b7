"""Gathers what a run has finished so far into a table, figures and a page."""

from __future__ import annotations

import itertools
import platform
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import udas_tf
from udas_tf import config as configs
from udas_tf import inference, progress, pseudo_labels
from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.report import figures, page, tables
from udas_tf.report.figures import Sheet
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import networks, pseudo_label, rounds
from udas_tf.stages.evaluate import METRICS
from udas_tf.stages.translate import to_uint8
from udas_tf.taxonomy import IGNORE

IMAGES = 3  # validation and pseudo-labelled images shown
PAIRS = 4  # translations and mixtures shown


def report(config, run_dir: RunDir) -> dict:
    """Writes the table, the figures and the page of a run's finished rows into `run_dir.report`.

    table.txt, table.md, table.csv, report.json (what is returned), report.html (self-contained), figures/.

    Returns:
      {"rows": [{"name", "stage", "round", "step", "images", "miou", "pixel_accuracy", "iou"}, ...]}, in the
      table's order; scores are fractions.
    """
    finished = rounds.finished_rows(config, run_dir)
    if not finished:
        command = f"bin/udas run --workdir={run_dir.path}"
        raise UserError(f"{run_dir.path} has no trained row to report; run first: {command}")
    rows = [{"name": row.name, **read_json(run_dir.training(row.name) / METRICS)} for row in finished]
    shown = page.Page(
        run=str(run_dir.path),
        rows=rows,
        trained_on={row.name: _trained_on(config, row) for row in finished},
        classes=networks.class_set(config),
        chart=figures.miou_chart(rows),
        predictions=_predictions(config, run_dir, finished),
        translated=_translated(run_dir),
        cutmix=_cutmix(config, run_dir),
        pseudo_labels=list(_pseudo_labels(config, run_dir)),
        config=configs.flatten(config),
        versions=_versions(),
    )
    _write(run_dir.report, shown)
    return {"rows": rows}


def _write(directory: Path, shown: page.Page) -> None:
    (directory / "figures").mkdir(parents=True, exist_ok=True)
    (directory / "figures" / "miou.png").write_bytes(shown.chart)
    for sheet in shown.sheets():
        (directory / "figures" / f"{sheet.name}.png").write_bytes(figures.png(sheet.mosaic()))
    texts = {
        "table.txt": tables.score_table(shown.rows) + "\n",
        "table.md": tables.score_markdown(shown.rows),
        "table.csv": tables.score_csv(shown.rows),
        "report.html": page.render(shown),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    write_json(directory / "report.json", {"rows": shown.rows})


def _predictions(config, run_dir: RunDir, finished: list[rounds.Row]) -> list[Sheet]:
    """A sheet for each of a few validation images: what each row predicts, where it errs, how sure it is."""
    examples = _spread(run_dir.data("target_val"), ("image", "label", "id"), IMAGES)
    images = tf.stack([example["image"] for example in examples])
    network = networks.segmenter(config)
    # One network and one trace for all rows: loading weights changes the values of variables, not the graph.
    predict = tf.function(lambda: inference.confidence_and_class(network, images))
    predicted = {}
    with progress.bar(len(finished), "report", "row") as bar:
        for row in finished:
            networks.load(network, run_dir.training(row.name) / networks.WEIGHTS)
            confidence, ids = predict()
            predicted[row.name] = list(zip(confidence.numpy(), ids.numpy(), strict=True))
            bar.update()
    palette = networks.class_set(config).palette()
    return [
        Sheet(
            f"predictions_{number + 1}",
            example["id"].decode(),
            ("prediction", "errors", "confidence"),
            [(name, *_compared(example, *by_image[number], palette)) for name, by_image in predicted.items()],
            [("input", example["image"]), ("label", palette[example["label"]])],
        )
        for number, example in enumerate(examples)
    ]


def _compared(
    example: dict, confidence: np.ndarray, ids: np.ndarray, palette: np.ndarray
) -> tuple[str, list[np.ndarray]]:
    """The pixel accuracy of a prediction in words, and its panels."""
    image, label = example["image"], example["label"]
    accuracy = (ids == label)[label != IGNORE].mean()
    panels = [palette[ids], figures.error_map(image, label, ids), figures.confidence_map(confidence)]
    return f"{tables.per_cent(accuracy)} %", panels


def _translated(run_dir: RunDir) -> Sheet | None:
    if not is_finished(run_dir.translated):
        return None
    # Translated sets keep the order of the source, so the same places hold the same images.
    lines = [
        (label, "", [example["image"] for example in _spread(directory, ("image",), PAIRS)])
        for label, directory in (("source", run_dir.data("source_train")), ("translated", run_dir.translated))
    ]
    return Sheet("translated", "Source in the target's style", (), lines)


def _cutmix(config, run_dir: RunDir) -> Sheet | None:
    """Mixtures as the row "cutmix" trains on, but without augmentation, which would hide the seams."""
    labelled = run_dir.data("target_labelled")
    if not (is_finished(run_dir.translated) and is_finished(labelled)):
        return None
    loading = pipeline.Loading(PAIRS, config.seed, 0, 4 * PAIRS, cache=False)
    unlabelled = run_dir.data("target_unlabelled")
    batches = pipeline.adaptation(loading, run_dir.translated, unlabelled, labelled, "none", "none")
    mixed = next(iter(batches))["source"]
    palette = networks.class_set(config).palette()
    lines = [
        ("image", "", list(to_uint8(mixed["image"]).numpy())),
        ("label", "", list(palette[mixed["label"].numpy()])),
    ]
    return Sheet("cutmix", "Mixed images and labels", (), lines)


def _pseudo_labels(config, run_dir: RunDir) -> Iterator[page.PseudoLabels]:
    palette = networks.class_set(config).palette()
    for number in itertools.count(1):
        directory = run_dir.pseudo_labels(number)
        if not is_finished(directory):
            return
        audit_file = directory.parent / pseudo_label.AUDIT
        audit = read_json(audit_file) if audit_file.is_file() else None
        thresholds = pseudo_label.thresholds(config, run_dir, number)
        lines = []
        for example in _spread(directory, ("image", "label", "confidence", "id"), IMAGES):
            kept = pseudo_labels.mask(example["label"], example["confidence"], thresholds).numpy()
            confidence = figures.confidence_map(example["confidence"] / 255.0)
            panels = [example["image"], palette[kept], confidence]
            share = tables.per_cent((kept != IGNORE).mean())
            lines.append((example["id"].decode(), f"{share} % kept", panels))
        columns = ("image", "pseudo-label, kept pixels", "confidence")
        sheet = Sheet(f"pseudo_labels_{number}", f"Round {number}", columns, lines)
        yield page.PseudoLabels(number, sheet, audit)


def _spread(directory: Path, fields: Sequence[str], count: int) -> list[dict[str, np.ndarray]]:
    """At most `count` records, spread evenly over a set: the same ones every time."""
    batches, manifest = pipeline.evaluation(directory, 1, fields)
    chosen = batches.shard(max(1, manifest["count"] // count), 0).take(count)
    return [{field: value[0] for field, value in batch.items()} for batch in chosen.as_numpy_iterator()]


def _trained_on(config, row: rounds.Row) -> str:
    """What a row's segmenter was trained on, and from which weights, in words."""
    source = "source images in the target's style" if row.translated else "source images"
    if row.mixed:
        source += ", mixed with the labelled target images"
    match row.stage:
        case "source":
            words = source
        case "uda":
            words = f"{source}; adversarially adapted to the unlabelled target images"
        case "student":
            words = f"{source}; target images with pseudo-labels of {rounds.teacher(config, row.round).name}"
        case "supervised":
            words = "the labelled target images alone"
    start = rounds.start(config, row)
    return words if start is None else f"{words}; starts from {start.name}"


def _versions() -> dict[str, str]:
    modules = (udas_tf, tf, keras, np)
    return {"python": platform.python_version()} | {module.__name__: module.__version__ for module in modules}
