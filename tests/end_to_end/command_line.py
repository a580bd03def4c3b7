"""Runs of the command line in processes of their own, as a user makes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny.py")


def udas(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    """`udas ARGUMENTS` in a process of its own; fails the test when it does not exit with 0."""
    result = subprocess.run(command(*arguments), cwd=CHECKOUT, capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stderr
    return result


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "udas_tf", *map(str, arguments)]
