"""DeepLab v2 with two classifiers, as in AdaptSegNet: the task network of every stage.

Also what all task networks share: the backbones, `classifier_variables` and `upsample`.
"""

from functools import partial

import keras
import tensorflow as tf
from keras import initializers

from udas_tf.errors import UserError
from udas_tf.models import efficientnet_lite, resnet
from udas_tf.models.layers import SymmetricConv2D

BACKBONES = {
    "resnet101": partial(resnet.resnet, blocks=resnet.RESNET_101),
    "resnet50": partial(resnet.resnet, blocks=resnet.RESNET_50),
    "efficientnet_lite0": efficientnet_lite.efficientnet_lite0,
    "compact": resnet.compact_resnet,
}
ASPP_RATES = (6, 12, 18, 24)
# The classifiers AdaptSegNet published: its forward pass returns inside the loop over four rates after the
# second, so its checkpoints were trained with these two.
PUBLISHED_ASPP_RATES = (6, 12)

# --- functional graph ---------------------------------------------------------------------------------------


def build(
    backbone="resnet101",
    num_classes=19,
    aspp_rates=ASPP_RATES,
    auxiliary=True,
    output_stride=8,
    **backbone_options,
) -> keras.Model:
    """Segmentation network from images to the logits of both classifiers, at an eighth of the size.

    Args:
        backbone: "resnet101", "resnet50", "efficientnet_lite0" (random weights are of no use in these: import
            some) or "compact".
        num_classes: C.
        aspp_rates: dilations of the 3x3 convolutions each classifier sums, at least two; PUBLISHED_ASPP_RATES
            for AdaptSegNet's checkpoints.
        auxiliary: False leaves out the auxiliary classifier: single-level AdaptSegNet.
        output_stride: 8, or 16 for a quarter of the memory and coarser borders.
        **backbone_options: of the compact backbone, `width`, `blocks` and `groups` (`resnet.compact_resnet`).

    Returns:
        Functional model. Input: RGB [batch, height, width, 3] of any size, uint8 or float, in 0..255. Output:
        `{"primary": ..., "auxiliary": ...}`, float32 logits [batch, h, w, C] whatever the dtype policy, with
        h = (height + 1) // 8 + 1 at stride 8, w alike (EfficientNet's are the backbone's). `upsample` takes
        them to the image's size.

    Raises:
        UserError: for an unknown backbone, another output stride, or fewer than two rates.
    """
    if len(aspp_rates) < 2:
        raise UserError(
            f"aspp_rates is {tuple(aspp_rates)}, expected at least two dilations, as in {ASPP_RATES}."
        )
    images = keras.Input((None, None, 3), name="images", dtype="float32")
    stages = features(images, backbone, output_stride, **backbone_options)
    logits = {
        level: _classifier(stages[level], num_classes, aspp_rates, level) for level in levels(auxiliary)
    }
    return keras.Model(images, logits, name="deeplab_v2")


def features(images, backbone, output_stride=8, **backbone_options) -> dict:
    """What the classifiers read, {"auxiliary", "primary"}, of a key of BACKBONES; UserErrors as `build`'s."""
    if backbone not in BACKBONES:
        raise UserError(
            f"backbone is {backbone!r}, expected one of {', '.join(BACKBONES)}; mend the config's model."
        )
    if output_stride not in (8, 16):
        raise UserError(f"output_stride is {output_stride!r}, expected 8 or 16; mend the config's model.")
    return BACKBONES[backbone](images, output_stride=output_stride, **backbone_options)


def levels(auxiliary: bool) -> tuple[str, ...]:
    """The classifiers of a network, the primary one first."""
    return ("primary", "auxiliary") if auxiliary else ("primary",)


def _classifier(features, num_classes, rates, level):
    """Sum over `rates` of 3x3 dilated convolutions with bias. `{level}_classifier_{i}` is conv2d_list.{i} of
    the original's layer6 (primary) or layer5 (auxiliary)."""
    branches = [
        SymmetricConv2D(
            num_classes,
            3,
            dilation_rate=rate,
            kernel_initializer=initializers.RandomNormal(stddev=0.01),
            name=f"{level}_classifier_{index}",
        )(features)
        for index, rate in enumerate(rates)
    ]
    return keras.layers.Add(dtype="float32", name=level)(branches)


# --- parts by learning rate ---------------------------------------------------------------------------------


def classifier_variables(model: keras.Model) -> list[keras.Variable]:
    """Trainable variables of the classifiers: those that learn ten times faster."""
    heads = ("primary_classifier_", "auxiliary_classifier_")
    return [variable for variable in model.trainable_variables if variable.path.startswith(heads)]


# --- to the image's size ------------------------------------------------------------------------------------


def upsample(logits: tf.Tensor, size) -> tf.Tensor:
    """Bilinear interpolation of [batch, h, w, C] to `size`, (height, width), corner pixels on corner pixels.

    PyTorch's `interpolate(..., mode="bilinear", align_corners=True)`, which AdaptSegNet trains and evaluates
    with, and the right one here: the network's grid lies at pixels 0, 8, 16, ... of the image.
    tf.image.resize aligns the outer edges of the corner pixels instead of their centres. Two
    products with interpolation matrices are as fast as TensorFlow's own kernel on CPUs, and unlike its
    gradient stay fast when compiled by XLA (2 against 340 ms for 4x13x25x19 to 96x192 on two cores). Keeps
    the dtype. Logits that are of this size already come back as they are.
    """
    if not tf.is_tensor(size) and tuple(logits.shape[1:3]) == tuple(size):
        return logits
    batch, h, w, channels = (static or tf.shape(logits)[axis] for axis, static in enumerate(logits.shape))
    height, width = size[0], size[1]
    across = tf.matmul(_interpolation(w, width, logits.dtype), logits)
    rows = tf.reshape(across, (batch, h, width * channels))
    return tf.reshape(
        tf.matmul(_interpolation(h, height, logits.dtype), rows), (batch, height, width, channels)
    )


def _interpolation(inputs, outputs, dtype):
    """[outputs, inputs] matrix: row i weighs the inputs around position i (inputs - 1) / (outputs - 1)."""
    # float64: positions of up to some hundred cells would lose their last digits in float32.
    inputs, outputs = tf.cast(inputs, tf.float64), tf.cast(outputs, tf.float64)
    positions = tf.range(outputs) * (inputs - 1) / tf.maximum(outputs - 1, 1)
    return tf.cast(tf.nn.relu(1 - tf.abs(positions[:, None] - tf.range(inputs))), dtype)
