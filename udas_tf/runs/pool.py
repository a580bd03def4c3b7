"""Makes the trainings of a plan, several at a time, each in a process of its own.

A small network keeps few cores busy. On two cores, two trainings of one thread each, side by side, do a third more
steps than one after the other with two threads (docs/performance.md). Each process is a `udas` command that ends with
its training, because TensorFlow frees what it has compiled only when its process ends.
"""

from __future__ import annotations

import shlex
import shutil
import time
from collections.abc import Sequence
from multiprocessing.process import BaseProcess

from absl import logging
from ml_collections import ConfigDict

from udas_tf import devices, processes
from udas_tf.devices import cores
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.runs.plan import Artefact, Kind, Plan
from udas_tf.runs.training import train
from udas_tf.translation import translate

POLL = 0.1  # seconds between two looks at the running processes


def at_once(config: ConfigDict) -> int:
    """Number of trainings at a time: `jobs` of the config but at most the cores of a CPU; one on GPUs."""
    return 1 if devices.gpus() else min(config.jobs, cores())


def make(run: Run, artefacts: Plan, processes_at_once: int) -> None:
    """Makes every training and translated set of a plan that is not made yet.

    The training of a row makes the row's pseudo-labels, too.

    Args:
      run: its config must be saved, for the processes to read it.
      processes_at_once: 1 = one after the other, in this process; more = that many processes, which share the cores.

    Raises:
      KeyboardInterrupt, UserError, RuntimeError: a process failed (`processes.check`). The others are stopped; the same
        command goes on where they were.
    """
    jobs = [artefact for artefact in artefacts if artefact.kind in (Kind.TRAINING, Kind.TRANSLATED)]
    if processes_at_once == 1:
        for job in jobs:
            _make_here(run, job)
        return
    # What a killed run has left there may have been compiled for another processor or TensorFlow.
    shutil.rmtree(run.dir.compiled, ignore_errors=True)
    run.dir.compiled.mkdir(parents=True)
    try:
        _make_beside(jobs, artefacts, run.dir, processes_at_once)
    finally:
        shutil.rmtree(run.dir.compiled)


def _make_here(run: Run, job: Artefact) -> None:
    if job.row is None:  # the translated set
        translate(run)
    else:
        train(run, job.row)


def _make_beside(jobs: Sequence[Artefact], artefacts: Plan, run_dir: RunDir, at_once: int) -> None:
    made = {job.name for job in jobs if is_finished(run_dir.path / job.path)}
    for name in sorted(made):
        logging.info("%s is made already: %s", name, run_dir.path / artefacts[name].path)
    waiting = [job for job in jobs if job.name not in made]
    needs = {job.name: _needed_jobs(job, artefacts) for job in jobs}
    running: dict[int, tuple[Artefact, BaseProcess]] = {}  # by the line that its progress bar has
    try:
        while waiting or running:
            startable = _startable(waiting, needs, made)[: at_once - len(running)]
            threads = max(1, cores() // max(1, len(running) + len(startable)))
            for job in startable:
                waiting.remove(job)
                line = min(set(range(at_once)) - running.keys())
                running[line] = (job, _begin(job, run_dir, threads, line))
            codes = {line: process.exitcode for line, (_, process) in running.items()}
            ended = {line: code for line, code in codes.items() if code is not None}
            for line, code in ended.items():
                job, _ = running.pop(line)
                processes.check(job.name, code)
                made.add(job.name)
            if not ended:
                time.sleep(POLL)
    finally:
        for _, process in running.values():
            process.kill()
            process.join()


def _needed_jobs(job: Artefact, artefacts: Plan) -> set[str]:
    """The jobs that a job waits for: those it needs itself, and those that its pseudo-labels need."""
    needed: set[str] = set()
    for name in job.needs:
        other = artefacts[name]
        if other.kind in (Kind.TRAINING, Kind.TRANSLATED):
            needed.add(name)
        elif other.kind is Kind.PSEUDO_LABELS:
            needed |= _needed_jobs(other, artefacts)
    return needed


def _startable(waiting: Sequence[Artefact], needs: dict[str, set[str]], made: set[str]) -> list[Artefact]:
    """The jobs whose needs are made; first the one that the longest chain of others waits for."""

    def chain(name: str) -> int:
        return 1 + max((chain(other.name) for other in waiting if name in needs[other.name]), default=0)

    ready = [job for job in waiting if made.issuperset(needs[job.name])]
    return sorted(ready, key=lambda job: chain(job.name), reverse=True)


def _begin(job: Artefact, run_dir: RunDir, threads: int, line: int) -> BaseProcess:
    logging.info("%s begins, on %d threads", job.name, threads)
    arguments = [*shlex.split(job.command), f"--workdir={run_dir.path}"]
    return processes.begin(arguments, threads, line, compiled=run_dir.compiled)
