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
from udas_tf.stages import health, networks, pseudo_label, rounds, score_card
from udas_tf.stages import translate as translating
from udas_tf.stages.evaluate import METRICS
from udas_tf.taxonomy import IGNORE

IMAGES = 3  # validation and pseudo-labelled images shown
PAIRS = 4  # translations and mixtures shown


def report(config, run_dir: RunDir, other_runs: Sequence[str] = ()) -> dict:
    """Writes the table, the figures and the page of a run's finished rows into `run_dir.report`.

    table.txt, table.md, table.csv, report.json (what is returned), health.json (warnings and every other score by its
    name), report.html (self-contained), figures/.

    Args:
      other_runs: directories of runs of the same config with other seeds, for the score card.

    Returns:
      {"rows": [{"name", "stage", "round", "step", "images", "miou", "pixel_accuracy", "iou"}, ...]}, in the
      table's order; scores are fractions.
    """
    finished = rounds.finished_rows(config, run_dir)
    if not finished:
        command = f"bin/udas run --workdir={run_dir.path}"
        raise UserError(f"{run_dir.path} has no trained row to report; run first: {command}")
    others = score_card.same_but_for_the_seed(config, run_dir, other_runs)
    rows = [{"name": row.name, **read_json(run_dir.training(row.name) / METRICS)} for row in finished]
    shown = page.Page(
        run=str(run_dir.path),
        rows=rows,
        trained_on={row.name: _trained_on(config, row) for row in finished},
        classes=networks.class_set(config),
        chart=figures.miou_chart(rows),
        card=score_card.card(run_dir, finished, others),
        size=tuple(config.data.size),
        warnings=list(_warnings(config, run_dir, finished)),
        predictions=_predictions(config, run_dir, finished),
        translated=_translated(run_dir),
        check=translating.check(run_dir),
        changed=_changed(config, run_dir),
        cutmix=_cutmix(config, run_dir),
        student_batch=_student_batch(config, run_dir),
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
    write_json(directory / "health.json", {"warnings": shown.warnings, "card": shown.card})
    write_json(directory / "report.json", {"rows": shown.rows})


def _warnings(config, run_dir: RunDir, finished: list[rounds.Row]) -> Iterator[tuple[str, str]]:
    """Where and what: of trainings, of pseudo-labels, and why the rounds ended."""
    for name in ("translate", *(row.name for row in finished)):
        for warning in health.of_training(run_dir, name):
            yield f"{name}, step {warning['step']}", warning["text"]
    last = 0
    for last, audit in _audits(run_dir):
        for text in audit["warnings"]:
            yield f"pseudo-labels of round {last}", text
    if reason := health.stop_reason(config, run_dir, last):
        yield "rounds", reason


def _audits(run_dir: RunDir) -> Iterator[tuple[int, dict]]:
    for number in itertools.count(1):
        file = health.audit_file(run_dir, number)
        if not file.is_file():
            return
        yield number, read_json(file)


def _predictions(config, run_dir: RunDir, finished: list[rounds.Row]) -> list[Sheet]:
    """A sheet for each of a few validation images: what each row predicts, where it errs, how sure it is."""
    examples = _spread(run_dir.data("target_val"), ("image", "label", "id"), IMAGES)
    images = tf.stack([example["image"] for example in examples])
    network = networks.segmenter(config)
    # One network and one trace for all rows: loading weights changes the values of variables, not the graph.
    predict = tf.function(lambda: inference.confidence_and_class(network, images), autograph=False)
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
    translated = _spread(run_dir.translated, ("image", "id"), PAIRS)
    sources = _named(run_dir.data("source_train"), ("image", "id"), [example["id"] for example in translated])
    lines = [
        ("source", "", [sources[example["id"]]["image"] for example in translated]),
        ("translated", "", [example["image"] for example in translated]),
    ]
    return Sheet("translated", "Source in the target's style", (), lines)


def _changed(config, run_dir: RunDir) -> Sheet | None:
    """The images whose translation changed most what they show, whether they were rejected or not."""
    check = translating.check(run_dir)
    judging = rounds.judge(config)
    if check is None or judging is None:
        return None
    if not all(is_finished(run_dir.training(name)) for name in ("translate", judging.name)):
        return None  # a translation made elsewhere and linked here
    worst = dict(check["worst"][:IMAGES])
    names = [name.encode() for name in worst]
    sources = _named(run_dir.data("source_train"), ("image", "label", "id"), names)
    network = networks.trained_segmenter(config, run_dir, judging)
    translate = translating.translation(config, run_dir)
    palette = networks.class_set(config).palette()
    lines = []
    for name, changed in worst.items():
        image, label = (sources[name.encode()][field] for field in ("image", "label"))
        translated = translate(tf.constant(image[np.newaxis]))[0].numpy()
        _, seen = inference.confidence_and_class(network, tf.stack([image, translated]))
        before, after = seen.numpy()
        difference = figures.error_map(image, np.where(label == IGNORE, IGNORE, before), after)
        fate = "rejected" if name in check["rejected_ids"] else "passed"
        panels = [image, translated, palette[before], palette[after], difference]
        lines.append((name, f"{tables.per_cent(changed)} % changed, {fate}", panels))
    columns = ("source", "translated", "classes before", "classes after", "changed")
    return Sheet("changed", "Where translation changed most what is seen", columns, lines)


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
        ("image", "", list(mixed["image"].numpy())),
        ("label", "", list(palette[mixed["label"].numpy()])),
    ]
    return Sheet("cutmix", "Mixed images and labels", (), lines)


