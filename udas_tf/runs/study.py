"""A study: many runs below one directory that differ in a few keys, and share what these keys do not change."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from absl import logging
from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import processes, typed_json
from udas_tf.devices import cores
from udas_tf.errors import UserError
from udas_tf.evaluation.scores import Scores
from udas_tf.run import open_run, save
from udas_tf.run_dir import RunDir
from udas_tf.runs import pool, reuse, rows
from udas_tf.runs.report import REPORT

BASELINE, SUPERVISED = "no_adaptation", "supervised"
RESULT = "result.json"  # in the directory of a run of a study, written when all of it is done

Study = tuple[ConfigDict, RunDir]
Directories = Sequence[str | os.PathLike[str]]


@dataclasses.dataclass(frozen=True)
class Result:
    """The scores of a run's rows, in the table's order."""

    rows: list[Scores]


def seeded(config: ConfigDict, seed: int) -> ConfigDict:
    """The config with this seed, which also draws which images are labelled first."""
    return configs.override(config, {"seed": seed, "data.target.label_seed": seed})


def only_last(config: ConfigDict, *others: str) -> ConfigDict:
    """The config with the baseline, its last adapted row, the rows `others`, all that these need, and no other row."""
    wanted: set[str] = set()

    def add(row: rows.Row) -> None:
        for needed in (row.start, row.teacher):
            if needed is not None:
                add(rows.named(config, needed))
        wanted.add(row.definition)

    for name in (BASELINE, *others):
        add(rows.named(config, name))
    add(last_row(config))
    # Rows that the table lacks, such as the baseline, come first.
    order = dict.fromkeys([*(name for name in config.row if name not in config.rows), *config.rows])
    return configs.override(config, {"rows": tuple(name for name in order if name in wanted)})


def last_row(config: ConfigDict) -> rows.Row:
    """The row of the whole method: the last of the table that does not learn from target labels alone.

    Raises:
      UserError: the table has none.
    """
    adapted = [row for row in rows.rows(config) if "labelled" not in row.reads]
    if not adapted:
        raise UserError(f"rows={','.join(config.rows)} adapts no network; add a row such as adaptation")
    return adapted[-1]


def last_scores(config: ConfigDict, scores: Sequence[Scores]) -> Scores:
    """The scores of `last_row`, or of the last row before it that was trained, where the rounds ended early."""
    adapted = {row.name for row in rows.rows(config) if "labelled" not in row.reads}
    return [one for one in scores if one.name in adapted][-1]


def done(study: Study, taken_from: Directories, threads: int | None = None, line: int = 0) -> list[Scores]:
    """Runs what is missing of one run of the study. RESULT in its directory marks a run that is done.

    Args:
      study: config and directory of the run.
      taken_from: directories of other runs, or with runs below them; the run links what they have finished and it
        would make alike.
      threads, line: of `processes.begin`.

    Returns:
      The scores of its rows.

    Raises:
      KeyboardInterrupt, UserError, RuntimeError: the run failed (`processes.check`).
    """
    config, run_dir = study
    result = run_dir.path / RESULT
    if not result.is_file() or configs.differences(configs.load(run_dir.config), config):
        result.unlink(missing_ok=True)
        run = open_run(config, run_dir)
        save(run)
        linked = reuse.share(run, reuse.runs_in(taken_from))
        logging.info("%s links %s from other runs", run_dir.path, ", ".join(map(str, linked)) or "nothing")
        run_alone(run_dir, threads, line)
        typed_json.write(result, typed_json.read(run_dir.report / REPORT, Result))
    return typed_json.read(result, Result).rows


def side_by_side(studies: Sequence[Study], taken_from: Directories) -> list[list[Scores]]:
    """The scores of runs that make nothing in common, as `done` returns them.

    As many runs go at a time as the configs have `jobs`, each on its share of the cores: a student waits for its
    teacher, so one run alone would leave cores idle.
    """
    at_once = min((pool.at_once(config) for config, _ in studies), default=1)
    lines: SimpleQueue[int] = SimpleQueue()  # of the terminal, those that no run shows its progress on
    for line in range(at_once):
        lines.put(line)

    def make(study: Study) -> list[Scores]:
        line = lines.get()
        try:
            return done(study, taken_from, max(1, cores() // at_once), line)
        finally:
            lines.put(line)

    with ThreadPoolExecutor(at_once) as executor:
        try:
            return list(executor.map(make, studies))
        except KeyboardInterrupt:
            processes.end()  # the executor's threads wait for these processes
            raise


def run_alone(run_dir: RunDir, threads: int | None = None, line: int = 0) -> None:
    """`udas run` with the config saved in the directory, in a process of its own; its output goes to standard error.

    TensorFlow frees what it has compiled only when its process ends; a study of many runs would run out of memory.

    Raises:
      KeyboardInterrupt, UserError, RuntimeError: it failed (`processes.check`).
    """
    process = processes.begin(["run", f"--workdir={run_dir.path}"], threads, line, stdout=2)
    processes.check(f"the run in {run_dir.path}", processes.wait(process))
