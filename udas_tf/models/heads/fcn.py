"""FCN's classifier, a supervised baseline: a 3x3 convolution and the classes [Long et al. 2015].

torchvision's fcn_resnet50 without its auxiliary classifier, where the backbone is resnet50. Group norm takes
the place of its batch norm, since batches are small here and no statistic is to cross images.
"""

from __future__ import annotations

import dataclasses

import keras
from keras import initializers, layers

from udas_tf.models.features import Features
from udas_tf.models.layers import ChannelDropout, Conv2D, GroupNorm, SymmetricConv2D

LEVELS = ("primary",)
AT_IMAGE_SIZE = False


@dataclasses.dataclass(frozen=True)
class Config:
    dropout: float = 0.1  # fraction of channels set to zero before the last convolution in training; torchvision's


def build(features: Features, num_classes: int, levels: tuple[str, ...], keys: Config) -> dict[str, keras.KerasTensor]:
    """Logits of the size of the fourth stage's maps. The 3x3 convolution has a quarter of their channels."""
    x = features.stages[32].maps
    convolution = SymmetricConv2D(
        x.shape[-1] // 4,
        3,
        use_bias=False,
        kernel_initializer=initializers.HeNormal(),
        name="primary_classifier_conv",
    )
    x = GroupNorm(name="primary_classifier_norm")(convolution(x))
    x = layers.ReLU(name="primary_classifier_relu")(x)
    x = ChannelDropout(keys.dropout, name="primary_classifier_dropout")(x)
    classes = Conv2D(
        num_classes,
        1,
        kernel_initializer=initializers.RandomNormal(stddev=0.01),
        name="primary_classifier_head",
    )
    return {"primary": layers.Activation("linear", dtype="float32", name="primary")(classes(x))}
