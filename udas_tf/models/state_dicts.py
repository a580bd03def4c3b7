"""Which entry of a published checkpoint belongs to which variable of our networks.

A `Format` is a kind of checkpoint; `recognise` tells it from the names of the entries, and `plan` lays the
entries against a network, before anything is assigned. Entries are in PyTorch's names and layouts:
`torch_checkpoints.read` gives them, or `of_keras_resnet`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

import keras
import numpy as np

from udas_tf.errors import UserError
from udas_tf.models.layers import CAFFE_MEAN_BGR

Entries = Mapping[str, np.ndarray]
# Names of our layers, and the modules of their convolution and of their normalisation ("" = none).
Rules = tuple[tuple[str, str, str], ...]

PARAMETERS = {"kernel": "weight", "bias": "bias"}
NORMALISATION = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
EPSILON = 1e-5  # of the frozen batch norms of our ResNets
COUNTERS = r"(.*\.)?num_batches_tracked"  # of PyTorch's batch norms; nothing depends on them
CLASSIFIERS = r"(primary|auxiliary)_classifier_.*"


@dataclasses.dataclass(frozen=True)
class ImageScale:
    """What a network takes images to: (pixel - mean) / deviation, channels in its own order, in 0..255."""

    order: str  # "rgb" or "bgr"
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of checkpoint."""

    title: str
    part: str  # the network it is of, as `weights import --network` names them
    marker: str  # an entry that all such checkpoints have, and none of those further down in FORMATS
    rules: Rules | Callable[[keras.Model], Rules]
    # Entries that are expected and of no use, each unless the network has a certain layer.
    unused: tuple[tuple[str, str], ...] = ()
    fresh: str = ""  # layers that keep their initial weights
    scale: ImageScale | None = None  # of a ResNet trained on other images than caffe's
    note: str = ""  # what the user should know


# --- the formats --------------------------------------------------------------------------------------------

RESNET: Rules = (
    (r"conv1", "conv1", "bn1"),
    (r"(layer\d)_(\d+)_conv(\d)", r"\1.\2.conv\3", r"\1.\2.bn\3"),
    (r"(layer\d)_(\d+)_downsample", r"\1.\2.downsample.0", r"\1.\2.downsample.1"),
)
ASPP: Rules = (
    (r"primary_classifier_(\d)", r"layer6.conv2d_list.\1", ""),
    (r"auxiliary_classifier_(\d)", r"layer5.conv2d_list.\1", ""),
)
EFFICIENTNET: Rules = (
    (r"stem", "_conv_stem", "_bn0"),
    (r"block(\d+)_expand", r"_blocks.\1._expand_conv", r"_blocks.\1._bn0"),
    (r"block(\d+)_depthwise", r"_blocks.\1._depthwise_conv", r"_blocks.\1._bn1"),
    (r"block(\d+)_project", r"_blocks.\1._project_conv", r"_blocks.\1._bn2"),
)
MULTI_SCALE: Rules = (
    (r"scale(\d)_9", r"cnns.\1.9", ""),
    (r"scale(\d)_(\d)", r"cnns.\1.\2.conv", ""),
    (r"scale(\d)_(\d)_(\d)", r"cnns.\1.\2.model.\3.conv", ""),
)
# Instance norms of PyTorch before 0.4 kept statistics that they did not use.
INSTANCE_STATISTICS = ((r".*\.running_(mean|var)", ""),)
IMAGENET_DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def _seg_uncertainty(network: keras.Model) -> Rules:
    rules: Rules = RESNET
    squeeze = any(layer.name.endswith("_squeeze") for layer in network.layers)
    for level, module in (("primary", "layer6"), ("auxiliary", "layer5")):
        name, at = f"{level}_classifier", int(squeeze)
        rules += (
            (rf"{name}_(\d)", rf"{module}.conv2d_list.\1.0", ""),
            (rf"{name}_(\d)_norm", "", rf"{module}.conv2d_list.\1.1"),
            (rf"{name}_squeeze", f"{module}.bottleneck.0.se.0", ""),
            (rf"{name}_excite", f"{module}.bottleneck.0.se.2", ""),
            (rf"{name}_bottleneck", f"{module}.bottleneck.{at}", ""),
            (rf"{name}_bottleneck_norm", "", f"{module}.bottleneck.{at + 1}"),
            (rf"{name}_head", f"{module}.head.1", ""),
        )
    return rules


