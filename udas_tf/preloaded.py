"""What the fork server imports: everything that its children, the processes of a run, need.

It loads TensorFlow and does not use it yet, since a fork of a process that has used it does not work.
"""

import signal

from udas_tf import plugins
from udas_tf.config import METHODS
from udas_tf.loading import loading_tensorflow

# An interrupt reaches the parent process, too, and that one reports it.
handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
with loading_tensorflow():
    from udas_tf.runs import pool, rows  # noqa: F401 (loading pool is all)

    for stage in rows.stages():
        plugins.load(METHODS, stage, "stage")
signal.signal(signal.SIGINT, handler)
