"""Loads what a run's processes need; they are copies of one that has, and has not used TensorFlow yet."""

import signal

from udas_tf.loading import loading_tensorflow

# Who asked for it is interrupted, and says so.
handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
with loading_tensorflow():
    from udas_tf.stages import train, translate  # noqa: F401 (loading them is all)
signal.signal(signal.SIGINT, handler)
