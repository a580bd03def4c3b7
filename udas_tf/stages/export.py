"""Writes a finished row's segmenter as a SavedModel."""

from __future__ import annotations

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import udas_tf
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, read_json
from udas_tf.serving import saved_model
from udas_tf.stages import networks, rounds

CHECKED_SIZE = (75, 141)  # height, width of the parity check's images: odd, no multiple of the stride


def export(
    config,
    run_dir: RunDir,
    stage: str,
    round_number: int | None,
    name: str | None,
    output: str,
    size: tuple[int, int] | None = None,
    frozen: bool = False,
) -> None:
    """Writes the SavedModel of a row to the directory `output`, checked against the network it is made of; for images of
    (height, width) `size` alone where it is given; `frozen` as `saved_model.save` has it.

    It is written beside `output` and renamed once the check has passed: nothing half-written looks done.
    """
    directory = Path(output).resolve()
    if directory.exists() and not (directory.is_dir() and not any(directory.iterdir())):
        raise UserError(f"--output={output} exists and is no empty directory; choose another or remove it")
    row = rounds.find(config, stage, round_number, name)
    segmenter = networks.trained_segmenter(config, run_dir, row)
    provenance = read_json(run_dir.training(row.name) / "manifest.json")
    provenance |= {
        "network": config.model.network,
        "backbone": config.model.backbone,
        "versions": {module.__name__: module.__version__ for module in (udas_tf, tf, keras)},
    }
    temporary = directory.with_name(f"writing.{directory.name}")
    if temporary.exists():  # left by an export that was killed
        shutil.rmtree(temporary)
    trained_size = tuple(config.data.size)
    saved_model.save(segmenter, temporary, networks.class_set(config), trained_size, provenance, size, frozen)
    images = np.random.default_rng(config.seed).integers(0, 256, (2, *(size or CHECKED_SIZE), 3), np.uint8)
    saved_model.check_parity(segmenter, saved_model.load(temporary), images)
    temporary.replace(directory)
    print(f"{row.name}: {output}")
