"""`udas` commands in processes of their own, which end with the one that began them."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import threading
from collections.abc import Sequence
from multiprocessing import forkserver, reduction

from udas_tf import progress
from udas_tf.errors import UserError

INTERRUPTED = 130
# On Linux each begins as a copy of a process that has loaded TensorFlow, which takes seconds; elsewhere libraries do not
# stand being copied.
_KIND = "forkserver" if sys.platform == "linux" else "spawn"
_PRELOADED = ["udas_tf.verbs", "udas_tf.stages.preloaded"]


def begin(
    arguments: Sequence[str],
    threads: int | None = None,
    line: int = 0,
    stdout: int | None = None,
    compiled: str | None = None,
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
        flags = (os.environ.get("TF_XLA_FLAGS"), f"--tf_xla_persistent_cache_directory={compiled}")
        environment |= {"TF_XLA_FLAGS": " ".join(filter(None, flags))}
    load_ahead()
    context = multiprocessing.get_context(_KIND)
    outputs = _Descriptor(1 if stdout is None else stdout), _Descriptor(2)
    process = context.Process(target=_udas, args=(list(arguments), os.environ | environment, outputs))
    process.start()
    return process


def load_ahead() -> None:
    """Begins to load TensorFlow for the processes to come, beside what this one does until then."""
    if _KIND == "forkserver":
        multiprocessing.set_forkserver_preload(_PRELOADED)
        forkserver.ensure_running()


class _Descriptor:
    """A file descriptor of this process that arrives in another one as one of its own; a copy's others are those of what it
    is a copy of."""

    def __init__(self, number: int):
        self.number = number

    def __reduce__(self):
        return _received, (reduction.DupFd(self.number),)


def _received(duplicate) -> int:
    return duplicate.detach()


def _udas(arguments: list[str], environment: dict[str, str], outputs: tuple[int, int]) -> None:
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
    """KeyboardInterrupt or UserError, by the exit code of a process that made `name`; nothing where it succeeded."""
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise UserError(
            f"{name} ended with exit code {code}; it has said why above. The same command goes on where it was"
        )
