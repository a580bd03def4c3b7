"""What the studies in this directory have in common: their flags, the commands they print, means over seeds."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.report.label_curve import shown, spread
from udas_tf.run_dir import RunDir
from udas_tf.stages import budgets, sharing


class Flags:
    """The flags of a study.

    Attributes:
      config: name of the config that is studied.
      workdir: directory of all of the study's runs.
      seeds: at least one.
      pool: directories whose finished runs are taken where they would be made alike, its own first.
      overrides: dotted key -> text, of the flags --config.KEY=VALUE.
    """

    def __init__(self, description: str, arguments: Sequence[str]):
        parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
        parser.add_argument("--config", required=True)
        parser.add_argument("--workdir", required=True, type=Path)
        parser.add_argument("--seeds", default="1,2,3")
        parser.add_argument("--reuse", default="", help="directories of other runs, separated by commas")
        given, rest = parser.parse_known_args(arguments)
        if unknown := [flag for flag in rest if not flag.startswith("--config.") or "=" not in flag]:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        self.config: str = given.config
        self.workdir: Path = given.workdir
        self.seeds = budgets.numbers(given.seeds.split(","), "--seeds")
        self.pool = [given.workdir, *filter(None, given.reuse.split(","))]
        self.overrides = dict(flag.removeprefix("--config.").split("=", 1) for flag in rest)


def command(
    name: str, config, overrides: Mapping[str, str], changes: Mapping[str, str], run_dir: RunDir
) -> str:
    """What a user types for a run of a study; its directory takes this command, too.

    Args:
      name: of the config that the run begins with.
      config: of the run.
      overrides: dotted key -> text, of the whole study.
      changes: likewise, of this run, but for seed and rows.
    """
    keys = {
        **overrides,
        "seed": config.seed,
        "data.target.label_seed": config.data.target.label_seed,
        "rows": ",".join(config.rows),
        **changes,
    }
    flags = " ".join(f"--config.{key}={value}" for key, value in keys.items())
    return f"bin/udas run --config={name} {flags} --workdir={run_dir.path}"


def leave_memory() -> None:
    """Runs are processes of their own, which need the GPUs' memory."""
    for device in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(device, True)


def claim(config, run_dir: RunDir, study: str) -> None:
    """Saves the config; UserError when the directory holds a study of another."""
    if run_dir.config.is_file() and (changes := configs.differences(configs.load(run_dir.config), config)):
        raise UserError(
            f"{run_dir.path} holds {study} of another config ({changes[0]}); choose another --workdir"
        )
    configs.save(config, run_dir.config)


def check(runs: Iterable[tuple[object, RunDir]]) -> None:
    """UserError when one of these (config, directory) holds what another config has made, which its report would show as
    its own: the files in configs/methods may have changed since."""
    for config, run_dir in runs:
        if not run_dir.config.is_file():
            continue
        saved = configs.load(run_dir.config)
        if stale := sharing.made_otherwise(saved, config, run_dir):
            raise UserError(
                f"{run_dir.path} has {stale[0]} of another config ({configs.told(configs.differences(saved, config))}); "
                "choose another --workdir, which takes from this one what is alike with --reuse"
            )


def over(rows: Sequence[dict]) -> str:
    """Mean and deviation of the mIoU of rows that differ in their seed."""
    return shown(spread(row["miou"] for row in rows))
