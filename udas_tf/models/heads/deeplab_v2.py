"""DeepLab v2's classifiers, each a sum of dilated convolutions (ASPP), as in AdaptSegNet."""

from __future__ import annotations

import dataclasses

import keras
from keras import initializers

from udas_tf.errors import UserError
from udas_tf.models.features import Features
from udas_tf.models.layers import SymmetricConv2D

LEVELS = ("primary", "auxiliary")
AT_IMAGE_SIZE = False
STAGES = {"primary": 32, "auxiliary": 16}  # the stage that a level reads: the fourth and the third
# The classifiers AdaptSegNet published: its forward pass returns inside the loop over four rates after the
# second, so its checkpoints were trained with these two.
PUBLISHED_RATES = (6, 12)


@dataclasses.dataclass(frozen=True)
class Config:
    rates: tuple[int, ...] = (6, 12, 18, 24)  # dilations, cells; DeepLab v2's. (6, 12) = AdaptSegNet's published code


def build(features: Features, num_classes: int, levels: tuple[str, ...], keys: Config) -> dict[str, keras.KerasTensor]:
    """Logits of each level, of the size of its maps.

    Raises:
      UserError: for fewer than two rates.
    """
    if len(keys.rates) < 2:
        raise UserError(
            f"model.deeplab_v2.rates={tuple(keys.rates)}; expected at least two dilations, such as {Config().rates}"
        )
    return {level: _classifier(features.stages[STAGES[level]].maps, num_classes, keys.rates, level) for level in levels}


def _classifier(maps: keras.KerasTensor, num_classes: int, rates: tuple[int, ...], level: str) -> keras.KerasTensor:
    """Sum over `rates` of 3x3 dilated convolutions with bias. `{level}_classifier_{i}` is conv2d_list.{i} of
    the original's layer6 (primary) or layer5 (auxiliary)."""
    branches = [
        SymmetricConv2D(
            num_classes,
            3,
            dilation_rate=rate,
            kernel_initializer=initializers.RandomNormal(stddev=0.01),
            name=f"{level}_classifier_{index}",
        )(maps)
        for index, rate in enumerate(rates)
    ]
    return keras.layers.Add(dtype="float32", name=level)(branches)
