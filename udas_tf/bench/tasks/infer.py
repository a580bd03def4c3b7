"""The model exported for images of one size, on one image: uint8 in, classes and confidences out."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

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
            _draw_biases(segmenter)
            saved_model.save(
                segmenter, exported, networks.class_set(config), scale.size, {}, scale.size, frozen
            )
    served = saved_model.load(exported)
    images = fixtures.pictures(1, scale.size)
    seconds = timed(lambda: served(images)["class_ids"].numpy(), 1, scale.seconds)
    return Measured(seconds, {settings.dtype(precision): operations}, steps.peak_memory())


def _draw_biases(network: keras.Model) -> None:
    """Biases as a trained network's, not zeros, of which TensorFlow makes no sum where they are constants."""
    draw = np.random.default_rng(0)
    for variable in network.variables:
        if variable.name in ("beta", "bias"):
            variable.assign(draw.normal(0.0, 0.1, variable.shape))
