"""Loads TensorFlow with this package's settings and without its start-up messages."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from udas_tf.devices import xla_flags
from udas_tf.errors import UserError

# Lines that TensorFlow's libraries write to standard error while they load, before any log level applies.
CHATTER = "^(WARNING: All log messages before absl::InitializeLog|I0000 |[-0-9]+ [:.0-9]+: I )"


@contextlib.contextmanager
def loading_tensorflow() -> Iterator[None]:
    """Context to import TensorFlow in: sets its environment variables and Keras's, and hides start-up messages.

    Its errors still go to standard error. TF_CPP_MIN_LOG_LEVEL=0 shows everything.

    Raises:
      UserError: Keras refuses its keras.json.
    """
    os.environ |= {"KERAS_BACKEND": "tensorflow", "KERAS_NNX_ENABLED": "false", "XLA_FLAGS": xla_flags()}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # failures arrive as exceptions
    with _own_keras_settings(), _without_chatter():
        yield


@contextlib.contextmanager
def _own_keras_settings() -> Iterator[None]:
    """Sets what another project's ~/.keras/keras.json may have changed: Keras reads that file when it is imported."""
    settings = Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))) / "keras.json"
    try:
        yield
    except ValueError as error:
        if not (str(error).startswith("Invalid `") and "configuration" in str(error) and settings.is_file()):
            raise
        raise UserError(f"Keras refuses {settings}: {error}; mend or remove that file") from error
    keras = sys.modules.get("keras")
    if keras is not None:
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        keras.config.set_image_data_format("channels_last")


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        yield
        return
    # The filter is a process of its own, so that the last words of a TensorFlow that aborts (no AVX) are not lost.
    sys.stderr.flush()
    standard_error = os.dup(2)
    read_end, write_end = os.pipe()
    filtering = subprocess.Popen(["grep", "-v", "-E", CHATTER], stdin=read_end, stdout=standard_error)
    os.close(read_end)
    os.dup2(write_end, 2)
    os.close(write_end)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(standard_error, 2)
        os.close(standard_error)
        filtering.wait()
