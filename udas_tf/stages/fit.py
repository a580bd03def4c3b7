"""Runs a method through Keras's `fit`: devices, resuming, checkpoints, progress, TensorBoard."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import tensorflow as tf
from absl import logging

from udas_tf import progress
from udas_tf.data import records
from udas_tf.errors import UserError
from udas_tf.methods.method import Method
from udas_tf.methods.optimizers import current_learning_rate
from udas_tf.stages.health import DiscriminatorWatch


def strategy(replicas: int, batch_size: int) -> tf.distribute.Strategy:
    """The default strategy for one device, MirroredStrategy for several.

    Args:
      replicas: `config.replicas`. Without a GPU, several share the CPU, which is how the tests see what two GPUs would
        compute.
      batch_size: of the stage, over all replicas.
    """
    gpus = tf.config.list_physical_devices("GPU")
    split_cpu(replicas)
    devices = [device.name for device in tf.config.list_logical_devices("GPU" if gpus else "CPU")]
    used = replicas or _sharing(batch_size, len(devices) if gpus else 1)
    if used > len(devices):
        raise UserError(f"replicas={replicas}, but this machine shows {len(devices)}: {', '.join(devices)}")
    if used == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(devices[:used])


def _sharing(batch_size: int, devices: int) -> int:
    """The most devices that share a batch evenly."""
    return max(count for count in range(1, devices + 1) if batch_size % count == 0)


def through_xla(config, chosen: tf.distribute.Strategy) -> bool:
    """`config.xla`: whether XLA compiles the whole step; UserError with several replicas, which exchange counts and
    gradients within it."""
    if config.xla and chosen.num_replicas_in_sync > 1:
        raise UserError(
            f"xla=True compiles steps for one device; here are {chosen.num_replicas_in_sync} replicas. "
            "Choose xla=False or replicas=1"
        )
    return config.xla


def split_cpu(parts: int) -> None:
    """Where there is no GPU, makes the CPU appear as several devices, unless it does already. TensorFlow allows it before
    its first use, so a stage asks for it before all else."""
    if tf.config.list_physical_devices("GPU") or parts < 2:
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    if len(tf.config.get_logical_device_configuration(cpu) or ()) < parts:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * parts)


@contextlib.contextmanager
def stage(config, batch_size: int, precision: str = "") -> Iterator[tf.distribute.Strategy]:
    """Precision, that of the config where none is given, seed and strategy of one stage, whose batches have `batch_size`
    images of each domain; networks and optimisers are made within."""
    keras.utils.clear_session(free_memory=False)
    keras.config.set_dtype_policy(precision or config.precision)
    # Not 0: tf.data then compares a shuffle's seed with 0, which the pipeline's, being a tensor, does not allow.
    keras.utils.set_random_seed(config.seed + 1)
    chosen = strategy(config.replicas, batch_size)
    with chosen.scope():
        yield chosen


def fit(
    method: Method,
    batches: Callable[[int], tf.data.Dataset],
    section,
    directory: Path,
    log_directory: Path,
    reads: list[Path],
    callbacks: list[keras.callbacks.Callback] = (),
) -> None:
    """Trains for `section.steps` steps, going on from the last checkpoint in `directory` if there is one.

    Args:
      method: a Method, its `jit_compile` as `through_xla` has it.
      batches: start step -> endless dataset whose first batch is that step's.
      section: of the config; needs steps, log_every, checkpoint_every.
      directory: of the artefact; checkpoints go below it.
      log_directory: TensorBoard's, of this training.
      reads: the sets of records behind `batches`, to name the shard when one is damaged.
      callbacks: further Keras callbacks.
    """
    checkpoint = tf.train.Checkpoint(method=method)
    manager = tf.train.CheckpointManager(checkpoint, str(directory / "checkpoints"), max_to_keep=2)
    if manager.latest_checkpoint:
        _restore(checkpoint, manager.latest_checkpoint)
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
            shuffle=False,  # the pipeline has done it
            callbacks=[
                Progress(directory.name, start, section.steps),
                Scalars(log_directory, section.log_every),
                DiscriminatorWatch(directory, log_directory, section.log_every),
                *callbacks,
                Checkpoints(manager, section),
            ],
        )


def _restore(checkpoint: tf.train.Checkpoint, path: str) -> None:
    try:
        checkpoint.restore(path).assert_existing_objects_matched()
    except (ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is of other networks or optimisers than the config's ({reason}); give it back the config it was "
            "begun with, or remove the directory of the training"
        ) from error


class Progress(keras.callbacks.Callback):
    """A progress bar over the whole training: rate, time left, the terms' means."""

    def __init__(self, name: str, start: int, steps: int):
        super().__init__()
        self.bar = progress.bar(steps, name, "step", initial=start)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        losses = {name: f"{value:.3f}" for name, value in logs.items() if name.startswith("L_")}
        self.bar.set_postfix(losses, refresh=False)

    def on_train_end(self, logs=None):
        self.bar.close()


class Scalars(keras.callbacks.Callback):
    """TensorBoard: every term by its name, learning rates; stops a training whose losses are no longer numbers."""

    def __init__(self, log_directory: Path, log_every: int):
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(log_directory))
        self.log_every = log_every

    def on_epoch_end(self, epoch, logs=None):
        step = (epoch + 1) * self.log_every
        with self.writer.as_default(step):
            for name, value in logs.items():
                tf.summary.scalar(f"{'losses' if name.startswith('L_') else 'discriminators'}/{name}", value)
            tf.summary.scalar("learning_rate/networks", current_learning_rate(self.model.optimizer))
            other = getattr(self.model, "discriminator_optimizer", None)
            if other is not None:
                tf.summary.scalar("learning_rate/discriminators", current_learning_rate(other))
        broken = [name for name, value in logs.items() if not math.isfinite(value)]
        if broken:
            raise _broken(", ".join(broken), step - self.log_every, step)

    def on_train_end(self, logs=None):
        self.writer.close()


def _broken(what: str, before: int, step: int) -> UserError:
    return UserError(
        f"{what} not finite between steps {before} and {step}; lower the learning rate or use "
        "--config.precision=float32, then run the same command: it goes on from the last checkpoint"
    )


class Checkpoints(keras.callbacks.Callback):
    """Saves everything that training changes: networks, optimisers, pools, random state, the step."""

    def __init__(self, manager: tf.train.CheckpointManager, section):
        super().__init__()
        self.manager = manager
        self.section = section

    def on_epoch_end(self, epoch, logs=None):
        step = (epoch + 1) * self.section.log_every
        if step % self.section.checkpoint_every == 0 or step == self.section.steps:
            for (
                variable
            ) in self.model.trainable_variables:  # the means tell of all steps but what the last one did
                if not tf.reduce_all(tf.math.is_finite(variable)):
                    raise _broken(variable.path, step - self.section.log_every, step)
            self.manager.save(checkpoint_number=step)
            logging.debug("checkpoint at step %d", step)
