"""Train one row of the table, or the translation."""

from __future__ import annotations

from absl import flags

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow


def define(values: flags.FlagValues) -> None:
    _flags.trained_stage(values)
    _flags.row(values)
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    row = _opening.row_of(arguments, opened.config)
    _opening.save(opened)
    with loading_tensorflow():
        from udas_tf.runs.training import train
    train(opened, row)
