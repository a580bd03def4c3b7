"""The data-dependency study: what each number of labelled target images is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import typed_json
from udas_tf.data import run_splits
from udas_tf.errors import UserError
from udas_tf.evaluation.scores import Scores
from udas_tf.report import figures, label_curve
from udas_tf.report.label_curve import Curve, Point
from udas_tf.run import Run
from udas_tf.run_dir import RunDir
from udas_tf.runs import budgets, rows, study
from udas_tf.runs.budgets import Budget

RESULTS = "sweep"  # directory of the table and the plot, below the workdir


def sweep(run: Run, labels: Sequence[Budget], seeds: Sequence[int], reuse: study.Directories = ()) -> dict[str, Any]:
    """Trains the row "supervised" and the whole method with each label budget and each seed; compares their scores.

    A seed puts the labelled images of the target in an order, and a budget takes the first of them, so the images of a
    smaller budget are among those of a larger one. Each pair of seed and budget is a run of its own in
    WORKDIR/seed-S/labels-N. The first run of a seed makes what does not depend on the labels, and the others link it.
    What is finished is not done again. After each seed, table.txt, table.md, table.csv, sweep.json and curve.png are
    written into WORKDIR/sweep.

    Args:
      run: the sweep sets `seed`, `rows`, `data.target.labelled` and `data.target.label_seed` of its config.
      labels: the budgets.
      seeds: at least one.
      reuse: other directories of runs, or with runs below them, whose finished work is linked where it is the same.

    Returns:
      The content of sweep.json: see `udas_tf.report.label_curve.document`.

    Raises:
      UserError: a budget or a row cannot be had, before anything is trained; or a run failed.
    """
    # Every run is checked before the first is trained.
    planned = [(seed, _runs(run, seed, labels)) for seed in seeds]
    points: list[Point] = []
    for seed, runs in planned:
        points.extend(_points(seed, runs, [run.dir.path, *reuse]))
        curve = Curve(points, _available(run.with_config(study.seeded(run.config, seed))))
        _write(curve, run.dir)
    return label_curve.document(curve)


def _runs(run: Run, seed: int, labels: Sequence[Budget]) -> list[tuple[int, ConfigDict, RunDir]]:
    """(labelled images, config, directory) of the runs of a seed, the most labels first."""
    config = study.seeded(run.config, seed)
    available = _available(run.with_config(config))
    counts = sorted({budgets.images(budget, available) for budget in labels}, reverse=True)
    runs = []
    for count in counts:
        labelled = None if count == available else count
        changed = configs.override(config, {"data.target.labelled": labelled})
        changed = study.only_last(changed, study.SUPERVISED)
        rows.rows(changed)  # raises for rows that cannot be trained
        runs.append((count, changed, RunDir(run.dir.path / f"seed-{seed}" / f"labels-{count}")))
    return runs


def _available(run: Run) -> int:
    """Number of target images with labels."""
    available = len(run_splits.target_train(run.config, run.classes).labelled)
    if available == 0:
        raise UserError("no training image of the target has a label; there is nothing to sweep over")
    return available


def _points(seed: int, runs: Sequence[tuple[int, ConfigDict, RunDir]], taken_from: study.Directories) -> list[Point]:
    """The points of a seed. The first run makes what the others link from it."""
    first, *others = [(config, run_dir) for _, config, run_dir in runs]
    scores = [study.done(first, taken_from), *study.side_by_side(others, taken_from)]
    return [_point(count, seed, config, of_rows) for (count, config, _), of_rows in zip(runs, scores, strict=True)]


def _point(count: int, seed: int, config: ConfigDict, scores: Sequence[Scores]) -> Point:
    by_name = {one.name: one for one in scores}
    last = study.last_scores(config, scores)
    return Point(
        labels=count,
        seed=seed,
        images=last.images,
        method=last.name,
        udas=_miou(last),
        supervised=_miou(by_name[study.SUPERVISED]) if study.SUPERVISED in by_name else None,
        baseline=_miou(by_name[study.BASELINE]),
    )


def _miou(scores: Scores) -> float:
    if scores.miou is None:
        raise UserError(f"{scores.name} has no mIoU: no pixel of the validation set has a label; see data.target.val")
    return scores.miou


def _write(curve: Curve, run_dir: RunDir) -> None:
    directory = run_dir.path / RESULTS
    directory.mkdir(parents=True, exist_ok=True)
    texts = {
        "table.txt": label_curve.text_table(curve),
        "table.md": label_curve.markdown_table(curve),
        "table.csv": label_curve.csv_table(curve),
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    (directory / "curve.png").write_bytes(figures.label_chart(curve))
    typed_json.write(directory / "sweep.json", label_curve.document(curve))
