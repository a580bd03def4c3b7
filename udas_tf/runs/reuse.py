"""Runs share artefacts: a finished directory of one is linked into another that would make the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run import Run, open_run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.runs.plan import plan, plan_of_begun

CONFIG = RunDir("").config.name  # which marks the directory of a run


def share(run: Run, others: Iterable[RunDir]) -> list[Path]:
    """Links into a run what other runs have finished and it would make alike.

    Links are relative, so that a directory with all of these runs can be moved.

    Args:
      run: its directory keeps what it has, except links to directories that no longer exist.
      others: an artefact comes from the first that has it. Directories without a saved config are skipped.

    Returns:
      What was linked, as paths below the run's directory.
    """
    wanted = plan(run)
    for artefact in wanted:
        here = run.dir.path / artefact.path
        if here.is_symlink() and not here.exists():
            here.unlink()
    linked = []
    for other in others:
        if not other.config.is_file() or other.path.resolve() == run.dir.path.resolve():
            continue
        there = plan_of_begun(open_run(configs.load(other.config), other))
        for artefact in wanted:
            if artefact.name in there and there.fingerprint(artefact.name) == wanted.fingerprint(artefact.name):
                linked += _link(run.dir.path / artefact.path, other.path / artefact.path, artefact.path)
    return linked


def _link(here: Path, there: Path, path: Path) -> list[Path]:
    if not is_finished(there) or here.exists():
        return []
    here.parent.mkdir(parents=True, exist_ok=True)
    here.symlink_to(os.path.relpath(there.resolve(), here.parent.resolve()))
    return [path]


def runs_in(directories: Iterable[str | os.PathLike[str]]) -> list[RunDir]:
    """The runs at these directories and up to two levels below them, as a sweep has them.

    Raises:
      UserError: a directory has none.
    """
    runs = []
    for directory in map(Path, directories):
        here = [RunDir(file.parent) for depth in ("", "*/", "*/*/") for file in sorted(directory.glob(depth + CONFIG))]
        if not here:
            raise UserError(f"{directory} holds no run: no {CONFIG} in it, nor up to two levels below")
        runs += here
    return runs
