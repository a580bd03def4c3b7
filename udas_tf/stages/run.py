"""The whole method, from data to table."""

from __future__ import annotations

from udas_tf.run_dir import RunDir
from udas_tf.stages import data, rounds
from udas_tf.stages.report import report
from udas_tf.stages.train import train_row, train_translation
from udas_tf.stages.translate import judging_row, translate


def run(config, run_dir: RunDir) -> dict:
    """Prepares data, trains every row of the table in its order and reports; finished parts are not done again.

    Returns:
      What `report` returns.
    """
    data.prepare(config, run_dir)
    for row in rounds.rows(config):
        if row.translated:
            if config.translate.weight_semantic or config.translate.max_disagreement:
                train_row(config, run_dir, judging_row(config))
            train_translation(config, run_dir)
            translate(config, run_dir)
        train_row(config, run_dir, row)
    return report(config, run_dir)
