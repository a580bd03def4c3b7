"""Segmenters as the config asks for them, and as finished trainings left them."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import h5py
import keras
from ml_collections import ConfigDict

from udas_tf import typed_json
from udas_tf.errors import UserError
from udas_tf.models import segmenter as segmenters
from udas_tf.run import Run
from udas_tf.run_dir import MANIFEST

SEGMENTER = "segmenter.weights.h5"


@dataclasses.dataclass(frozen=True)
class TrainingManifest:
    """The manifest of a finished training.

    Attributes:
      row: its name.
      stage: method that trained it.
      round: of a row that repeats in rounds.
      step: of the weights.
      weights: file of the weights, beside the manifest.
      weights_sha256: its checksum.
      precision: dtype policy of the training.
      saw_source: whether it was trained on source images.
    """

    row: str
    stage: str
    round: int | None
    step: int
    weights: str
    weights_sha256: str
    precision: str
    saw_source: bool

    @classmethod
    def of(cls, directory: Path) -> TrainingManifest:
        """The manifest in a directory.

        Raises:
          UserError: it is missing or damaged.
        """
        return typed_json.read(directory / MANIFEST, cls)


def digest(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    content = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            content.update(block)
    return content.hexdigest()


def segmenter(config: ConfigDict, num_classes: int) -> keras.Model:
    """A new segmenter with the weights of `model.initial_weights`, or random ones.

    Raises:
      UserError: the keys of `model` do not fit together, or the file is missing or of another network.
    """
    network = _build(config.model, num_classes, config.model.auxiliary)
    if config.model.initial_weights is not None:
        _load_initial(network, config, num_classes, Path(config.model.initial_weights))
    return network


def untrained(config: ConfigDict, num_classes: int) -> keras.Model:
    """A segmenter with random weights, for others to be loaded into. Raises as `segmenter` does."""
    return _build(config.model, num_classes, config.model.auxiliary)


def _build(model: ConfigDict, num_classes: int, auxiliary: bool) -> keras.Model:
    return segmenters.build(
        model.backbone,
        model.head,
        num_classes,
        model.output_stride,
        auxiliary,
        model.get(model.backbone),
        model.get(model.head),
        model.gradient_checkpointing,
    )


def _load_initial(network: keras.Model, config: ConfigDict, num_classes: int, path: Path) -> None:
    """Loads a file of this network, or of the same network with an auxiliary classifier besides.

    Keras stores weights in the order of the layers. In that order a network of one classifier would silently read some
    weights of the other.
    """
    if config.model.auxiliary or not h5py.is_hdf5(path) or _arrays(path) == len(network.weights):
        load(network, path)
        return
    both = _build(config.model, num_classes, auxiliary=True)
    load(both, path)
    values = {variable.path: variable for variable in both.weights}
    for variable in network.weights:
        variable.assign(values[variable.path])


def _arrays(path: Path) -> int:
    """Number of arrays in a .weights.h5 file."""
    arrays: list[h5py.Dataset] = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
    return len(arrays)


def trained_segmenter(run: Run, name: str, precision: str | None = None) -> keras.Model:
    """The segmenter of a finished row.

    Args:
      name: of the row.
      precision: dtype policy, which is set globally; None = the one that the row was trained in.

    Raises:
      UserError: the row is not finished; the error names the command that trains it.
    """
    directory = run.dir.require(run.dir.training(name), f"the {name} segmenter", f"train --name={name}")
    manifest = TrainingManifest.of(directory)
    keras.config.set_dtype_policy(precision or manifest.precision)
    network = untrained(run.config, len(run.classes))
    load(network, directory / manifest.weights)
    return network


def load(network: keras.Model, path: Path) -> None:
    """Loads a .weights.h5 file.

    Raises:
      UserError: the file is missing or of another network.
    """
    if not path.is_file():
        raise UserError(f"weights {path} not found")
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"weights {path} do not fit the config's network: {reason}") from error


def save(network: keras.Model, path: Path) -> None:
    """Saves a .weights.h5 file under a temporary name, then renames it."""
    temporary = path.with_name("writing." + path.name)
    network.save_weights(temporary)
    temporary.replace(path)
