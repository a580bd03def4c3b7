"""The whole method, from data to table."""

from __future__ import annotations

from udas_tf.run_dir import RunDir
from udas_tf.stages import checks, data, fit, jobs, rounds
from udas_tf.stages.report import report


def run(config, run_dir: RunDir) -> dict:
    """Prepares data, trains every row of the table in its order and reports; finished parts are not done again.

    Where trainings run on the CPU, `jobs` of the config are made at a time.

    Returns:
      What `report` returns.
    """
    at_once = jobs.at_once(config)
    for name in rounds.sections(config):
        checks.check(config, name)
    fit.split_cpu(config.replicas)
    data.prepare(config, run_dir)
    jobs.make(jobs.jobs(config, run_dir), run_dir, at_once)
    return report(config, run_dir)
