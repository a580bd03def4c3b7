"""Settings of every test: TensorFlow quiet, Hypothesis without deadlines (tracing a graph takes its time).

With --hypothesis-profile=repeatable the examples are the same in every run: continuous integration judges a
change, and new examples are looked for by whoever runs the tests.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from hypothesis import settings

from udas_tf import config as configs
from udas_tf.run_dir import finish, is_finished, write_json
from udas_tf.stages import rounds, sharing, study

settings.register_profile("udas", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("udas")


@pytest.fixture
def studied(monkeypatch):
    """A study without its trainings: `studied(score)` has `run_alone` only finish directories and report score(config, row),
    a dictionary, of each row; returns the list of what is made, in order."""

    def with_scores(score):
        made = []

        def run_alone(run_dir, threads=None, line=0):
            config = configs.load(run_dir.config)
            for path in sharing.artefacts(config):
                if not is_finished(run_dir.path / path):
                    finish(run_dir.path / path, {})
                    made.append(f"{run_dir.path.name} {path}")
            rows = [
                {"name": row.name, "stage": row.stage, "round": row.round, **score(config, row)}
                for row in rounds.rows(config)
            ]
            write_json(run_dir.report / "report.json", {"rows": rows})

        monkeypatch.setattr(study, "run_alone", run_alone)
        return made

    return with_scores
