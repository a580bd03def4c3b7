"""Networks as the config asks for them, and segmenters as finished stages left them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import h5py
import keras

from udas_tf import config as configs
from udas_tf import taxonomy
from udas_tf.data import class_file
from udas_tf.errors import UserError
from udas_tf.models import baselines, deeplab_v2, discriminators, generators, seg_uncertainty
from udas_tf.models.recompute import Recomputing
from udas_tf.run_dir import RunDir
from udas_tf.stages.checks import one_of
from udas_tf.stages.rounds import Row

WEIGHTS = "segmenter.weights.h5"
GENERATOR_WEIGHTS = "generator.weights.h5"
NETWORKS = ("deeplab_v2", "seg_uncertainty", "fcn", "deeplab_v3_plus")


def class_set(config) -> taxonomy.ClassSet:
    """The run's class set: a built-in one, or that of a classes.yaml."""
    return class_file.class_set(config.classes)


def segmenter(config) -> keras.Model:
    """A new segmenter, from `model.initial_weights` or random."""
    network = _task_network(config.model, len(class_set(config)))
    if config.model.initial_weights:
        _load_initial(network, config, Path(config.model.initial_weights))
    return Recomputing(network.input, network.output) if config.model.recompute else network


def _load_initial(network: keras.Model, config, path: Path) -> None:
    """Loads a file of this network, or of the same one with the auxiliary classifier that it lacks.

    Keras stores weights by the order of the layers, by which a network of one classifier would silently read some of
    the other's.
    """
    if config.model.auxiliary or not h5py.is_hdf5(path) or _arrays(path) == len(network.weights):
        load(network, path)
        return
    model = config.model.copy_and_resolve_references()
    model.auxiliary = True
    both = _task_network(model, len(class_set(config)))
    load(both, path)
    values = {variable.path: variable for variable in both.weights}
    for variable in network.weights:
        variable.assign(values[variable.path])


def _arrays(path: Path) -> int:
    """How many arrays a .weights.h5 file holds."""
    found = []
    with h5py.File(path) as file:
        file.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    return len(found)


def _task_network(model, num_classes: int) -> keras.Model:
    options = {"auxiliary": model.auxiliary, "output_stride": model.output_stride}
    if model.backbone == "compact":
        if len(model.blocks) != 4:
            raise UserError(f"model.blocks={tuple(model.blocks)}; expected the blocks of four stages")
        options |= {"width": model.width, "blocks": tuple(model.blocks)}
    rates = tuple(model.aspp_rates)
    match model.network:
        case "deeplab_v2":
            return deeplab_v2.build(model.backbone, num_classes, rates, **options)
        case "seg_uncertainty":
            return seg_uncertainty.build(
                model.backbone, num_classes, rates, model.squeeze_excite, model.dropout, **options
            )
        case "fcn":
            return baselines.fcn(num_classes, dropout=model.dropout, output_stride=model.output_stride)
        case "deeplab_v3_plus":
            return baselines.deeplab_v3_plus(num_classes)
    raise UserError(f"model.network={model.network!r} is unknown; expected one of {', '.join(NETWORKS)}")


def precision(config, stage: str) -> str:
    """What the trainings of a stage, a section of the config, compute in."""
    return config[stage].get("precision") or config.precision


def trained_segmenter(config, run_dir: RunDir, row: Row, in_precision: str = "") -> keras.Model:
    """The segmenter of a finished row, and from here on networks in `in_precision`, or else in what the row was trained in;
    UserError naming the command that trains it otherwise."""
    directory = run_dir.require(run_dir.training(row.name), f"the {row.name} segmenter", row.command)
    keras.config.set_dtype_policy(in_precision or precision(config, row.stage))
    network = segmenter(configs.override(config, {"model.initial_weights": ""}))
    load(network, directory / WEIGHTS)
    return network


def output_discriminators(
    config, levels: Iterable[str], channels: Mapping[str, int] | None = None
) -> dict[str, keras.Model]:
    """One discriminator for each of these levels of a segmenter, of softmax maps or of features of so many channels."""
    one_of("uda.discriminator", config.uda.discriminator, discriminators.OF_OUTPUTS)
    build = discriminators.OF_OUTPUTS[config.uda.discriminator]
    if channels is None:
        channels = dict.fromkeys(levels, len(class_set(config)))
    return {level: build(channels[level], width=config.uda.discriminator_width) for level in levels}


def generator(config) -> keras.Model:
    section = config.translate
    one_of("translate.upsampling", section.upsampling, generators.UPSAMPLING)
    return generators.resnet_generator(section.width, section.blocks, section.upsampling, section.residual)


def trained_generator(config, run_dir: RunDir) -> keras.Model:
    """G: source -> target, as `train --stage=translate` left it."""
    directory = run_dir.require(run_dir.training("translate"), "the generator", "train --stage=translate")
    keras.config.set_dtype_policy(config.precision)
    network = generator(config)
    load(network, directory / GENERATOR_WEIGHTS)
    return network


def image_discriminator(config) -> keras.Model:
    section = config.translate
    return discriminators.patch_gan(
        width=section.discriminator_width, num_layers=section.discriminator_layers
    )


def load(network: keras.Model, path: Path) -> None:
    """Loads .weights.h5; UserError when the file is missing or of another network."""
    if not path.is_file():
        raise UserError(f"weights {path} not found")
    try:
        network.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"weights {path} do not fit the config's network: {reason}") from error


def save(network: keras.Model, path: Path) -> None:
    """Saves .weights.h5 under a temporary name, then renames it."""
    temporary = path.with_name("writing." + path.name)
    network.save_weights(temporary)
    temporary.replace(path)
