"""The data-dependency study: what each number of labelled target images is worth."""

from __future__ import annotations

import os
from collections.abc import Sequence

from udas_tf import config as configs
from udas_tf.data import datasets
from udas_tf.errors import UserError
from udas_tf.report import figures, label_curve
from udas_tf.report.label_curve import Curve, Point
from udas_tf.run_dir import RunDir, write_json
from udas_tf.stages import budgets, networks, rounds, study
from udas_tf.stages.budgets import Budget

RESULTS = "sweep"  # directory of the table and the plot, below the workdir


def sweep(
    config,
    run_dir: RunDir,
    labels: Sequence[Budget],
    seeds: Sequence[int],
    reuse: Sequence[str | os.PathLike[str]] = (),
) -> dict:
    """Trains the row supervised and the whole method with each label budget and each seed, and says what labels buy.

    Every seed orders the labelled images of the target, and a budget is the first of these, so that the images of a
    smaller one are among those of a larger one. Each pair is a run of its own in WORKDIR/seed-S/labels-N; what does not
    follow from the labels is made by the first of a seed and linked into the others. What is finished is not done again.
    After each seed, table.txt, table.md, table.csv, sweep.json and curve.png are written into WORKDIR/sweep.

    Args:
      config: `data.target.labelled` and `label_seed`, `seed` and `rows` are the study's to set.
      run_dir: the workdir.
      labels: the budgets.
      seeds: at least one.
      reuse: other directories of runs, or with runs below them, whose finished work is linked where it is the same.

    Returns:
      What is in sweep.json: see `udas_tf.report.label_curve.document`.
    """
    # Every run is checked before the first is trained.
    planned = [(seed, _runs(study.seeded(config, seed), run_dir, seed, labels)) for seed in seeds]
    points: list[Point] = []
    for seed, runs in planned:
        points.extend(_points(seed, runs, [run_dir.path, *reuse]))
        curve = Curve(points, _available(study.seeded(config, seed)))
        _write(curve, run_dir)
    return label_curve.document(curve)


def _runs(config, run_dir: RunDir, seed: int, labels: Sequence[Budget]) -> list[tuple[int, object, RunDir]]:
    """(labelled images, config, directory) of the runs of a seed, the most labels first."""
    available = _available(config)
    counts = sorted({budgets.images(budget, available) for budget in labels}, reverse=True)
    runs = []
    for count in counts:
        changes = {"data.target.labelled": str(-1 if count == available else count)}
        if count == 0 and config.student.teacher == "cutmix":
            changes["student.teacher"] = ""  # which without labels is the adaptation that mixes none in
        changed = study.only_final(configs.override(config, changes), study.SUPERVISED)
        rounds.rows(changed)
        runs.append((count, changed, RunDir(run_dir.path / f"seed-{seed}" / f"labels-{count}")))
    return runs


def _available(config) -> int:
    """Target images with labels."""
    available = len(datasets.target_train(config, networks.class_set(config)).labelled)
    if available == 0:
        raise UserError("no training image of the target has a label; there is nothing to sweep over")
    return available


def _points(
    seed: int, runs: Sequence[tuple[int, object, RunDir]], pool: Sequence[str | os.PathLike[str]]
) -> list[Point]:
    """The points of a seed. The first run makes what the others take from it."""
    counts, configs_and_directories = [run[0] for run in runs], [run[1:] for run in runs]
    first, *others = configs_and_directories
    reports = [study.finished(*first, pool), *study.side_by_side(others, pool)]
    return [_point(count, seed, rows) for count, rows in zip(counts, reports, strict=True)]


def _point(count: int, seed: int, rows: Sequence[dict]) -> Point:
    by_name = {row["name"]: row for row in rows}
    final = study.final(rows)
    return Point(
        labels=count,
        seed=seed,
        images=final["images"],
        method=final["name"],
        udas=final["miou"],
        supervised=by_name[study.SUPERVISED]["miou"] if study.SUPERVISED in by_name else None,
        baseline=by_name[study.BASELINE]["miou"],
    )


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
    write_json(directory / "sweep.json", label_curve.document(curve))
