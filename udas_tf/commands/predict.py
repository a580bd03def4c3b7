"""Segment a folder of images."""

from __future__ import annotations

from absl import flags

from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow

REQUIRED = ("model", "images", "output")


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_string("model", None, "directory of a model that `udas export` wrote", flag_values=values)
    flags.DEFINE_string("images", None, "folder of images", flag_values=values)
    flags.DEFINE_string("output", None, "folder for the overlays and the class id maps", flag_values=values)
    flags.DEFINE_bool(
        "own_size",
        False,
        "segment each image at its own size, instead of resized to the size that the network was trained at",
        flag_values=values,
    )


def run(arguments: Arguments) -> None:
    with loading_tensorflow():
        from udas_tf.prediction import predict
    predict(arguments.model, arguments.images, arguments.output, arguments.own_size)
