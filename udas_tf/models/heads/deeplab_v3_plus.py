"""DeepLab v3+'s decoder, keras-cv's: spatial pyramid pooling, refined by features of stride 4.

With the backbone keras_cv_resnet50 and output stride 32 it is keras-cv's DeepLabV3Plus with logits rather
than probabilities. Needs keras-cv: pip install 'udas_tf[baselines]'.
"""

from __future__ import annotations

import keras
from keras import layers

from udas_tf.models._keras_cv import keras_cv
from udas_tf.models.features import Features
from udas_tf.models.layers import CropLike, ResizeLike

LEVELS = ("primary",)
AT_IMAGE_SIZE = True
RATES = (6, 12, 18)  # dilations of the spatial pyramid pooling
PROJECTION = 48  # filters that features of stride 4 are reduced to
DECODER = 256  # filters


def build(
    features: Features, num_classes: int, levels: tuple[str, ...], keys: None = None
) -> dict[str, keras.KerasTensor]:
    """Logits at the image's size, of features of strides 4 and 32.

    The classes' 1x1 convolution comes before the last enlargement instead of after it, as in keras-cv: the
    two commute, and a sixteenth of the pixels is left to convolve. Its batch norm learns: unlike the other
    heads' normalisation its statistics are those of a batch, on every replica by itself.

    Raises:
      UserError: keras-cv is not installed.
    """
    covered = features.images if features.padded is None else features.padded
    resize = {"corners": features.padded is None}
    classifier = _classifier(num_classes)
    # A network of its own, so that files of weights stay as they were when keras-cv built it.
    encoder = keras.Model(covered, _encoded(features), name="encoder")
    maps = encoder(covered)
    coarse = ResizeLike(**resize, name="coarse")([maps["coarse"], maps["fine"]])
    logits = classifier(layers.Concatenate(name="decoder")([coarse, maps["fine"]]))
    logits = ResizeLike(**resize, dtype="float32", name="enlarged")([logits, covered])
    return {"primary": CropLike(dtype="float32", name="primary")([logits, features.images])}


def _encoded(features: Features) -> dict[str, keras.KerasTensor]:
    """What the decoder joins: pooled features of stride 32 and projected ones of stride 4."""
    pooling = keras_cv("model.head=deeplab_v3_plus").layers.SpatialPyramidPooling(dilation_rates=list(RATES))
    coarse = pooling(features.stages[32].maps)
    projection = keras.Sequential(
        [
            layers.Conv2D(PROJECTION, 1, padding="same", use_bias=False, name="low_level_feature_conv"),
            layers.BatchNormalization(name="low_level_feature_norm"),
            layers.ReLU(name="low_level_feature_relu"),
        ]
    )
    return {"coarse": coarse, "fine": projection(features.stages[4].maps)}


def _classifier(num_classes: int) -> keras.Sequential:
    return keras.Sequential(
        [
            layers.Conv2D(DECODER, 1, use_bias=False, name="segmentation_head_conv"),
            layers.BatchNormalization(name="segmentation_head_norm"),
            layers.ReLU(name="segmentation_head_relu"),
            layers.Conv2D(num_classes, 1, use_bias=False, dtype="float32", name="segmentation_output"),
        ],
        name="primary_classifier_head",
    )
