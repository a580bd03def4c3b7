"""keras-cv's ResNet-50 of output stride 32, with a batch norm that learns: for DeepLab v3+.

Unlike the other backbones' normalisation, that batch norm has the statistics of a batch, on every replica by
itself. Needs keras-cv: pip install 'udas_tf[baselines]'.
"""

from __future__ import annotations

import keras

from udas_tf.models._keras_cv import keras_cv
from udas_tf.models.features import Features, Stage
from udas_tf.models.layers import PadToMultiple

OUTPUT_STRIDES = (32,)  # it has no dilation
BLOCKS = (3, 4, 6, 3)  # in each of the four stages
WIDTH = 64  # filters of the first stage
PYRAMID = {4: "P2", 8: "P3", 16: "P4", 32: "P5"}  # keras-cv's names of the stages, by stride


def map_size(pixels: int, output_stride: int) -> int:
    """Cells of the last stage along a side of so many pixels."""
    return -(-pixels // output_stride)


def build(images: keras.KerasTensor, output_stride: int, keys: None = None) -> Features:
    """Features of 256, 512, 1024 and 2048 channels, whose cells tile the images padded to multiples of 32.

    Raises:
      UserError: keras-cv is not installed.
    """
    # The plain class: ResNet50Backbone and the like ask a hub for presets even when weights are random.
    backbone = keras_cv("model.backbone=keras_cv_resnet50").models.ResNetBackbone(
        stackwise_filters=[WIDTH * 2**stage for stage in range(4)],
        stackwise_blocks=list(BLOCKS),
        stackwise_strides=[1, 2, 2, 2],
        include_rescaling=True,
        input_shape=(None, None, 3),
    )
    ends = {name: backbone.get_layer(backbone.pyramid_level_inputs[name]).output for name in PYRAMID.values()}
    padded = PadToMultiple(output_stride, dtype="float32", name="pad")(images)
    maps = keras.Model(backbone.input, ends)(padded)
    stages = {stride: Stage(name, maps[name], stride) for stride, name in PYRAMID.items()}
    return Features(images, stages, padded)
