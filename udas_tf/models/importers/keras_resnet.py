"""ResNets of keras.applications as torchvision's entries."""

from __future__ import annotations

import dataclasses
import re

import keras
import numpy as np

from udas_tf.models.importers.format import ImageScale
from udas_tf.models.importers.formats import torchvision

EPSILON = 1e-5  # of the frozen batch norms of our ResNets

FORMAT = dataclasses.replace(
    torchvision.MODEL,
    title="ResNet of keras.applications",
    scale=ImageScale("bgr", (103.939, 116.779, 123.68)),
    note="",
)


def entries(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a keras.applications ResNet (version 1), named as torchvision's; their format is FORMAT.

    Its convolutions have biases, which are subtracted from the running means, and its batch norms an epsilon
    of 1.001e-5: what exceeds ours is added to the running variances.
    """
    found: dict[str, np.ndarray] = {}
    for layer in model.layers:
        if not layer.weights:
            continue
        module, values = _torchvision_name(layer.name), [np.asarray(value) for value in layer.get_weights()]
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = values
            bias = np.asarray(model.get_layer(layer.name.removesuffix("bn") + "conv").bias)
            found |= {f"{module}.weight": gamma, f"{module}.bias": beta}
            found[f"{module}.running_mean"] = mean - bias
            found[f"{module}.running_var"] = variance + (layer.epsilon - EPSILON)
        elif isinstance(layer, keras.layers.Conv2D):
            found[f"{module}.weight"] = values[0].transpose(3, 2, 0, 1)
        else:
            found |= {f"{module}.weight": values[0].T, f"{module}.bias": values[1]}
    return found


def _torchvision_name(name: str) -> str:
    """`conv2_block1_3_bn` is layer1.0.bn3; 0 is the projection of the shortcut."""
    if match := re.fullmatch(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", name):
        stage, block, number = (int(group) for group in match.groups()[:3])
        kind = match[4]
        last = f"{kind}{number}" if number else f"downsample.{int(kind == 'bn')}"
        return f"layer{stage - 1}.{block - 1}.{last}"
    return {"conv1_conv": "conv1", "conv1_bn": "bn1"}.get(name, "fc")
