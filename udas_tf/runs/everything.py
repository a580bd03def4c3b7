"""The whole method: data, every row of the table, the report."""

from __future__ import annotations

from udas_tf import plugins
from udas_tf.config import METHODS
from udas_tf.evaluation.scores import Scores
from udas_tf.run import Run
from udas_tf.runs import pool, records
from udas_tf.runs.plan import plan
from udas_tf.runs.report import report
from udas_tf.training.loop import split_cpu


def run_all(run: Run) -> list[Scores]:
    """Prepares the data, trains every row of the table and writes the report. What is finished is not made again.

    Returns:
      The scores of the rows, in the table's order.

    Raises:
      UserError: the config cannot be trained; then nothing has been made yet.
    """
    artefacts = plan(run)
    at_once = pool.at_once(run.config)
    for stage in dict.fromkeys(row.stage for row in artefacts.trainings):
        plugins.load(METHODS, stage, "stage").check(run.config)
    split_cpu(run.config.replicas)
    records.prepare(run)
    pool.make(run, artefacts, at_once)
    return report(run)
