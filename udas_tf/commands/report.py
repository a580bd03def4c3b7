"""Show the table and write the page of the run so far."""

from __future__ import annotations

from absl import flags, logging

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "runs",
        None,
        "directories of runs of the same config with other seeds, separated by commas: the score card adds the mean",
        flag_values=values,
    )
    _flags.as_json(values)
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    opened = _opening.opened(arguments)
    with loading_tensorflow():
        from udas_tf.report.tables import score_table
        from udas_tf.runs.report import Report, report
    scores = report(opened, arguments.runs or ())
    if arguments.json:
        _opening.print_json(Report(scores))
    else:
        print(score_table(scores))
    logging.info("the report lies in %s", opened.dir.report)
