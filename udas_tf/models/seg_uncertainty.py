"""The network of Seg-Uncertainty (MRNet): DeepLab v2's backbone under classifiers with a bottleneck.

layumi/Seg-Uncertainty, model/deeplab_multi.py, with the settings of its published models (`--norm-style gn
--use-se --drop 0.1`).
"""

import keras
from keras import initializers, layers

from udas_tf.errors import UserError
from udas_tf.models.deeplab_v2 import ASPP_RATES, features, levels
from udas_tf.models.layers import ChannelDropout, GroupNorm, SymmetricConv2D

BRANCH, BOTTLENECK = 256, 512  # filters
GROUPS = 32
REDUCTION = 16  # of the channels in the squeeze-and-excitation


def build(
    backbone="resnet101",
    num_classes=19,
    aspp_rates=ASPP_RATES,
    squeeze_excite=True,
    dropout=0.1,
    auxiliary=True,
    output_stride=8,
    **backbone_options,
) -> keras.Model:
    """Segmentation network from images to the logits of both classifiers, at an eighth of the size.

    The auxiliary classifier reads the third stage's features, the primary one those of the fourth and the
    third together.

    Args:
        backbone, num_classes, auxiliary, output_stride, **backbone_options: as `deeplab_v2.build`'s.
        aspp_rates: dilations of the 3x3 branches beside the 1x1 one.
        squeeze_excite: whether the concatenated branches' channels are weighed before the bottleneck.
        dropout: rate at which the classifiers' last channels are zeroed in training.

    Returns:
        Functional model; input and output as `deeplab_v2.build`'s.

    Raises:
        UserError: for an unknown backbone, another output stride, or no rate.
    """
    if not aspp_rates:
        raise UserError(f"aspp_rates is empty, expected at least one dilation, as in {ASPP_RATES}.")
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    stages = features(images, backbone, output_stride, **backbone_options)
    stages["primary"] = layers.Concatenate(name="stages")([stages["primary"], stages["auxiliary"]])
    logits = {
        level: _classifier(stages[level], num_classes, aspp_rates, squeeze_excite, dropout, level)
        for level in levels(auxiliary)
    }
    return keras.Model(images, logits, name="seg_uncertainty")


def _classifier(x, num_classes, rates, squeeze_excite, dropout, level):
    """The original's layer6 (primary) or layer5 (auxiliary): branches of 1x1 and dilated 3x3 convolutions,
    side by side, a 3x3 convolution of them, and the classes.

    `{level}_classifier_{i}` and `..._{i}_norm` are conv2d_list.{i}.0 and .1; `..._squeeze` and `..._excite`
    bottleneck.0.se.0 and .2; `..._bottleneck` and `..._bottleneck_norm` bottleneck.1 and .2 (0 and 1 without
    squeeze-and-excitation); `..._head` head.1.
    """
    name = f"{level}_classifier"
    branches = []
    for index, rate in enumerate((1, *rates)):
        branch = _conv_norm(x, BRANCH, 1 if index == 0 else 3, rate, f"{name}_{index}")
        branches.append(layers.ReLU(name=f"{name}_{index}_relu")(branch))
    x = layers.Concatenate(name=f"{name}_branches")(branches)
    if squeeze_excite:
        x = _squeeze_excite(x, name)
    # No ReLU here, as in the original.
    x = _conv_norm(x, BOTTLENECK, 3, 1, f"{name}_bottleneck")
    x = ChannelDropout(dropout, name=f"{name}_dropout")(x)
    head = layers.Conv2D(
        num_classes,
        1,
        use_bias=False,
        kernel_initializer=initializers.RandomNormal(stddev=0.001),
        name=f"{name}_head",
    )
    return layers.Activation("linear", dtype="float32", name=level)(head(x))


def _squeeze_excite(x, name):
    weights = layers.GlobalAveragePooling2D(keepdims=True, dtype="float32", name=f"{name}_mean")(x)
    squeeze = layers.Dense(x.shape[-1] // REDUCTION, "relu", name=f"{name}_squeeze", **_initial())
    excite = layers.Dense(x.shape[-1], "sigmoid", name=f"{name}_excite", **_initial())
    return layers.Multiply(name=f"{name}_excited")([x, excite(squeeze(weights))])


def _conv_norm(x, filters, kernel_size, dilation, name):
    convolution = SymmetricConv2D(filters, kernel_size, dilation_rate=dilation, name=name, **_initial())
    return GroupNorm(GROUPS, name=f"{name}_norm")(convolution(x))


def _initial():
    return {"kernel_initializer": initializers.HeNormal()}
