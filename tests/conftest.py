"""Settings of every test: TensorFlow quiet, Hypothesis without deadlines (tracing a graph takes its time).

With --hypothesis-profile=repeatable the examples are the same in every run: continuous integration judges a
change, and new examples are looked for by whoever runs the tests.
"""

import logging as standard_logging
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest
from absl import logging
from hypothesis import settings

settings.register_profile("udas", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("udas")


@pytest.fixture
def loggers_as_before():
    """Leaves the loggers as they were before a test that sets them up, as the command line does for a whole process."""
    handler, root = logging.get_absl_handler(), standard_logging.getLogger()
    shows, stream = handler.python_handler.formatter, handler.python_handler.stream
    handlers, level, verbosity = list(root.handlers), root.level, logging.get_verbosity()
    yield
    for added in list(handler.filters):
        handler.removeFilter(added)
    handler.setFormatter(shows)
    handler.python_handler.stream = stream
    root.handlers[:] = handlers
    logging.set_verbosity(verbosity)
    root.setLevel(level)


@pytest.fixture
def studied(monkeypatch):
    """A study without its trainings.

    `studied(score)` replaces `study.run_alone`: it only finishes directories, and reports score(config, row), fields of
    `Scores` by name, for each row. It returns the list of what is made, in order.
    """
    # Not at the top: most tests need no TensorFlow.
    from udas_tf import config as configs
    from udas_tf import typed_json
    from udas_tf.evaluation.scores import Scores
    from udas_tf.run import open_run
    from udas_tf.run_dir import finish, is_finished
    from udas_tf.runs import rows, study
    from udas_tf.runs.plan import plan

    missing = {"step": 1, "images": 1, "miou": None, "pixel_accuracy": None, "iou": {}}

    def with_scores(score):
        made = []

        def run_alone(run_dir, threads=None, line=0):
            run = open_run(configs.load(run_dir.config), run_dir)
            for artefact in plan(run):
                if not is_finished(run_dir.path / artefact.path):
                    finish(run_dir.path / artefact.path, {})
                    made.append(f"{run_dir.path.name} {artefact.path}")
            scores = [
                Scores(name=row.name, stage=row.stage, round=row.round, **(missing | score(run.config, row)))
                for row in rows.rows(run.config)
            ]
            typed_json.write(run_dir.report / study.REPORT, study.Result(scores))

        monkeypatch.setattr(study, "run_alone", run_alone)
        return made

    return with_scores
