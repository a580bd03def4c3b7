"""A step of output adaptation: segmenter with two classifiers, two discriminators, L_kl; alone, or with its input."""

from __future__ import annotations

from pathlib import Path

import keras
import tensorflow as tf

from udas_tf.bench import arithmetic
from udas_tf.bench.measuring import Measured
from udas_tf.bench.tasks import load, settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.stages import fit, networks, trainings


def measure(
    scale: Scale,
    directory: Path,
    precision: str,
    recompute: bool = False,
    xla: bool = False,
    fed: bool = False,
    enlarged: int = 1,
) -> Measured:
    """Args beside those of every task:

    precision, recompute, xla: keys of the config.
    fed: the batches come from records through AutoAugment and Domain CutMix, instead of being one and the same.
    enlarged: this many times `scale.size`.
    """
    scale = scale.enlarged(enlarged)
    config = settings.config(scale, precision)
    config.model.recompute, config.xla = recompute, xla
    with fit.stage(config, scale.batch) as strategy:
        method = trainings.output_adaptation(config, networks.segmenter(config))
        method.jit_compile = fit.through_xla(config, strategy)
        classes = len(networks.class_set(config))
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


def _operations(method: keras.Model, scale: Scale, classes: int) -> float:
    segmenter = arithmetic.passes(method.segmenter, scale.size)
    discriminators = [arithmetic.passes(one, scale.size, classes) for one in method.discriminators.values()]
    return arithmetic.adaptation_step(segmenter, discriminators, scale.batch)
