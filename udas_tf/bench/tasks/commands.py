"""Runs `udas` as a user does."""

from __future__ import annotations

import subprocess
import sys


def udas(*arguments: str) -> subprocess.Popen:
    """Starts `udas ARGUMENTS`; what it prints is dropped."""
    command = [sys.executable, "-m", "udas_tf", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> None:
    """Waits for its end; RuntimeError with what it said when it failed."""
    _, told = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(process.args)} failed:\n{told}")
