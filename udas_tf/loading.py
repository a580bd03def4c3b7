"""How TensorFlow is loaded: with this package's settings, and without what it tells about itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from udas_tf.processor import xla_flags

# What TensorFlow's libraries write to standard error while they load, before any setting of theirs holds.
CHATTER = "^(WARNING: All log messages before absl::InitializeLog|I0000 |[-0-9]+ [:.0-9]+: I )"


@contextlib.contextmanager
def loading_tensorflow() -> Iterator[None]:
    """Keeps what TensorFlow tells about itself while it loads off standard error; its errors still show."""
    os.environ |= {"KERAS_BACKEND": "tensorflow", "XLA_FLAGS": xla_flags()}
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # failures arrive as exceptions; 0 shows all
    if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0":
        yield
        return
    # A process of its own, so that the last words of a TensorFlow that aborts (no AVX) are not lost.
    sys.stderr.flush()
    standard_error = os.dup(2)
    sieve = subprocess.Popen(["grep", "-v", "-E", CHATTER], stdin=subprocess.PIPE, stdout=standard_error)
    os.dup2(sieve.stdin.fileno(), 2)
    sieve.stdin.close()
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(standard_error, 2)
        os.close(standard_error)
        sieve.wait()
