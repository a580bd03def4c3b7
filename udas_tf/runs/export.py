"""Exports the segmenter of a finished row."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import logging

import udas_tf
from udas_tf import plugins, serving
from udas_tf.errors import UserError
from udas_tf.networks import TrainingManifest, trained_segmenter
from udas_tf.run import Run
from udas_tf.runs.rows import Row
from udas_tf.serving._served import Description, check_parity

CHECKED_SIZE = (75, 141)  # height, width of the images of the parity check: odd, and no multiple of the stride


def export(
    run: Run,
    row: Row,
    output: str,
    format: str = serving.DEFAULT,
    size: tuple[int, int] | None = None,
    frozen: bool = False,
) -> None:
    """Writes the model of a row to a directory, after comparing it with the network.

    The model is written beside the directory and renamed after the check. So `output` is whole or not there.

    Args:
      run: the run that has the row.
      row: a finished row.
      output: the directory, new or empty.
      format: a module of udas_tf/serving.
      size: (height, width) of the images that the model takes; None = any.
      frozen: write the weights as constants.

    Raises:
      UserError: the row is not trained, the format is unknown, or `output` is not empty.
      RuntimeError: the model differs from the network.
    """
    directory = Path(output).resolve()
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UserError(f"--output={output} exists and is no empty directory; choose another or remove it")
    chosen = plugins.load(serving.PACKAGE, format, "--format")
    segmenter = trained_segmenter(run, row.name)
    temporary = directory.with_name(f"writing.{directory.name}")
    if temporary.exists():  # an export was killed
        shutil.rmtree(temporary)
    chosen.save(segmenter, temporary, _description(run, row, size), frozen)
    images = np.random.default_rng(run.config.seed).integers(0, 256, (2, *(size or CHECKED_SIZE), 3), np.uint8)
    check_parity(segmenter, chosen.load(temporary), images)
    temporary.replace(directory)
    logging.info("%s is exported to %s", row.name, output)


def _description(run: Run, row: Row, size: tuple[int, int] | None) -> Description:
    trained = TrainingManifest.of(run.dir.training(row.name))
    provenance = dataclasses.asdict(trained) | {
        "head": run.config.model.head,
        "backbone": run.config.model.backbone,
        "versions": {module.__name__: module.__version__ for module in (udas_tf, tf, keras)},
    }
    classes, trained_size = run.classes, tuple(run.config.data.size)
    return Description(classes.name, classes.classes, classes.colours, trained_size, size, provenance)
