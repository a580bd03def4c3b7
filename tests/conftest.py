"""Settings of every test: TensorFlow quiet, Hypothesis without deadlines (tracing a graph takes its time)."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from hypothesis import settings

settings.register_profile("udas", deadline=None)
settings.load_profile("udas")
