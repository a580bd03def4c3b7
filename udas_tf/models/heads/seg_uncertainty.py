"""Seg-Uncertainty's classifiers (MRNet): dilated branches, squeeze-and-excitation, a bottleneck.

layumi/Seg-Uncertainty, model/deeplab_multi.py, with the settings of its published models (`--norm-style gn
--use-se --drop 0.1`).
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import initializers, layers

from udas_tf.errors import UserError
from udas_tf.models.features import Features
from udas_tf.models.layers import ChannelDropout, GroupNorm, SymmetricConv2D

LEVELS = ("primary", "auxiliary")
AT_IMAGE_SIZE = False
BRANCH, BOTTLENECK = 256, 512  # filters
GROUPS = 32
REDUCTION = 16  # of the channels in the squeeze-and-excitation


@dataclasses.dataclass(frozen=True)
class Config:
    rates: tuple[int, ...] = (6, 12, 18, 24)  # dilations of the 3x3 branches beside the 1x1 one, cells; the original's
    squeeze_excite: bool = True  # weigh the branches' channels before the bottleneck; as the published models
    dropout: float = 0.1  # fraction of a classifier's last channels set to zero in training; as the published models


def build(features: Features, num_classes: int, levels: tuple[str, ...], keys: Config) -> dict[str, keras.KerasTensor]:
    """Logits of each level, of the size of its maps.

    The auxiliary classifier reads the third stage, the primary one the fourth and the third together, which
    must have one size.

    Raises:
      UserError: without rates, or where the two stages have different strides.
    """
    if not keys.rates:
        raise UserError(
            f"model.seg_uncertainty.rates is empty; expected at least one dilation, such as {Config().rates}"
        )
    third, fourth = features.stages[16], features.stages[32]
    if third.stride != fourth.stride:
        raise UserError(
            f"model.head=seg_uncertainty reads two stages as one, and theirs are strides {third.stride} and "
            f"{fourth.stride}; set model.output_stride=16 or less"
        )
    both = layers.Concatenate(name="stages")([fourth.maps, third.maps])
    maps = {"primary": both, "auxiliary": third.maps}
    return {level: _classifier(maps[level], num_classes, keys, level) for level in levels}


def _classifier(x: keras.KerasTensor, num_classes: int, keys: Config, level: str) -> keras.KerasTensor:
    """The original's layer6 (primary) or layer5 (auxiliary): branches of 1x1 and dilated 3x3 convolutions,
    side by side, a 3x3 convolution of them, and the classes.

    `{level}_classifier_{i}` and `..._{i}_norm` are conv2d_list.{i}.0 and .1; `..._squeeze` and `..._excite`
    bottleneck.0.se.0 and .2; `..._bottleneck` and `..._bottleneck_norm` bottleneck.1 and .2 (0 and 1 without
    squeeze-and-excitation); `..._head` head.1.
    """
    name = f"{level}_classifier"
    branches = []
    for index, rate in enumerate((1, *keys.rates)):
        branch = _conv_norm(x, BRANCH, 1 if index == 0 else 3, rate, f"{name}_{index}")
        branches.append(layers.ReLU(name=f"{name}_{index}_relu")(branch))
    x = layers.Concatenate(name=f"{name}_branches")(branches)
    if keys.squeeze_excite:
        x = _squeeze_excite(x, name)
    # No ReLU here, as in the original.
    x = _conv_norm(x, BOTTLENECK, 3, 1, f"{name}_bottleneck")
    x = ChannelDropout(keys.dropout, name=f"{name}_dropout")(x)
    head = layers.Conv2D(
        num_classes,
        1,
        use_bias=False,
        kernel_initializer=initializers.RandomNormal(stddev=0.001),
        name=f"{name}_head",
    )
    return layers.Activation("linear", dtype="float32", name=level)(head(x))


def _squeeze_excite(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    weights = layers.GlobalAveragePooling2D(keepdims=True, dtype="float32", name=f"{name}_mean")(x)
    squeeze = layers.Dense(x.shape[-1] // REDUCTION, "relu", name=f"{name}_squeeze", **_initial())
    excite = layers.Dense(x.shape[-1], "sigmoid", name=f"{name}_excite", **_initial())
    return layers.Multiply(name=f"{name}_excited")([x, excite(squeeze(weights))])


def _conv_norm(x: keras.KerasTensor, filters: int, kernel_size: int, dilation: int, name: str) -> keras.KerasTensor:
    convolution = SymmetricConv2D(filters, kernel_size, dilation_rate=dilation, name=name, **_initial())
    return GroupNorm(GROUPS, name=f"{name}_norm")(convolution(x))


def _initial() -> dict[str, Any]:
    return {"kernel_initializer": initializers.HeNormal()}
