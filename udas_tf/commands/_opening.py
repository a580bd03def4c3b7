"""How a command opens its run: the directory, the config, and the check that they belong together."""

from __future__ import annotations

import os
from typing import Any

import msgspec
from absl import logging
from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import run as runs
from udas_tf.commands._flags import Arguments
from udas_tf.errors import UserError
from udas_tf.run import Run
from udas_tf.run_dir import RunDir
from udas_tf.runs import plan, rows
from udas_tf.runs.rows import Row


def run_dir(arguments: Arguments) -> RunDir:
    """The directory of --workdir, $UDAS_WORKDIR or runs/default."""
    path = arguments.workdir or os.environ.get("UDAS_WORKDIR") or "runs/default"
    return RunDir(os.path.expanduser(path))


def saved_config(directory: RunDir) -> ConfigDict | None:
    """The config of the run in a directory; None where there is no run."""
    return configs.load(directory.config) if directory.config.is_file() else None


def config_of(arguments: Arguments, saved: ConfigDict | None) -> ConfigDict:
    """The config of --config, or else the saved one, with the keys of the command line."""
    if arguments.config or saved is None:
        saved = configs.load(arguments.config or "configs/quickstart.py")
    return configs.override(saved, arguments.overrides)


def opened(arguments: Arguments) -> Run:
    """The run of a command. Nothing is written.

    Args:
      arguments: with the flags of `_flags.on_run`.

    Raises:
      UserError: among others where the run holds something that the config would make otherwise, unless
        --accept_config_change is given.
    """
    directory = run_dir(arguments)
    saved = saved_config(directory)
    run = runs.open_run(config_of(arguments, saved), directory)
    changes = _changes(saved, run)
    if saved is not None and changes and not arguments.accept_config_change:
        _check_changes(run.with_config(saved), run, changes)
    return run


def save(run: Run) -> None:
    """Saves the config of a command that writes what later commands read."""
    changes = _changes(saved_config(run.dir), run)
    if changes:
        logging.info("the run's config changes: %s", configs.summary(changes))
    runs.save(run)


def _changes(saved: ConfigDict | None, run: Run) -> list[str]:
    return [] if saved is None else configs.differences(saved, run.config)


def _check_changes(before: Run, now: Run, changes: list[str]) -> None:
    """UserError where the run holds something that the changed keys would make otherwise."""
    stale = plan.changed(plan.plan_of_begun(before), plan.plan_of_begun(now), now.dir)
    if stale:
        names = configs.summary([artefact.name for artefact in stale], separator=", ")
        raise UserError(
            f"{now.dir.path} holds {names}, made with another config ({configs.summary(changes)}); choose another "
            "--workdir, where --reuse links what stays the same, leave the config as it was, or add "
            "--accept_config_change"
        )


def row_of(arguments: Arguments, config: ConfigDict) -> Row:
    """The row of --stage, --round and --name."""
    return rows.find(config, arguments.stage, arguments.round, arguments.name)


def print_json(result: Any) -> None:
    """Prints a dataclass, or anything that JSON holds."""
    print(msgspec.json.encode(result).decode())
