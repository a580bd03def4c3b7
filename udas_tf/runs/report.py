"""Gathers what a run has finished so far into a table, figures and a page."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import udas_tf
from udas_tf import confidence, inference, networks, plugins, progress, translation, typed_json
from udas_tf import config as configs
from udas_tf.config import METHODS
from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.evaluation.evaluate import sealed_score
from udas_tf.evaluation.score_card import cards, same_but_for_the_seed
from udas_tf.evaluation.scores import Card, Scores
from udas_tf.pseudo_labels import audit, labelling
from udas_tf.report import figures, page, tables
from udas_tf.report.figures import Sheet
from udas_tf.run import Run
from udas_tf.run_dir import is_finished
from udas_tf.runs.plan import TRANSLATE, finished_rows, labelled_rows
from udas_tf.runs.rows import Row
from udas_tf.runs.training import audit_rounds, sets_of, stop_reason, task_of
from udas_tf.taxonomy import IGNORE
from udas_tf.training.callbacks import warnings_of

REPORT = "report.json"
IMAGES = 3  # validation and pseudo-labelled images shown
PAIRS = 4  # translations and mixtures shown


@dataclasses.dataclass(frozen=True)
class Report:
    """The scores of a run's finished rows, in the table's order."""

    rows: list[Scores]


@dataclasses.dataclass(frozen=True)
class Health:
    """Warnings of a run, each as (where, text), and every score of each row."""

    warnings: list[tuple[str, str]]
    cards: list[Card]


def report(run: Run, other_runs: Sequence[str] = ()) -> list[Scores]:
    """Writes the table, the figures and the page of a run's finished rows into `RunDir.report`.

    The files are table.txt, table.md, table.csv, report.json, health.json, report.html (self-contained) and figures/.

    Args:
      other_runs: directories of runs of the same config with other seeds, for the score card.

    Returns:
      The scores of the rows, in the table's order.

    Raises:
      UserError: no row is trained, or another run differs in more than its seed.
    """
    finished = finished_rows(run)
    if not finished:
        command = f"bin/udas run --workdir={run.dir.path}"
        raise UserError(f"{run.dir.path} has no trained row to report; run first: {command}")
    others = same_but_for_the_seed(run.config, run.dir, other_runs)
    # Artefacts that are linked from another run come without their audits and checks.
    for row in labelled_rows(run):
        audit_rounds(run, row)
    if is_finished(run.dir.translated):
        translation.write_check(run)
    scores = [sealed_score(run.dir, row.name) for row in finished]
    colours = {row.name: _declared(row, "COLOUR") for row in finished}
    content = page.Page(
        run=str(run.dir.path),
        rows=scores,
        trained_on={row.name: trained_on(row) for row in finished},
        classes=run.classes,
        chart=figures.miou_chart(scores, colours),
        cards=cards(run.dir, [row.name for row in finished], others),
        size=tuple(run.config.data.size),
        warnings=list(_warnings(run, finished)),
        predictions=_predictions(run, finished),
        translated=_translated(run),
        check=translation.check_of(run.dir),
        changed=_changed(run),
        batches=list(_batches(run)),
        pseudo_labels=list(_pseudo_labels(run)),
        config=configs.flatten(run.config),
        versions=_versions(),
    )
    _write(run.dir.report, content)
    return scores


def _write(directory: Path, content: page.Page) -> None:
    (directory / "figures").mkdir(parents=True, exist_ok=True)
    (directory / "figures" / "miou.png").write_bytes(content.chart)
    for sheet in content.sheets():
        (directory / "figures" / f"{sheet.name}.png").write_bytes(figures.png(sheet.mosaic()))
    texts = {
        "table.txt": tables.score_table(content.rows) + "\n",
        "table.md": tables.score_markdown(content.rows),
        "table.csv": tables.score_csv(content.rows),
        "report.html": page.render(content),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    typed_json.write(directory / "health.json", Health(list(content.warnings), list(content.cards)))
    typed_json.write(directory / REPORT, Report(list(content.rows)))


def _warnings(run: Run, finished: list[Row]) -> Iterator[tuple[str, str]]:
    """(where, text) of the warnings of trainings and of pseudo-labels, and why the rounds ended."""
    for name in (TRANSLATE, *(row.name for row in finished)):
        for warning in warnings_of(run.dir, name):
            yield f"{name}, step {warning.step}", warning.text
    labelled = labelled_rows(run)
    for row in labelled:
        audited = audit.read(run.dir, row.name)
        for text in audited.warnings if audited else ():
            yield f"pseudo-labels for {row.name}", text
    last_rounds = {row.definition: row for row in labelled}
    for definition, row in last_rounds.items():
        if reason := stop_reason(run, row, row.round or 1):
            yield f"rounds of {definition}", reason


def _predictions(run: Run, finished: list[Row]) -> list[Sheet]:
    """A sheet for each of a few validation images: prediction, errors and confidence of each row."""
    examples = _spread(run.dir.data("target_val"), ("image", "label", "id"), IMAGES)
    images = tf.stack([example["image"] for example in examples])
    network = networks.untrained(run.config, len(run.classes))
    # One network and one trace serve all rows: loading weights changes the values of variables, not the graph.
    predict = tf.function(lambda: inference.confidence_and_class(network, images), autograph=False)
    predicted = {}
    with progress.bar(len(finished), "report", "row") as bar:
        for row in finished:
            networks.load(network, run.dir.training(row.name) / networks.SEGMENTER)
            certainty, ids = predict()
            predicted[row.name] = list(zip(certainty.numpy(), ids.numpy(), strict=True))
            bar.update()
    palette = run.classes.palette()
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
    example: Mapping[str, Any], certainty: np.ndarray, ids: np.ndarray, palette: np.ndarray
) -> tuple[str, list[np.ndarray]]:
    """The pixel accuracy of a prediction in words, and its panels."""
    image, label = example["image"], example["label"]
    known = label != IGNORE
    accuracy = float((ids == label)[known].mean()) if known.any() else None
    panels = [palette[ids], figures.error_map(image, label, ids), figures.confidence_map(certainty)]
    return f"{tables.per_cent(accuracy)} %", panels


def _translated(run: Run) -> Sheet | None:
    """A few source images above their translations; None without translations."""
    if not is_finished(run.dir.translated):
        return None
    translated = _spread(run.dir.translated, ("image", "id"), PAIRS)
    sources = _named(run.dir.data("source_train"), ("image", "id"), [example["id"] for example in translated])
    lines = [
        ("source", "", [sources[example["id"]]["image"] for example in translated]),
        ("translated", "", [example["image"] for example in translated]),
    ]
    return Sheet("translated", "Source in the target's style", (), lines)


def _changed(run: Run) -> Sheet | None:
    """The images whose translation changed the class of most pixels, rejected or not; None without a check."""
    check, judge = translation.check_of(run.dir), run.config[TRANSLATE].judge
    if check is None or not all(is_finished(run.dir.training(name)) for name in (TRANSLATE, judge)):
        return None  # not checked, or a translation made elsewhere and linked here
    worst = dict(check.worst[:IMAGES])
    names = [name.encode() for name in worst]
    sources = _named(run.dir.data("source_train"), ("image", "label", "id"), names)
    network = networks.trained_segmenter(run, judge)
    translate = translation.generator(run)
    palette = run.classes.palette()
    lines = []
    for name, changed in worst.items():
        image, label = (sources[name.encode()][field] for field in ("image", "label"))
        translated = translate(tf.constant(image[np.newaxis]))[0].numpy()
        _, seen = inference.confidence_and_class(network, tf.stack([image, translated]))
        before, after = seen.numpy()
        difference = figures.error_map(image, np.where(label == IGNORE, IGNORE, before), after)
        fate = "rejected" if name in check.rejected_ids else "passed"
        panels = [image, translated, palette[before], palette[after], difference]
        lines.append((name, f"{tables.per_cent(changed)} % changed, {fate}", panels))
    columns = ("source", "translated", "classes before", "classes after", "changed")
    return Sheet("changed", "The images whose classes translation changed most", columns, lines)


def _batches(run: Run) -> Iterator[Sheet]:
    """A batch of the first row that mixes domains, and one of the last row that learns from pseudo-labels."""
    mixed = [row for row in finished_rows(run) if row.mixed]
    chosen = [*mixed[:1], *labelled_rows(run)[-1:]]
    for row in dict.fromkeys(chosen):
        if _has_sets(run, row):
            yield _batch(run, row)


def _has_sets(run: Run, row: Row) -> bool:
    """Whether the sets that a row has learnt from are still there."""
    try:
        return bool(sets_of(run, row))
    except UserError:
        return False


def _batch(run: Run, row: Row) -> Sheet:
    """A training batch of a row, but without augmentation, which would hide the seams of mixed images."""
    section = run.config[row.stage]
    plain: dict[str, Any] = {f"{row.stage}.{key}": "none" for key in section if key.startswith("augment")}
    plain |= {f"{row.stage}.scale_range": None, f"{row.stage}.batch_size": PAIRS}
    plain |= {"data.shuffle_buffer": 4 * PAIRS, "data.cache": False, "data.repeat_factor_threshold": None}
    run = run.with_config(configs.override(run.config, plain))
    method = plugins.load(METHODS, row.stage, "stage")
    keras.utils.set_random_seed(run.config.seed + 1)  # as in `training.loop.on_devices`
    batch = next(iter(method.batches(task_of(run, row, sets_of(run, row)), 0)))
    palette = run.classes.palette()
    lines = []
    for name, part in (batch if "image" not in batch else {"labelled": batch}).items():
        lines.append((f"{name} image", "", list(part["image"].numpy())))
        if "label" in part:
            lines.append(("label", "", list(palette[part["label"].numpy()])))
    return Sheet(f"batch_{row.name}", f"What {row.name} learns from", (), lines)


def _pseudo_labels(run: Run) -> Iterator[page.PseudoLabels]:
    """A sheet for each row that learns from pseudo-labels: a few of them, what is kept, and where it is wrong."""
    palette, section = run.classes.palette(), run.config.pseudo_label
    for row in labelled_rows(run):
        directory = run.dir.pseudo_labels(row.name)
        histogram = labelling.histogram(directory)
        thresholds = confidence.class_thresholds(histogram, section.threshold, section.min_class_fraction)
        examples = _spread(directory, ("image", "label", "confidence", "id"), IMAGES)
        truth: dict[bytes, dict[str, np.ndarray]] = {}
        for known in audit.known_labels(run.dir).values():
            truth |= _named(known, ("label", "id"), [example["id"] for example in examples])
        lines = []
        for example in examples:
            kept = confidence.mask(example["label"], example["confidence"], thresholds).numpy()
            panels = [example["image"], palette[kept], figures.confidence_map(example["confidence"] / 255.0)]
            if truth:
                unknown = {"label": np.full_like(kept, IGNORE)}
                label = np.where(kept == IGNORE, IGNORE, truth.get(example["id"], unknown)["label"])
                panels.append(figures.error_map(example["image"], label, kept))
            share = tables.per_cent((kept != IGNORE).mean())
            lines.append((example["id"].decode(), f"{share} % kept", panels))
        columns = ["image", "pseudo-label, kept pixels", "confidence"]
        columns += ["errors, kept pixels"] if truth else []
        sheet = Sheet(f"pseudo_labels_{row.name}", f"For {row.name}", columns, lines)
        yield page.PseudoLabels(row.name, sheet, audit.read(run.dir, row.name))


def _spread(directory: Path, fields: Sequence[str], count: int) -> list[dict[str, Any]]:
    """At most `count` records, spread evenly over a set: the same ones every time."""
    batches, manifest = pipeline.evaluation(directory, 1, fields)
    chosen = batches.shard(max(1, manifest.count // count), 0).take(count)
    return [{field: value[0] for field, value in batch.items()} for batch in chosen.as_numpy_iterator()]


def _named(directory: Path, fields: Sequence[str], names: Sequence[bytes]) -> dict[bytes, dict[str, np.ndarray]]:
    """The records of a set with these ids; `fields` holds "id"."""
    wanted = set(names)
    chosen: dict[bytes, dict[str, np.ndarray]] = {}
    batches, _ = pipeline.evaluation(directory, 1, fields)
    for batch in batches.as_numpy_iterator():
        if batch["id"][0] in wanted:
            chosen[batch["id"][0]] = {field: value[0] for field, value in batch.items()}
            if len(chosen) == len(wanted):
                break
    return chosen


def trained_on(row: Row) -> str:
    """What a row's segmenter was trained on, and from which weights, in words."""
    source = "source images in the target's style" if row.translated else "source images"
    if row.mixed:
        source += ", mixed with the labelled target images"
    words = _declared(row, "LEARNS").format(source=source, teacher=row.teacher)
    return words if row.start is None else f"{words}; starts from {row.start}"


def _declared(row: Row, constant: str) -> str:
    return plugins.declarations(METHODS, row.stage).constants[constant]


def _versions() -> dict[str, str]:
    modules = (udas_tf, tf, keras, np)
    return {"python": platform.python_version()} | {module.__name__: module.__version__ for module in modules}
