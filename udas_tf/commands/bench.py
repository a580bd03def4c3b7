"""Measure how fast this machine trains, loads and predicts."""

from __future__ import annotations

import json

from absl import flags

from udas_tf.bench import workloads
from udas_tf.commands import _flags
from udas_tf.commands._flags import Arguments


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_enum(
        "suite",
        None,
        workloads.SUITES,
        "what to measure; without it everything but adapt_xla and cyclegan_xla, which are for GPUs",
        flag_values=values,
    )
    flags.DEFINE_integer("repeats", 3, "processes that measure each workload", lower_bound=1, flag_values=values)
    _flags.as_json(values)


def run(arguments: Arguments) -> None:
    from udas_tf.bench.rows import table
    from udas_tf.bench.run import bench

    rows = bench(arguments.suite, arguments.repeats)
    print(json.dumps(rows, allow_nan=False) if arguments.json else table(rows))
