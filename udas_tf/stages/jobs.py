"""A run as jobs: what is made as a whole, what each reads from others, and several at a time.

A small network keeps few cores busy: on two cores, two trainings of one thread each do a third more steps than one
after the other of two threads (docs/performance.md).
"""

from __future__ import annotations

import dataclasses
import shlex
import shutil
import time
from collections.abc import Callable, Sequence
from multiprocessing import Process

import tensorflow as tf
from absl import logging

from udas_tf import processes
from udas_tf.errors import UserError
from udas_tf.processor import cores
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.stages import rounds
from udas_tf.stages.train import train_row, train_translation
from udas_tf.stages.translate import translate

TRANSLATE, TRANSLATED = "translate", "translated"
POLL = 0.1  # seconds between two looks at the running processes


@dataclasses.dataclass(frozen=True)
class Job:
    """A part of a run.

    Attributes:
      name: unique in the run.
      call: makes it, here.
      command: what a user types for it.
      needs: names of the jobs whose artefacts it reads.
      done: whether it is made already.
    """

    name: str
    call: Callable[[], None]
    command: str
    needs: tuple[str, ...] = ()
    done: bool = False


def at_once(config) -> int:
    """How many trainings there are at a time: `jobs` of the config on a CPU with as many cores, one on GPUs."""
    if config.jobs < 1:
        raise UserError(f"jobs={config.jobs}; expected at least 1 training at a time")
    return 1 if tf.config.list_physical_devices("GPU") else min(config.jobs, cores())


def jobs(config, run_dir: RunDir) -> list[Job]:
    """What a run makes once its data is there, in the order of the table, each after what it needs."""
    found: dict[str, Job] = {}
    for row in rounds.rows(config):
        if row.translated and TRANSLATE not in found:
            found |= _translation(config, run_dir, found)
        found.setdefault(row.name, _training(config, run_dir, row))
    return list(found.values())


def make(pending: Sequence[Job], run_dir: RunDir, at_once: int) -> None:
    """Makes what is not made yet.

    Args:
      pending: each after what it needs.
      run_dir: of the run; its config must be saved, since processes of their own read it there.
      at_once: 1 = one after the other, in this process; more = that many processes, which share the cores.

    Raises:
      KeyboardInterrupt, UserError, RuntimeError: a process failed (`processes.check`); the others are stopped and go on
        where they were another time.
    """
    if at_once == 1:
        for job in pending:
            job.call()
        return
    # One left by a run that was killed may be of another processor or TensorFlow.
    shutil.rmtree(run_dir.compiled, ignore_errors=True)
    run_dir.compiled.mkdir(parents=True)
    try:
        _make_beside(pending, run_dir, at_once)
    finally:
        shutil.rmtree(run_dir.compiled)


def _make_beside(pending: Sequence[Job], run_dir: RunDir, at_once: int) -> None:
    waiting = [job for job in pending if not job.done]
    made = {job.name for job in pending if job.done}
    running: dict[int, tuple[Job, Process]] = {}  # by the line that its progress bar has
    try:
        while waiting or running:
            startable = _startable(waiting, made)[: at_once - len(running)]
            threads = max(1, cores() // max(1, len(running) + len(startable)))
            for job in startable:
                waiting.remove(job)
                line = min(set(range(at_once)) - running.keys())
                running[line] = (job, _begin(job, run_dir, threads, line))
            ended = [line for line, (_, process) in running.items() if process.exitcode is not None]
            for line in ended:
                job, process = running.pop(line)
                processes.check(job.name, process.exitcode)
                made.add(job.name)
            if not ended:
                time.sleep(POLL)
    finally:
        for _, process in running.values():
            process.kill()
            process.join()


def _translation(config, run_dir: RunDir, found: dict[str, Job]) -> dict[str, Job]:
    """The jobs of the translation, and of the network that judges it where one does."""
    added, judges = {}, ()
    if row := rounds.judge(config):
        judges = (row.name,)
        if row.name not in found:
            added[row.name] = _training(config, run_dir, row)
    semantic = judges if config.translate.weight_semantic else ()
    trained, translated = run_dir.training("translate"), run_dir.translated
    added[TRANSLATE] = Job(
        TRANSLATE,
        lambda: train_translation(config, run_dir),
        "train --stage=translate",
        semantic,
        is_finished(trained),
    )
    added[TRANSLATED] = Job(
        TRANSLATED,
        lambda: translate(config, run_dir),
        "translate",
        (TRANSLATE, *judges),
        is_finished(translated),
    )
    return added


def _training(config, run_dir: RunDir, row: rounds.Row) -> Job:
    read = [rounds.start(config, row)]
    if row.stage == "student":
        read.append(rounds.teacher(config, row.round))
    needs = [other.name for other in read if other is not None]
    if row.translated:
        needs.append(TRANSLATED)
    return Job(
        row.name,
        lambda: train_row(config, run_dir, row),
        row.command,
        tuple(dict.fromkeys(needs)),
        is_finished(run_dir.training(row.name)),
    )


def _startable(waiting: Sequence[Job], made: set[str]) -> list[Job]:
    """Those whose needs are made, the one first that the longest chain of others waits for."""

    def chain(job: Job) -> int:
        return 1 + max((chain(other) for other in waiting if job.name in other.needs), default=0)

    return sorted((job for job in waiting if made.issuperset(job.needs)), key=chain, reverse=True)


def _begin(job: Job, run_dir: RunDir, threads: int, line: int) -> Process:
    logging.info("%s begins, on %d threads", job.name, threads)
    arguments = [*shlex.split(job.command), f"--workdir={run_dir.path}"]
    return processes.begin(arguments, threads, line, compiled=run_dir.compiled)
