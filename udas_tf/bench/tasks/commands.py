"""Runs of the command `udas`, as a user makes them."""

from __future__ import annotations

import subprocess
import sys


def udas(*arguments: str) -> subprocess.Popen[str]:
    """Starts `udas ARGUMENTS`. Its standard output is dropped."""
    command = [sys.executable, "-m", "udas_tf", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> None:
    """Waits until the command ends; RuntimeError with its standard error when it failed."""
    _, errors = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{process.args!r} failed:\n{errors}")
