"""Label the target with the teacher of a row."""

from __future__ import annotations

from absl import flags

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow
from udas_tf.runs import rows


def define(values: flags.FlagValues) -> None:
    _flags.row(values)
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    name = arguments.name or rows.default_student(opened.config)
    row = rows.find(opened.config, None, arguments.round, name)
    _opening.save(opened)
    with loading_tensorflow():
        from udas_tf.runs.training import label
    label(opened, row)