def _generator(network: keras.Model) -> Rules:
    """Indices in nn.Sequential, where paddings, norms and ReLUs count: three modules a convolution."""
    blocks = sum(layer.name.endswith("_add") for layer in network.layers)
    last = 10 + blocks
    numbered = {"conv0": 1, "down0": 4, "down1": 7, "up0": last, "up1": last + 3, "conv1": last + 7}
    named = [(name, f"model.{index}", "") for name, index in numbered.items()]
    for index in range(blocks):
        named.append((f"block{index}_0", f"model.{10 + index}.conv_block.1", ""))
        named.append((f"block{index}_1", f"model.{10 + index}.conv_block.5", ""))
    return tuple(named)


def _patch_gan(network: keras.Model) -> Rules:
    """One convolution and its LeakyReLU, then convolution, norm and LeakyReLU."""
    convolutions = [layer.name for layer in network.layers if layer.weights]
    return tuple((name, f"model.{max(3 * index - 1, 0)}", "") for index, name in enumerate(convolutions))


DEEPLAB = Format(
    "DeepLab v2 of AdaptSegNet or ADVENT",
    "segmenter",
    "layer6.conv2d_list.0.weight",
    RESNET + ASPP,
    unused=(
        (r"layer5\..*", "auxiliary_classifier_0"),
        (r"layer[56]\.conv2d_list\.[23]\..*", "primary_classifier_2"),
    ),
    note="The file does not tell its ASPP rates: AdaptSegNet's published checkpoints were trained with two "
    "(--config.model.aspp_rates=6,12), ADVENT's with four.",
)
TORCHVISION = Format(
    "ResNet of torchvision",
    "segmenter",
    "layer4.0.conv1.weight",
    RESNET,
    unused=((r"fc\..*", ""),),
    fresh=CLASSIFIERS,
    scale=ImageScale("rgb", (0.485 * 255, 0.456 * 255, 0.406 * 255), IMAGENET_DEVIATION),
    note="torchvision's strides are in the 3x3 convolutions, this network's in the 1x1 before them: the "
    "weights fit, but the features of the second stage on are not the original's before training.",
)
# Not in FORMATS: `of_keras_resnet` gives it torchvision's names.
KERAS_RESNET = dataclasses.replace(
    TORCHVISION,
    title="ResNet of keras.applications",
    scale=ImageScale("bgr", (103.939, 116.779, 123.68)),
    note="",
)
# The first whose marker an entry bears is taken.
FORMATS = (
    Format(
        "network of Seg-Uncertainty",
        "segmenter",
        "layer6.conv2d_list.0.0.weight",
        _seg_uncertainty,
        unused=((r"layer5\..*", "auxiliary_classifier_0"),),
    ),
    DEEPLAB,
    dataclasses.replace(
        DEEPLAB,
        title="single-level DeepLab v2 of AdaptSegNet",
        marker="layer5.conv2d_list.0.weight",
        rules=(*RESNET, (r"primary_classifier_(\d)", r"layer5.conv2d_list.\1", "")),
        unused=((r"layer5\.conv2d_list\.[23]\..*", "primary_classifier_2"),),
    ),
    Format(
        "initial weights of AdaptSegNet",
        "segmenter",
        "Scale.conv1.weight",
        tuple((layer, f"Scale.{conv}", f"Scale.{norm}") for layer, conv, norm in RESNET),
        unused=((r"Scale\.layer5\..*", ""),),
        fresh=CLASSIFIERS,
    ),
    TORCHVISION,
    Format(
        "EfficientNet-Lite",
        "segmenter",
        "_conv_stem.weight",
        EFFICIENTNET,
        unused=((r"(_conv_head|_bn1|_fc)\..*", ""),),
        fresh=CLASSIFIERS,
    ),
    Format(
        "ResNet generator of CycleGAN",
        "generator",
        "model.10.conv_block.1.weight",
        _generator,
        unused=INSTANCE_STATISTICS,
    ),
    Format(
        "PatchGAN of CycleGAN",
        "image_discriminator",
        "model.0.weight",
        _patch_gan,
        unused=INSTANCE_STATISTICS,
    ),
    Format(
        "discriminator of AdaptSegNet",
        "output_discriminator",
        "classifier.weight",
        ((r"(conv\d|classifier)", r"\1", ""),),
    ),
    Format(
        "discriminator of Seg-Uncertainty",
        "output_discriminator",
        "cnns.0.0.conv.weight",
        MULTI_SCALE,
    ),
    Format(
        "discriminator of ADVENT",
        "output_discriminator",
        "8.weight",
        (
            *((rf"conv{index + 1}", str(2 * index), "") for index in range(4)),
            (r"classifier", "8", ""),
        ),
    ),
)


