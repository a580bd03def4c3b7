"""A step of adversarial adaptation: a segmenter with two classifiers, two discriminators, L_kl."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from udas_tf.bench import arithmetic
from udas_tf.bench.measuring import Measured
from udas_tf.bench.tasks import load, settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.methods import uda
from udas_tf.training.loop import on_devices, through_xla


def measure(
    scale: Scale,
    directory: Path,
    precision: str,
    gradient_checkpointing: bool = False,
    xla: bool = False,
    fed: bool = False,
    enlarged: int = 1,
) -> Measured:
    """Seconds for a step.

    Args:
      scale, directory: of every task.
      precision, gradient_checkpointing, xla: keys of the config.
      fed: batches come from records through AutoAugment and Domain CutMix; otherwise one batch is used again and again.
      enlarged: factor of the height and the width of `scale.size`.
    """
    scale = scale.enlarged(enlarged)
    config = settings.config(scale, precision)
    config.model.gradient_checkpointing, config.xla = gradient_checkpointing, xla
    task = settings.task(config, "uda")
    with on_devices(config, "uda") as strategy:
        method = uda.build(task)
        method.jit_compile = through_xla(config, strategy)
        classes = len(task.classes)
        batches = load.batches(directory, scale, scale.batch) if fed else _one_batch(scale, classes)
        seconds = steps.timed_steps(method, batches, scale.seconds)
        memory = steps.peak_memory()
        return Measured(seconds, {settings.dtype(precision): _operations(method, scale, classes)}, memory)


def _one_batch(scale: Scale, classes: int) -> tf.data.Dataset:
    source = {
        "image": steps.images(scale.batch, scale.size, 0),
        "label": steps.labels(scale.batch, scale.size, classes),
    }
    batch = {"source": source, "target": {"image": steps.images(scale.batch, scale.size, 1)}}
    return tf.data.Dataset.from_tensors(batch).repeat()


def _operations(method: uda.OutputAdaptation, scale: Scale, classes: int) -> float:
    segmenter = arithmetic.passes(method.segmenter, scale.size)
    discriminators = [arithmetic.passes(one, scale.size, classes) for one in method.discriminators.values()]
    return arithmetic.adaptation_step(segmenter, discriminators, scale.batch)
