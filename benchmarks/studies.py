"""What the studies in this directory share: their flags, the commands they print, means over seeds."""

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
from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf import devices, log
from udas_tf.errors import UserError
from udas_tf.evaluation.scores import Scores
from udas_tf.report.label_curve import shown, spread
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir
from udas_tf.runs import budgets, plan
from udas_tf.runs.study import Study


class Flags:
    """The flags of a study.

    Attributes:
      config: name of the config that is studied.
      workdir: directory of all of the study's runs.
      seeds: at least one.
      taken_from: directories whose finished work the runs link where it would be the same, the study's own first.
      overrides: dotted key -> text, from the flags --config.KEY=VALUE.
    """

    def __init__(self, description: str, arguments: Sequence[str]) -> None:
        parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
        parser.add_argument("--config", required=True)
        parser.add_argument("--workdir", required=True, type=Path)
        parser.add_argument("--seeds", default="1,2,3")
        parser.add_argument("--reuse", default="", help="directories of other runs, separated by commas")
        parsed, rest = parser.parse_known_args(arguments)
        if unknown := [flag for flag in rest if not flag.startswith("--config.") or "=" not in flag]:
            parser.error(f"unrecognized arguments: {' '.join(unknown)}")
        self.config: str = parsed.config
        self.workdir: Path = parsed.workdir
        self.seeds: list[int] = budgets.numbers(parsed.seeds.split(","), "--seeds")
        self.taken_from: list[str | Path] = [parsed.workdir, *filter(None, parsed.reuse.split(","))]
        self.overrides = {
            key: value for key, _, value in (flag.removeprefix("--config.").partition("=") for flag in rest)
        }


def set_up() -> None:
    """Shows the package's messages on standard error, and leaves the GPUs' memory to the runs, which are processes."""
    log.set_up()
    for device in devices.gpus():
        tf.config.experimental.set_memory_growth(device, True)


def command(
    name: str, config: ConfigDict, overrides: Mapping[str, str], changes: Mapping[str, str], run_dir: RunDir
) -> str:
    """The command that a user types for a run of a study. It can be typed for the run's own directory, too.

    Args:
      name: of the config that the run begins with.
      config: of the run.
      overrides: dotted key -> text, of the whole study.
      changes: the same of this run, without seed and rows.
      run_dir: of the run.
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


def claim(config: ConfigDict, run_dir: RunDir, study: str) -> None:
    """Saves the config of a study in its directory; UserError when the directory holds a study of another config."""
    if run_dir.config.is_file() and (changes := configs.differences(configs.load(run_dir.config), config)):
        raise UserError(f"{run_dir.path} holds {study} of another config ({changes[0]}); choose another --workdir")
    configs.save(config, run_dir.config)


def check(studies: Iterable[Study]) -> None:
    """UserError when the directory of a run holds what another config has made.

    The run's report would show that as its own. The files in configs/methods may have changed since.
    """
    for config, run_dir in studies:
        if not run_dir.config.is_file():
            continue
        saved = configs.load(run_dir.config)
        before, now = (plan.plan_of_begun(open_run(one, run_dir)) for one in (saved, config))
        if stale := plan.changed(before, now, run_dir):
            raise UserError(
                f"{run_dir.path} holds {stale[0].name}, made with another config "
                f"({configs.summary(configs.differences(saved, config))}); choose another --workdir, and name this one "
                "with --reuse to link what stays the same"
            )


def over(scores: Iterable[Scores]) -> str:
    """Mean and deviation of the mIoU, in per cent, of scores that differ in their seed."""
    return shown(spread(one.miou for one in scores))