def recognise(entries: Entries, part: str) -> Format:
    """The format of a checkpoint; UserError when there is none, or it is of another network than `part`."""
    found = next((kind for kind in FORMATS if kind.marker in entries), None)
    if found is None:
        names = ", ".join(list(entries)[:3])
        known = "; ".join(kind.title for kind in FORMATS)
        raise UserError(f"no known kind of checkpoint (it starts with {names}); expected one of: {known}")
    if found.part != part:
        raise UserError(f"holds the {found.title}; import it with --network={found.part}")
    return found


# --- laying entries against a network -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Plan:
    """What goes where. `missing`, `unexpected` and `misshaped` (one line each) must be empty to `apply`."""

    assignments: list[tuple[keras.Variable, np.ndarray]]
    missing: list[str]
    unexpected: list[str]
    misshaped: list[str]
    unused: list[str]  # entries that are expected and of no use
    fresh: list[str]  # layers that keep their initial weights

    @property
    def fits(self) -> bool:
        return not (self.missing or self.unexpected or self.misshaped)

    def apply(self) -> None:
        for variable, value in self.assignments:
            variable.assign(value)


def plan(network: keras.Model, entries: Entries, kind: Format) -> Plan:
    """Lays the entries of a checkpoint of `kind` against the variables of a network; assigns nothing."""
    wanted: dict[str, keras.Variable] = {}
    missing, misshaped, fresh = [], [], []
    for layer in network.layers:
        if not layer.weights:
            continue
        if kind.fresh and re.fullmatch(kind.fresh, layer.name):
            fresh.append(layer.name)
            continue
        names = _entry_names(layer, kind.rules if isinstance(kind.rules, tuple) else kind.rules(network))
        missing += [f"anything for the layer {layer.name}"] if names is None else []
        wanted |= names or {}
    missing += [name for name in wanted if name not in entries]
    layers = {layer.name for layer in network.layers}
    useless = [pattern for pattern, layer in kind.unused if layer not in layers] + [COUNTERS]
    rest = [name for name in entries if name not in wanted]
    unused = [name for name in rest if any(re.fullmatch(pattern, name) for pattern in useless)]
    values = {name: _to_keras(entries[name]) for name in wanted if name in entries}
    for name, value in values.items():
        if value.shape != tuple(wanted[name].shape):
            expected = _to_torch_shape(tuple(wanted[name].shape))
            misshaped.append(f"{name} is {entries[name].shape}, expected {expected}")
    if kind.scale is not None and not (missing or misshaped):
        values |= _on_caffe_images(values["conv1.weight"], values["bn1.running_mean"], kind.scale)
    assignments = [(wanted[name], value) for name, value in values.items()]
    unexpected = [name for name in rest if name not in unused]
    return Plan(assignments, missing, unexpected, misshaped, unused, fresh)


