"""Runs `udas` commands in child processes, which end when this process ends.

On Linux a child is a fork of multiprocessing's fork server, which has loaded TensorFlow already. Elsewhere it is a new
interpreter.
"""

from __future__ import annotations

import multiprocessing
import operator
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection, forkserver, reduction
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from udas_tf import progress
from udas_tf.errors import INTERRUPTED, MISTAKEN, UserError

if TYPE_CHECKING:  # Windows has no ForkServerContext
    from multiprocessing.context import ForkServerContext, SpawnContext

GRACE = 5.0  # seconds that children have to end by themselves after an interrupt, which a terminal sends them too
_PRELOADED = ["udas_tf.preloaded", "udas_tf.cli"]
# Starting a child also polls the other children. If another thread waits for one of these meanwhile, its exit code is
# lost. Therefore only one thread at a time starts or joins.
_one_at_a_time = threading.Lock()


def begin(
    arguments: Sequence[str],
    threads: int | None = None,
    line: int = 0,
    stdout: int | None = None,
    compiled: Path | None = None,
) -> BaseProcess:
    """Starts a `udas` command in a child process. The child is killed if this process ends first.

    Args:
      arguments: the command and its flags.
      threads: number of threads that TensorFlow computes with; None = one per core.
      line: line of the terminal for the child's progress bars, counted down from the current line.
      stdout: file descriptor for the child's standard output; None = this process's standard output. Errors and
        progress always go to this process's standard error.
      compiled: directory where the processes of one machine share the programs that XLA compiles; None = not shared.
    """
    environment = {progress.LINE: str(line)}
    if threads is not None:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(threads)}
    if compiled is not None:
        flags = (os.environ.get("TF_XLA_FLAGS"), f'--tf_xla_persistent_cache_directory="{compiled}"')
        environment |= {"TF_XLA_FLAGS": " ".join(filter(None, flags))}
    context = load_ahead()
    # Duplicates, because a new interpreter cannot inherit the same descriptor twice, as stdout=2 asks for.
    outputs = [os.dup(1 if stdout is None else stdout), os.dup(2)]
    descriptors = [_Descriptor(output) for output in outputs]
    process = context.Process(target=_run_command, args=(list(arguments), os.environ | environment, descriptors))
    try:
        with _one_at_a_time:
            process.start()
    finally:
        for output in outputs:
            os.close(output)
    return process


def wait(process: BaseProcess) -> int:
    """Waits until a process that `begin` started has ended, and returns its exit code. Any thread may call it.

    An interrupt of this process ends all children first.
    """
    try:
        connection.wait([process.sentinel])
    except KeyboardInterrupt:
        end()
        raise
    with _one_at_a_time:
        process.join()
        exit_code = process.exitcode
    if exit_code is None:
        raise RuntimeError(f"the exit code of process {process.pid} is lost")
    return exit_code


def end() -> None:
    """Waits for all children to end, and kills those that have not ended within GRACE seconds."""
    with _one_at_a_time:
        children = multiprocessing.active_children()
    deadline = time.monotonic() + GRACE
    for child in children:
        if not connection.wait([child.sentinel], max(0.0, deadline - time.monotonic())):
            child.kill()


def load_ahead() -> ForkServerContext | SpawnContext:
    """Starts the fork server, which loads TensorFlow while this process goes on.

    A child that is forked from the server saves the seconds that loading takes.

    Returns:
      The context to start children with: on Linux that of the fork server, elsewhere one that starts new interpreters,
      because other systems' libraries do not survive a fork. New interpreters also where the fork server cannot start,
      for example because the path of the temporary directory is too long for a socket.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    multiprocessing.set_forkserver_preload(_PRELOADED)
    try:
        forkserver.ensure_running()
    except OSError as error:
        logging.debug("processes start as new interpreters: %s", error)
        return multiprocessing.get_context("spawn")
    return multiprocessing.get_context("forkserver")


class _Descriptor:
    """Passes a file descriptor to a child; the child receives an int, the number of its own duplicate.

    Without it, a child that is forked from the fork server would only have the descriptors of the server, which may
    have started before this process redirected its output.
    """

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[..., int], tuple[object]]:
        # The child calls `detach` of the duplicate, which returns its number.
        return operator.methodcaller("detach"), (reduction.DupFd(self._number),)


def _run_command(arguments: list[str], environment: dict[str, str], outputs: list[int]) -> None:
    """Runs `udas` in the child.

    Args:
      arguments: the command and its flags.
      environment: all environment variables; the fork server's may be out of date.
      outputs: file descriptors for standard output and standard error, sent as `_Descriptor`.
    """
    end_with_parent()
    os.environ.update(environment)
    for standard, output in enumerate(outputs, start=1):
        os.dup2(output, standard)
    sys.argv[1:] = arguments
    runpy.run_module("udas_tf", run_name="__main__")


def end_with_parent() -> None:
    """Makes sure that this child is killed when its parent ends. Does nothing in a process without a parent."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_kill_after, args=(parent,), daemon=True).start()


def _kill_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)


def check(name: str, code: int) -> None:
    """Raises the error that the exit code of a `udas` process stands for; returns if the process succeeded.

    Args:
      name: what the process made, for the message.
      code: its exit code; negative if a signal ended it.

    Raises:
      KeyboardInterrupt: the process was interrupted.
      UserError: the process ended with a UserError, or a signal ended it.
      RuntimeError: the process ended with any other error.
    """
    again = "The same command goes on where it was"
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == MISTAKEN:
        raise UserError(f"{name} ended with exit code {code}; it has said why above. {again}")
    if code < 0:
        raise UserError(
            f"{name} was ended by {signal.Signals(-code).name}, as systems do when memory runs out. {again}, "
            "and takes less memory with --config.jobs=1 or smaller batches"
        )
    if code:
        raise RuntimeError(f"{name} ended with exit code {code}; its traceback is above. {again}")
