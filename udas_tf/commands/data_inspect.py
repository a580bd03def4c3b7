"""Draw what the records hold, and measure how far source and target lie apart."""

from __future__ import annotations

from absl import flags

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow

NAME = "data inspect"


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "source",
        None,
        "directories of finished records, separated by commas, as the source; without it the run's source_train; "
        "WORKDIR/translated shows what translation leaves of the gap",
        flag_values=values,
    )
    flags.DEFINE_list(
        "target",
        None,
        "directories of finished records, separated by commas, as the target; without it the run's target_labelled and "
        "target_unlabelled",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "images", 200, "images to look at in each set, spread over it", lower_bound=1, flag_values=values
    )
    flags.DEFINE_string(
        "output",
        None,
        "PNG file of the mosaic; without it inspection/mosaic.png in the workdir, or mosaic.png here with --source or "
        "--target",
        flag_values=values,
    )
    _flags.as_json(values)
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    with loading_tensorflow():
        from udas_tf.report.inspection import inspect, text
    sets = (arguments.source, arguments.target, arguments.images)
    inspection = inspect(opened, arguments.output, *sets)
    if arguments.json:
        _opening.print_json(inspection)
    else:
        print(text(inspection))
