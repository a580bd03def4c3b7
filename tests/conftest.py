"""Settings of every test: TensorFlow quiet, Hypothesis without deadlines (tracing a graph takes its time).

With --hypothesis-profile=repeatable the examples are the same in every run: continuous integration judges a
change, and new examples are looked for by whoever runs the tests.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hypothesis import settings

settings.register_profile("udas", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("udas")