def _entry_names(layer: keras.layers.Layer, rules: Rules) -> dict[str, keras.Variable] | None:
    """Entry -> variable for all variables of a layer; None where no rule knows it."""
    for pattern, convolution, norm in rules:
        if match := re.fullmatch(pattern, layer.name):
            names = {}
            for variable in layer.weights:
                module, names_of = (
                    (convolution, PARAMETERS) if variable.name in PARAMETERS else (norm, NORMALISATION)
                )
                names[f"{match.expand(module)}.{names_of[variable.name]}"] = variable
            return names
    return None


def _to_keras(array: np.ndarray) -> np.ndarray:
    """Kernels of convolutions, transposed or not, from [out, in, height, width] and [in, out, height, width];
    those of dense layers from [out, in]."""
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)
    return array.T if array.ndim == 2 else array


def _to_torch_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[::-1] if len(shape) != 4 else (shape[3], shape[2], shape[0], shape[1])


# --- ResNets of other images and of Keras -------------------------------------------------------------------


def _on_caffe_images(kernel: np.ndarray, mean: np.ndarray, scale: ImageScale) -> Entries:
    """The first convolution and its running mean for images as CaffeNormalization gives them.

    With u = BGR - c as our network sees it, the one imported saw (u + c - m) / d: the kernel takes 1 / d and
    what is constant, sum(kernel (c - m) / d), leaves the running mean. Exact but for the three pixels of zero
    padding at the border, which stand for the colour c instead of m, a level apart.

    Args:
        kernel: [7, 7, 3, 64], channels in `scale.order`.
        mean: [64], the running mean of its batch norm.
    """
    step = -1 if scale.order == "rgb" else 1
    there, deviation = np.array(scale.mean)[::step], np.array(scale.deviation)[::step]
    kernel = kernel[:, :, ::step].astype(np.float64) / deviation[:, None]
    constant = (kernel * (np.array(CAFFE_MEAN_BGR) - there)[:, None]).sum(axis=(0, 1, 2))
    return {"conv1.weight": kernel, "bn1.running_mean": mean - constant}


def of_keras_resnet(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a keras.applications ResNet-50/101/152 (version 1) as torchvision's entries.

    Its convolutions have biases, which leave the running means, and its batch norms an epsilon of 1.001e-5,
    of which what exceeds ours goes to the running variances.
    """
    entries: dict[str, np.ndarray] = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        module, values = _torchvision_name(layer.name), [np.asarray(value) for value in layer.get_weights()]
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = values
            bias = np.asarray(model.get_layer(layer.name.removesuffix("bn") + "conv").bias)
            entries |= {f"{module}.weight": gamma, f"{module}.bias": beta}
            entries[f"{module}.running_mean"] = mean - bias
            entries[f"{module}.running_var"] = variance + (layer.epsilon - EPSILON)
        elif isinstance(layer, keras.layers.Conv2D):
            entries[f"{module}.weight"] = values[0].transpose(3, 2, 0, 1)
        else:
            entries |= {f"{module}.weight": values[0].T, f"{module}.bias": values[1]}
    return entries


def _torchvision_name(name: str) -> str:
    """`conv2_block1_3_bn` is layer1.0.bn3; 0 is the projection of the shortcut."""
    if match := re.fullmatch(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", name):
        stage, block, number = (int(group) for group in match.groups()[:3])
        kind = match[4]
        last = f"{kind}{number}" if number else f"downsample.{int(kind == 'bn')}"
        return f"layer{stage - 1}.{block - 1}.{last}"
    return {"conv1_conv": "conv1", "conv1_bn": "bn1"}.get(name, "fc")
