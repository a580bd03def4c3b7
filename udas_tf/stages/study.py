"""A study: many runs below one directory, alike but for a few keys, which share what these do not change."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from absl import logging

from udas_tf import config as configs
from udas_tf import processes
from udas_tf.processor import cores
from udas_tf.run_dir import MANIFEST, RunDir, finish, read_json
from udas_tf.stages import jobs, rounds, sharing

BASELINE, SUPERVISED = "no_adaptation", "supervised"
REPORTED = "report.json"  # of a run, see stages/report.py


def seeded(config, seed: int):
    """The config with this seed, of its random draws and of which images are labelled first."""
    return configs.override(config, {"seed": str(seed), "data.target.label_seed": str(seed)})


def only_final(config, *others: str):
    """The config with only the rows that its last student takes, the baseline, and others by name."""
    teacher = rounds.first_teacher(config)
    start = rounds.start(config, teacher)
    names = dict.fromkeys([BASELINE, *others, *([start.name] if start else []), teacher.name])
    return configs.override(config, {"rows": ",".join(names)})


def final(rows: Sequence[dict]) -> dict:
    """Of a run's reported rows, that of the whole method: the last student, or without students the last adaptation."""
    return [row for row in rows if row["stage"] != "supervised"][-1]


def finished(
    config,
    run_dir: RunDir,
    pool: Sequence[str | os.PathLike[str]],
    threads: int | None = None,
    line: int = 0,
) -> list[dict]:
    """A run of the study, done as far as it is not; a manifest in its directory says when all of it is.

    Args:
      config: of this run.
      run_dir: of this run.
      pool: directories of runs, or with runs below them, whose finished work this one takes where it would be the same.
      threads: see `processes.begin`.
      line: likewise.

    Returns:
      The rows of its report.
    """
    manifest = run_dir.path / MANIFEST
    if not manifest.is_file() or configs.differences(configs.load(run_dir.config), config):
        manifest.unlink(missing_ok=True)
        configs.save(config, run_dir.config)
        linked = sharing.share(config, run_dir, sharing.runs_in(pool))
        logging.info("%s takes %s from other runs", run_dir.path, ", ".join(map(str, linked)) or "nothing")
        run_alone(run_dir, threads, line)
        finish(run_dir.path, {"rows": read_json(run_dir.report / REPORTED)["rows"]})
    return read_json(manifest)["rows"]


def side_by_side(
    runs: Sequence[tuple[object, RunDir]], pool: Sequence[str | os.PathLike[str]]
) -> list[list[dict]]:
    """`finished` of (config, directory) that have nothing to make in common: as many at a time as there are `jobs` of the
    configs, each on its share of the cores. A student waits for its teacher, so one run alone would leave cores idle.
    """
    at_once = min((jobs.at_once(config) for config, _ in runs), default=1)
    lines = SimpleQueue()  # of the terminal, those that no run has its progress on
    for line in range(at_once):
        lines.put(line)

    def make(run: tuple[object, RunDir]) -> list[dict]:
        line = lines.get()
        try:
            return finished(*run, pool, max(1, cores() // at_once), line)
        finally:
            lines.put(line)

    with ThreadPoolExecutor(at_once) as executor:
        try:
            return list(executor.map(make, runs))
        except KeyboardInterrupt:
            processes.end()  # the threads wait for them
            raise


def run_alone(run_dir: RunDir, threads: int | None = None, line: int = 0) -> None:
    """`udas run` with the config saved in the directory, in a process of its own; what it prints goes to standard error.

    TensorFlow keeps what it compiled for a training until its process ends, which no study of many runs could afford.

    Raises:
      KeyboardInterrupt, UserError, RuntimeError: it failed (`processes.check`).
    """
    process = processes.begin(["run", f"--workdir={run_dir.path}"], threads, line, stdout=2)
    processes.check(f"the run in {run_dir.path}", processes.wait(process))
