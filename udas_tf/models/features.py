"""What backbones give to heads: feature maps by stride."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import keras

# Names of layers within a block: layer3_0_conv1 and layer3_0_relu belong to block 0 of the third stage,
# block7_project to block 7 of a network that numbers its blocks across stages.
_IN_A_BLOCK = re.compile(r"((?:layer\d_|block)\d+)_")


@dataclasses.dataclass(frozen=True)
class Stage:
    """Feature maps at the end of one stage of a backbone.

    Attributes:
      name: of the stage, or of its last block, such as "layer3".
      maps: [B, h, w, C].
      stride: pixels of the image between two cells of these maps. It differs from the stage's key in
        `Features.stages` where dilation replaces strides, and in networks whose maps all have one size.
    """

    name: str
    maps: keras.KerasTensor
    stride: int


@dataclasses.dataclass(frozen=True)
class Features:
    """What a backbone makes of images.

    Attributes:
      images: the network's input, RGB in 0..255, float32 [B, H, W, 3].
      stages: by 4, 8, 16 and 32, their strides in the network without dilation: a stage has the same key
        whatever the output stride.
      padded: None where cells lie at pixels 0, stride, 2 stride, ..., so that maps are enlarged with corners
        on corners (kernels/upsampling.py). Where cells tile an image instead, edges on edges: that image,
        which is `images` padded at the bottom and right, [B, H', W', 3].
    """

    images: keras.KerasTensor
    stages: Mapping[int, Stage]
    padded: keras.KerasTensor | None = None


def block_name(layer: str) -> str | None:
    """The block that a layer of this name lies in: "layer3_0" of "layer3_0_conv1"; None outside blocks.

    Gradient checkpointing keeps the outputs of some blocks and computes the layers between them again. A
    layer outside blocks may read the last layer of a block, and none within.
    """
    match = _IN_A_BLOCK.match(layer)
    return match[1] if match else None
