"""The whole method, from data to table."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir
from udas_tf.stages import data
from udas_tf.stages.jobs import cores, jobs, make
from udas_tf.stages.report import report


def run(config, run_dir: RunDir) -> dict:
    """Prepares data, trains every row of the table in its order and reports; finished parts are not done again.

    Where trainings run on the CPU, `jobs` of the config are made at a time.

    Returns:
      What `report` returns.
    """
    at_once = _at_once(config)
    data.prepare(config, run_dir)
    make(jobs(config, run_dir), run_dir, at_once)
    return report(config, run_dir)


def _at_once(config) -> int:
    if config.jobs < 1:
        raise UserError(f"jobs={config.jobs}; expected at least 1 training at a time")
    return 1 if tf.config.list_physical_devices("GPU") else min(config.jobs, cores())
