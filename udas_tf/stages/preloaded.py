"""Loads what a run's processes need; they are copies of one that has, and has not used TensorFlow yet."""

from udas_tf.loading import loading_tensorflow

with loading_tensorflow():
    from udas_tf.stages import train, translate  # noqa: F401 (loading them is all)