def _student_batch(config, run_dir: RunDir) -> Sheet | None:
    """What the last student trains on, but without augmentation."""
    last = sum(1 for _ in _audits(run_dir))
    if not last:
        return None
    row = rounds.student(config, last)
    source = run_dir.translated if row.translated else run_dir.data("source_train")
    labelled = run_dir.data("target_labelled") if row.mixed else None
    loading = pipeline.Loading(PAIRS, config.seed, 0, 4 * PAIRS, cache=False)
    batches = pipeline.self_training(
        loading,
        source,
        labelled,
        run_dir.pseudo_labels(last),
        pseudo_label.thresholds(config, run_dir, last),
        "none",
        "none",
        config.student.mix_pseudo,
    )
    batch = next(iter(batches))
    palette = networks.class_set(config).palette()
    lines = [
        line
        for part, words in (("labelled", "labelled"), ("pseudo", "pseudo-labelled"))
        for line in (
            (f"{words} image", "", list(batch[part]["image"].numpy())),
            ("label", "", list(palette[batch[part]["label"].numpy()])),
        )
    ]
    return Sheet("student_batch", f"What {row.name} learns from", (), lines)


def _pseudo_labels(config, run_dir: RunDir) -> Iterator[page.PseudoLabels]:
    palette = networks.class_set(config).palette()
    for number in itertools.count(1):
        directory = run_dir.pseudo_labels(number)
        if not is_finished(directory):
            return
        audit_file = health.audit_file(run_dir, number)
        audit = read_json(audit_file) if audit_file.is_file() else None
        thresholds = pseudo_label.thresholds(config, run_dir, number)
        examples = _spread(directory, ("image", "label", "confidence", "id"), IMAGES)
        truth = {}
        for known in pseudo_label.known_labels(run_dir).values():
            truth |= _named(known, ("label", "id"), [example["id"] for example in examples])
        lines = []
        for example in examples:
            kept = pseudo_labels.mask(example["label"], example["confidence"], thresholds).numpy()
            confidence = figures.confidence_map(example["confidence"] / 255.0)
            panels = [example["image"], palette[kept], confidence]
            if truth:
                unknown = {"label": np.full_like(kept, IGNORE)}
                label = np.where(kept == IGNORE, IGNORE, truth.get(example["id"], unknown)["label"])
                panels.append(figures.error_map(example["image"], label, kept))
            share = tables.per_cent((kept != IGNORE).mean())
            lines.append((example["id"].decode(), f"{share} % kept", panels))
        columns = ["image", "pseudo-label, kept pixels", "confidence"]
        columns += ["errors, kept pixels"] if truth else []
        sheet = Sheet(f"pseudo_labels_{number}", f"Round {number}", columns, lines)
        yield page.PseudoLabels(number, sheet, audit)


def _spread(directory: Path, fields: Sequence[str], count: int) -> list[dict[str, np.ndarray]]:
    """At most `count` records, spread evenly over a set: the same ones every time."""
    batches, manifest = pipeline.evaluation(directory, 1, fields)
    chosen = batches.shard(max(1, manifest["count"] // count), 0).take(count)
    return [{field: value[0] for field, value in batch.items()} for batch in chosen.as_numpy_iterator()]


def _named(
    directory: Path, fields: Sequence[str], names: Sequence[bytes]
) -> dict[bytes, dict[str, np.ndarray]]:
    """The records of a set with these ids; `fields` holds "id"."""
    wanted, found = set(names), {}
    batches, _ = pipeline.evaluation(directory, 1, fields)
    for batch in batches.as_numpy_iterator():
        if batch["id"][0] in wanted:
            found[batch["id"][0]] = {field: value[0] for field, value in batch.items()}
            if len(found) == len(wanted):
                break
    return found


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
