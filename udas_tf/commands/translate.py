"""Translate the source images into the target's style."""

from __future__ import annotations

from absl import flags

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow


def define(values: flags.FlagValues) -> None:
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    _opening.save(opened)
    with loading_tensorflow():
        from udas_tf.translation import translate
    translate(opened)
