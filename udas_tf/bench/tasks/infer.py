"""Inference: a model exported for images of one size, on one image; uint8 in, classes and confidences out."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from udas_tf import networks
from udas_tf.bench import arithmetic, fixtures
from udas_tf.bench.measuring import Measured, timed
from udas_tf.bench.tasks import settings, steps
from udas_tf.bench.workloads import Scale
from udas_tf.serving import saved_model
from udas_tf.serving._served import Description


def measure(scale: Scale, directory: Path, precision: str, frozen: bool = False) -> Measured:
    """Seconds for an image; `precision` is the config's key, `frozen` the argument of `saved_model.save`."""
    config = settings.config(scale, precision)
    settings.use(config)
    classes = settings.classes(config)
    exported = directory / f"{precision}-{frozen}"
    segmenter = networks.segmenter(config, len(classes))
    # The classes come from the primary classifier alone.
    primary = keras.Model(segmenter.input, segmenter.output["primary"])
    operations = arithmetic.passes(primary, scale.size).forward
    if not exported.is_dir():
        _draw_biases(segmenter)
        description = Description(classes.name, classes.classes, classes.colours, scale.size, scale.size)
        saved_model.save(segmenter, exported, description, frozen)
    served = saved_model.load(exported)
    images = fixtures.pictures(1, scale.size)
    seconds = timed(lambda: served(images), 1, scale.seconds)
    return Measured(seconds, {settings.dtype(precision): operations}, steps.peak_memory())


def _draw_biases(network: keras.Model) -> None:
    """Draws biases. TensorFlow leaves out the sum with a bias that is a constant zero, which no trained network has."""
    draw = np.random.default_rng(0)
    for variable in network.variables:
        if variable.name in ("beta", "bias"):
            variable.assign(draw.normal(0.0, 0.1, variable.shape))
