"""Train with several numbers of target labels, and show what labels buy."""

from __future__ import annotations

from absl import flags, logging

from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.loading import loading_tensorflow
from udas_tf.runs import budgets


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_list(
        "labels",
        "all,1/3,1/6,1/30,0",
        "label budgets, separated by commas: all, a share of the target's labelled training images, or their number",
        flag_values=values,
    )
    flags.DEFINE_list(
        "seeds",
        "1,2,3",
        "each budget is trained with each of these; a seed also draws which images are labelled",
        flag_values=values,
    )
    _flags.reuse(values)
    _flags.as_json(values)
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    labels, seeds = budgets.parse(arguments.labels), budgets.numbers(arguments.seeds, "--seeds")
    opened = _opening.opened(arguments)
    _opening.save(opened)
    with loading_tensorflow():
        from udas_tf.runs.sweep import RESULTS, sweep
    document = sweep(opened, labels, seeds, arguments.reuse or ())
    results = opened.dir.path / RESULTS
    if arguments.json:
        _opening.print_json(document)
    else:
        print((results / "table.txt").read_text(encoding="utf-8"))
    logging.info("the table and the plot lie in %s", results)
