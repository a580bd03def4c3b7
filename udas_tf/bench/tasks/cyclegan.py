"""A CycleGAN step: two generators, two discriminators, identity loss, image pools."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from udas_tf.bench import arithmetic
from udas_tf.bench.measuring import Measured
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.stages import fit, trainings


def measure(scale: Scale, directory: Path, precision: str, xla: bool = False) -> Measured:
    """Args beside those of every task: precision, xla: keys of the config."""
    config = settings.config(scale, precision)
    config.xla = xla
    with fit.stage(config, scale.batch) as strategy:
        method = trainings.image_translation(config, None)
        method.jit_compile = fit.through_xla(config, strategy)
        batch = {
            domain: steps.images(scale.batch, scale.crop, seed)
            for seed, domain in enumerate(("source", "target"))
        }
        dataset = tf.data.Dataset.from_tensors(batch).repeat()
        seconds = steps.timed_steps(method, dataset, scale.seconds)
        memory = steps.peak_memory()
        generator = arithmetic.passes(method.generators["G"], scale.crop)
        discriminator = arithmetic.passes(method.discriminators["target"], scale.crop)
        operations = arithmetic.cyclegan_step(generator, discriminator, scale.batch)
        return Measured(seconds, {settings.dtype(precision): operations}, memory)
