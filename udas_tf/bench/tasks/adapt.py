"""A step of output adaptation: segmenter with two classifiers, two discriminators, L_kl."""

from __future__ import annotations

from pathlib import Path

import keras

from udas_tf.bench import arithmetic
from udas_tf.bench.measuring import Measured, peak_memory
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.stages import fit, networks, trainings


def measure(scale: Scale, directory: Path, precision: str, recompute: bool = False) -> Measured:
    config = settings.config(scale, precision)
    config.model.recompute = recompute
    with fit.stage(config):
        method = trainings.output_adaptation(config, networks.segmenter(config))
        classes = len(networks.class_set(config))
        source = {
            "image": steps.images(scale.batch, scale.size, 0),
            "label": steps.labels(scale.batch, scale.size, classes),
        }
        batch = {"source": source, "target": {"image": steps.images(scale.batch, scale.size, 1)}}
        seconds = steps.timed_steps(method, batch, scale.seconds)
        memory = peak_memory()
        return Measured(seconds, {settings.dtype(precision): _operations(method, scale, classes)}, memory)


def _operations(method: keras.Model, scale: Scale, classes: int) -> float:
    segmenter = arithmetic.passes(method.segmenter, scale.size)
    discriminators = [arithmetic.passes(one, scale.size, classes) for one in method.discriminators.values()]
    return arithmetic.adaptation_step(segmenter, discriminators, scale.batch)
