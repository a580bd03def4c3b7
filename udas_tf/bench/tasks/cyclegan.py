"""A CycleGAN step: two generators, two discriminators, identity loss, image pools."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from udas_tf.bench import arithmetic
from udas_tf.bench.measuring import Measured
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.methods import translate
from udas_tf.training.loop import on_devices, through_xla


def measure(scale: Scale, directory: Path, precision: str, xla: bool = False) -> Measured:
    """Seconds for a step; `precision` and `xla` are keys of the config."""
    config = settings.config(scale, precision)
    config.xla = xla
    with on_devices(config, "translate") as strategy:
        method = translate.build(settings.task(config, "translate"))
        method.jit_compile = through_xla(config, strategy)
        batch = {
            domain: steps.images(scale.batch, scale.crop, seed) for seed, domain in enumerate(("source", "target"))
        }
        dataset = tf.data.Dataset.from_tensors(batch).repeat()
        seconds = steps.timed_steps(method, dataset, scale.seconds)
        memory = steps.peak_memory()
        generator = arithmetic.passes(method.generators["G"], scale.crop)
        discriminator = arithmetic.passes(method.discriminators["target"], scale.crop)
        operations = arithmetic.cyclegan_step(generator, discriminator, scale.batch)
        return Measured(seconds, {settings.dtype(precision): operations}, memory)
