"""Imports point down only; the contract is in pyproject.toml."""

import subprocess
import sysconfig
from pathlib import Path


def test_imports_point_down_only():
    linter = Path(sysconfig.get_path("scripts")) / "lint-imports"
    root = Path(__file__).parent.parent
    command = [linter, "--config", "pyproject.toml", "--no-cache", "--no-logo"]
    result = subprocess.run(command, cwd=root, text=True, capture_output=True)
    assert result.returncode == 0, result.stdout + result.stderr
