"""`udas` commands in processes of their own, which end with the one that began them."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Sequence
from multiprocessing import connection, forkserver, reduction
from pathlib import Path

from absl import logging

from udas_tf import progress
from udas_tf.errors import UserError

INTERRUPTED, MISTAKEN = 130, 2  # exit codes of `udas`
GRACE = 5.0  # seconds that processes have to end by themselves when this one is interrupted, as a terminal does to all
_PRELOADED = ["udas_tf.stages.preloaded", "udas_tf.verbs"]
# Whoever begins a process also asks after the others, and whoever waits for one of these meanwhile gets no exit code.
_one_at_a_time = threading.Lock()


def begin(
    arguments: Sequence[str],
    threads: int | None = None,
    line: int = 0,
    stdout: int | None = None,
    compiled: Path | None = None,
) -> multiprocessing.Process:
    """Starts `udas` with these arguments; the process is killed if this one ends first.

    Args:
      arguments: verb and flags.
      threads: that TensorFlow computes with; None = as many as there are cores.
      line: of the terminal, below the present one, for its progress bars.
      stdout: file descriptor for what it prints; None = where this process prints. Errors and progress go to standard
        error.
      compiled: directory through which processes of one machine share the programs that XLA compiles for them.
    """
    environment = {progress.LINE: str(line)}
    if threads is not None:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(threads)}
    if compiled is not None:
        flags = (os.environ.get("TF_XLA_FLAGS"), f'--tf_xla_persistent_cache_directory="{compiled}"')
        environment |= {"TF_XLA_FLAGS": " ".join(filter(None, flags))}
    context = multiprocessing.get_context(load_ahead())
    outputs = [os.dup(1 if stdout is None else stdout), os.dup(2)]
    given = list(arguments), os.environ | environment, list(map(_Descriptor, outputs))
    process = context.Process(target=_udas, args=given)
    try:
        with _one_at_a_time:
            process.start()
    finally:
        for output in outputs:
            os.close(output)
    return process


def wait(process: multiprocessing.Process) -> int:
    """Returns the exit code of a process that `begin` has begun, once it has ended; for any thread."""
    try:
        connection.wait([process.sentinel])
    except KeyboardInterrupt:
        end()
        raise
    with _one_at_a_time:
        process.join()
        return process.exitcode


def end() -> None:
    """Ends all that `begin` has begun: kills what has not ended within GRACE seconds."""
    with _one_at_a_time:
        begun = multiprocessing.active_children()
    latest = time.monotonic() + GRACE
    for process in begun:
        if not connection.wait([process.sentinel], max(0.0, latest - time.monotonic())):
            process.kill()


def load_ahead() -> str:
    """Begins to load TensorFlow for the processes to come, beside what this one does until then.

    Returns:
      multiprocessing's name for how these begin: on Linux as copies of a process that has loaded TensorFlow, which takes
      seconds; elsewhere, where libraries do not stand being copied, anew. Also where the path of the temporary
      directory is longer than a socket's may be.
    """
    if sys.platform != "linux":
        return "spawn"
    multiprocessing.set_forkserver_preload(_PRELOADED)
    try:
        forkserver.ensure_running()
    except OSError as error:
        logging.debug("processes begin anew: %s", error)
        return "spawn"
    return "forkserver"


class _Descriptor:
    """A file descriptor of this process that arrives in another one as one of its own; a copy's others are those of what it
    is a copy of."""

    def __init__(self, number: int):
        self.number = number

    def __reduce__(self):
        return _received, (reduction.DupFd(self.number),)


def _received(duplicate) -> int:
    return duplicate.detach()


def _udas(arguments: list[str], environment: dict[str, str], outputs: list[int]) -> None:
    end_with_parent()
    os.environ.update(environment)
    for number, received in enumerate(outputs, start=1):
        os.dup2(received, number)
    sys.argv[1:] = arguments
    runpy.run_module("udas_tf", run_name="__main__")


def end_with_parent() -> None:
    """From now on, this process of `multiprocessing` is killed when the one that began it ends."""

    def end():
        multiprocessing.parent_process().join()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=end, daemon=True).start()


def check(name: str, code: int) -> None:
    """Nothing, where a process that made `name` has succeeded.

    Args:
      name: of what it made.
      code: its exit code, that of `udas`; negative where a signal ended it.

    Raises:
      KeyboardInterrupt: it was interrupted.
      UserError: it met a mistake of the user's, or a signal ended it.
      RuntimeError: it met a fault of the program's.
    """
    again = "The same command goes on where it was"
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code == MISTAKEN:
        raise UserError(f"{name} ended with exit code {code}; it has said why above. {again}")
    if code < 0:
        raise UserError(
            f"{name} was ended by {signal.Signals(-code).name}, which systems do to processes when memory runs out. {again}, and "
            "takes less memory with --config.jobs=1 or smaller batches"
        )
    if code:
        raise RuntimeError(f"{name} ended with exit code {code}; its traceback is above. {again}")
