"""The model exported for images of one size, on one image: uint8 in, classes and confidences out."""

from __future__ import annotations

from pathlib import Path

import keras

from udas_tf.bench import arithmetic, fixtures
from udas_tf.bench.measuring import Measured, timed
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.serving import saved_model
from udas_tf.stages import fit, networks


def measure(scale: Scale, directory: Path, precision: str, frozen: bool = False) -> Measured:
    """`frozen` as `saved_model.save` has it."""
    config = settings.config(scale, precision)
    exported = directory / f"{precision}-{frozen}"
    with fit.stage(config, batch_size=1):
        segmenter = networks.segmenter(config)
        # The classes come from the primary classifier alone.
        primary = keras.Model(segmenter.input, segmenter.output["primary"])
        operations = arithmetic.passes(primary, scale.size).forward
        if not exported.is_dir():
            steps.draw_biases(segmenter)
            saved_model.save(
                segmenter, exported, networks.class_set(config), scale.size, {}, scale.size, frozen
            )
    served = saved_model.load(exported)
    images = fixtures.pictures(1, scale.size)
    seconds = timed(lambda: served(images)["class_ids"].numpy(), 1, scale.seconds)
    return Measured(seconds, {settings.dtype(precision): operations}, steps.peak_memory())
