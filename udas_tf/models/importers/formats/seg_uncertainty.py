"""Checkpoints of Seg-Uncertainty (MRNet)."""

from __future__ import annotations

import keras

from udas_tf.models.importers.format import RESNET, Format, Rules

MULTI_SCALE: Rules = (
    (r"scale(\d)_9", r"cnns.\1.9", ""),
    (r"scale(\d)_(\d)", r"cnns.\1.\2.conv", ""),
    (r"scale(\d)_(\d)_(\d)", r"cnns.\1.\2.model.\3.conv", ""),
)


def _segmenter(network: keras.Model) -> Rules:
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


FORMATS = (
    Format(
        "network of Seg-Uncertainty",
        "segmenter",
        "layer6.conv2d_list.0.0.weight",
        _segmenter,
        unused=((r"layer5\..*", "auxiliary_classifier_0"),),
    ),
    Format("discriminator of Seg-Uncertainty", "output_discriminator", "cnns.0.0.conv.weight", MULTI_SCALE),
)
