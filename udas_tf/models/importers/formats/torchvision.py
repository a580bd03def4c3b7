"""ResNets of torchvision."""

from __future__ import annotations

from udas_tf.models.importers.format import CLASSIFIERS, RESNET, Format, ImageScale

DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)
MODEL = Format(
    "ResNet of torchvision",
    "segmenter",
    "layer4.0.conv1.weight",
    RESNET,
    without=r"layer[56]\..*",  # classifiers of segmenters
    unused=((r"fc\..*", ""),),
    fresh=CLASSIFIERS,
    scale=ImageScale("rgb", (0.485 * 255, 0.456 * 255, 0.406 * 255), DEVIATION),
    note="torchvision's strides are in the 3x3 convolutions, this network's in the 1x1 before them: the "
    "weights fit, but the features of the second stage on are not the original's before training.",
)
FORMATS = (MODEL,)
