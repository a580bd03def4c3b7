"""`udas` commands in processes of their own, which end with the one that began them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import udas_tf
from udas_tf import progress
from udas_tf.errors import UserError

INTERRUPTED = 130
# `udas` with the arguments that follow, which ends as soon as its standard input does: with the process that began it.
_BOUND = """
import os, signal, sys, threading
threading.Thread(target=lambda: (os.read(0, 1), os.kill(os.getpid(), signal.SIGKILL)), daemon=True).start()
from udas_tf.cli import main
sys.exit(main())
"""


def begin(
    arguments: Sequence[str], threads: int | None = None, line: int = 0, stdout: int | None = None
) -> subprocess.Popen:
    """Starts `udas` with these arguments; the process is killed if this one ends first.

    Args:
      arguments: verb and flags.
      threads: that TensorFlow computes with; None = as many as there are cores.
      line: of the terminal, below the present one, for its progress bars.
      stdout: file descriptor for what it prints; None = where this process prints. Errors and progress go to standard
        error.
    """
    root = str(Path(udas_tf.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": path, progress.LINE: str(line)}
    if threads is not None:
        environment |= {"TF_NUM_INTRAOP_THREADS": str(threads)}
    command = [sys.executable, "-c", _BOUND, *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stdout, env=environment)


def check(name: str, code: int) -> None:
    """KeyboardInterrupt or UserError, by the exit code of a process that made `name`; nothing where it succeeded."""
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        raise UserError(
            f"{name} ended with exit code {code}; it has said why above. The same command goes on where it was"
        )
