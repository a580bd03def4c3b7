"""Runs a method through Keras's `fit`: devices, seeds, resuming, checkpoints."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import devices
from udas_tf.data import records
from udas_tf.errors import UserError
from udas_tf.training.callbacks import Checkpoints, DiscriminatorWatch, Progress, Scalars
from udas_tf.training.checkpoints import CheckpointDirectory
from udas_tf.training.method import Method


def strategy(replicas: int | None, batch_size: int) -> tf.distribute.Strategy:
    """The default strategy for one device, MirroredStrategy for several.

    Args:
      replicas: `config.replicas`; None = as many GPUs as share the batch evenly. Without a GPU, replicas share the
        CPU, so that tests can compute what several GPUs would.
      batch_size: of the stage, over all replicas.

    Raises:
      UserError: the machine has fewer devices.
    """
    gpus = devices.gpus()
    split_cpu(replicas)
    names = [device.name for device in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
    used = replicas or _sharing(batch_size, len(names) if gpus else 1)
    if used > len(names):
        raise UserError(f"replicas={replicas}, but this machine has {len(names)}: {', '.join(names)}")
    if used == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(names[:used])


def _sharing(batch_size: int, available: int) -> int:
    """The largest number of devices that share a batch evenly."""
    return max(count for count in range(1, available + 1) if batch_size % count == 0)


def through_xla(config: ConfigDict, chosen: tf.distribute.Strategy) -> bool:
    """Whether XLA compiles the whole step: `config.xla`.

    Raises:
      UserError: with several replicas, which exchange gradients within a step.
    """
    if config.xla and chosen.num_replicas_in_sync > 1:
        raise UserError(
            f"xla=True compiles steps for one device; here are {chosen.num_replicas_in_sync} replicas. "
            "Choose xla=False or replicas=1"
        )
    return config.xla


def split_cpu(parts: int | None) -> None:
    """Splits the CPU into several logical devices, unless there is a GPU or it is split already.

    TensorFlow allows this only before its first use.

    Args:
      parts: `config.replicas`.
    """
    if parts is None or parts < 2 or devices.gpus():
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or ()) < parts:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * parts)


def precision(config: ConfigDict, stage: str) -> str:
    """The dtype policy of the trainings of a stage."""
    return config[stage].precision or config.precision


@contextlib.contextmanager
def on_devices(config: ConfigDict, stage: str) -> Iterator[tf.distribute.Strategy]:
    """Sets precision, seed and strategy of a stage. Networks and optimizers must be made within."""
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(precision(config, stage))
    # Not 0: tf.data would compare the seed of a shuffle with 0, and the pipeline's seeds are tensors.
    keras.utils.set_random_seed(config.seed + 1)
    chosen = strategy(config.replicas, config[stage].batch_size)
    with chosen.scope():
        yield chosen


def fit(
    method: Method,
    batches: Callable[[int], tf.data.Dataset],
    section: ConfigDict,
    directory: Path,
    log_directory: Path,
    reads: Sequence[Path],
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains up to step `section.steps`, from the last checkpoint in `directory` if there is one.

    Args:
      method: with `jit_compile` set to `through_xla`.
      batches: start step -> endless dataset whose first batch is that of this step.
      section: of the config, with steps, log_every and checkpoint_every.
      directory: of the training; checkpoints go below it.
      log_directory: TensorBoard's, of this training.
      reads: the sets of records behind `batches`, to name a damaged shard.
      callbacks: further Keras callbacks.

    Raises:
      UserError: the checkpoint does not fit the method, a shard is damaged, or a loss or variable is not finite.
    """
    checkpoints = CheckpointDirectory(tf.train.Checkpoint(method=method), directory / "checkpoints")
    checkpoints.restore_last()
    start = int(keras.ops.convert_to_numpy(method.step))
    if start >= section.steps:
        return
    dataset = batches(start)
    with records.naming_damage(*reads):
        method.fit(
            dataset,
            initial_epoch=start // section.log_every,
            epochs=section.steps // section.log_every,
            steps_per_epoch=section.log_every,
            verbose=0,
            shuffle=False,  # the pipeline shuffles
            callbacks=[
                Progress(directory.name, start, section.steps),
                Scalars(log_directory, section.log_every),
                DiscriminatorWatch(directory, log_directory, section.log_every),
                *callbacks,
                Checkpoints(checkpoints, section),
            ],
        )
