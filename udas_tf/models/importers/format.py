"""A kind of checkpoint: how it is recognised, and which entry belongs to which layer."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping

import keras
import numpy as np

# Of a checkpoint: names and arrays in PyTorch's layouts, as `torch_checkpoints.read` gives them.
Entries = Mapping[str, np.ndarray]
# Patterns of our layers' names, and the modules of their convolution and of their normalisation ("" = none).
Rules = tuple[tuple[str, str, str], ...]

CLASSIFIERS = r"(primary|auxiliary)_classifier_.*"
# Our dilated ResNets keep the original's names.
RESNET: Rules = (
    (r"conv1", "conv1", "bn1"),
    (r"(layer\d)_(\d+)_conv(\d)", r"\1.\2.conv\3", r"\1.\2.bn\3"),
    (r"(layer\d)_(\d+)_downsample", r"\1.\2.downsample.0", r"\1.\2.downsample.1"),
)


@dataclasses.dataclass(frozen=True)
class ImageScale:
    """How a network normalises images: (pixel - mean) / deviation, channels in its own order, in 0..255."""

    order: str  # "rgb" or "bgr"
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of checkpoint.

    Attributes:
      title: for messages.
      part: the network it belongs to, as `weights import --network` names it.
      marker: an entry that every such checkpoint has.
      rules: or a function of the network that gives them.
      without: pattern of entries that no such checkpoint has; "" = nothing is excluded.
      unused: entries that may be there and are not needed: patterns, each with a layer whose presence in the
        network makes it needed ("" = none does).
      fresh: pattern of layers that keep their initial weights.
      scale: of a ResNet trained on images that are not normalised as caffe's.
      note: what the user should know.
    """

    title: str
    part: str
    marker: str
    rules: Rules | Callable[[keras.Model], Rules]
    without: str = ""
    unused: tuple[tuple[str, str], ...] = ()
    fresh: str = ""
    scale: ImageScale | None = None
    note: str = ""

    def fits(self, entries: Entries) -> bool:
        """Whether a checkpoint is of this kind, by the names of its entries."""
        if self.marker not in entries:
            return False
        return not self.without or not any(re.fullmatch(self.without, name) for name in entries)
