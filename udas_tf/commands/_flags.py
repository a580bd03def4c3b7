"""Flags that several commands take, each defined in the absl `FlagValues` of one command."""

from __future__ import annotations

from types import SimpleNamespace

from absl import flags

from udas_tf import log
from udas_tf.runs import rows

Arguments = SimpleNamespace  # each flag of the command by its name, and `overrides`: config key -> text


def common(values: flags.FlagValues) -> None:
    """The flags of every command."""
    flags.DEFINE_integer(
        "verbosity",
        log.DEFAULT,
        "-1 shows only warnings, 0 also what is done and what is skipped, 1 also details",
        flag_values=values,
    )


def on_run(values: flags.FlagValues) -> None:
    """The flags of a command on a run: its directory and its config."""
    flags.DEFINE_string(
        "workdir",
        None,
        "directory of the run; without it $UDAS_WORKDIR, otherwise runs/default",
        flag_values=values,
    )
    config(values)
    flags.DEFINE_bool(
        "accept_config_change",
        False,
        "go on although the run holds something that this config would make otherwise; it stays as it is. To make only "
        "that anew, use another --workdir and --reuse",
        flag_values=values,
    )


def config(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "config",
        None,
        "config file, .py or .json; without it the one saved in the workdir, otherwise configs/quickstart.py; single "
        "keys are set by --config.KEY=VALUE, such as --config.uda.learning_rate=1e-4 (docs/configuration.md has all)",
        flag_values=values,
    )


def trained_stage(values: flags.FlagValues) -> None:
    flags.DEFINE_enum("stage", None, rows.stages(), "method to train", flag_values=values)


def segmenter_stage(values: flags.FlagValues) -> None:
    flags.DEFINE_enum("stage", None, rows.segmenter_stages(), "method of the row", flag_values=values)


def row(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "name",
        None,
        "row of the table, a name below `row` in the config, with its round or without: student, student_2; without "
        "this flag the default row of the stage: no_adaptation of source, cutmix of uda",
        flag_values=values,
    )
    round_number(values)


def round_number(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("round", None, "round of the row, from 1", lower_bound=1, flag_values=values)


def reuse(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "reuse",
        None,
        "directories of other runs or of sweeps, separated by commas: what they have finished, and this config would "
        "make the same, is linked",
        flag_values=values,
    )


def as_json(values: flags.FlagValues) -> None:
    flags.DEFINE_bool("json", False, "print one JSON document instead of a table", flag_values=values)
