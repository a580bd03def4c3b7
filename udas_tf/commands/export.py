"""Write a trained segmenter as a model for other programs."""

from __future__ import annotations

from absl import flags

from udas_tf import plugins, serving
from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.errors import UserError
from udas_tf.loading import loading_tensorflow

REQUIRED = ("output",)


def define(values: flags.FlagValues) -> None:
    _flags.segmenter_stage(values)
    _flags.row(values)
    flags.DEFINE_string("output", None, "directory for the model", flag_values=values)
    formats = plugins.names(serving.PACKAGE)
    flags.DEFINE_enum("format", serving.DEFAULT, formats, "format of the model", flag_values=values)
    flags.DEFINE_list(
        "size",
        None,
        "height,width of the images that the model takes, which makes it faster; without it, any size",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "frozen",
        False,
        "write the weights as constants of the graph: on a CPU a tenth faster in float32; a large network takes 2 GiB "
        "more memory",
        flag_values=values,
    )
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    row = _opening.row_of(arguments, opened.config)
    size = _size(arguments.size) if arguments.size else None
    with loading_tensorflow():
        from udas_tf.runs.export import export
    export(opened, row, arguments.output, arguments.format, size, arguments.frozen)


def _size(texts: list[str]) -> tuple[int, int]:
    if len(texts) != 2 or not all(text.strip().isdecimal() and int(text) > 0 for text in texts):
        raise UserError(f"--size={','.join(texts)}; expected height,width in pixels, as in --size=360,640")
    height, width = map(int, texts)
    return height, width
