"""Residual feature extractors of output stride 8 or 16: dilated ResNet-50/101 and a compact one for CPUs.

Each takes an image tensor of a functional model, RGB 0..255 [batch, height, width, 3], normalises it, and
returns the features the two classifiers read, `{"auxiliary": ..., "primary": ...}`: those of the third and of
the fourth stage. The stem, the ceil-mode pooling and the second stage, of stride 2 each, take n pixels to
(n + 1) // 8 + 1 (321x513 becomes 41x65, 96x192 becomes 13x25), lying at pixels 0, 8, 16, ... of the image.
At output stride 8 the third and fourth stage keep that size and are dilated by 2 and 4; at 16 the third has
stride 2, which leaves every second row and column, and the fourth is dilated by 2.
"""

from keras import initializers, layers

from udas_tf.models.layers import (
    CaffeNormalization,
    CeilMaxPool2D,
    FrozenBatchNormConv2D,
    GroupNorm,
    SymmetricConv2D,
)

# Blocks in each of the four stages [He et al. 2016].
RESNET_50 = (3, 4, 6, 3)
RESNET_101 = (3, 4, 23, 3)

# Strides and dilations of the four stages, by output stride.
STAGES = {8: ((1, 2, 1, 1), (1, 1, 2, 4)), 16: ((1, 2, 2, 1), (1, 1, 1, 2))}

# --- dilated ResNet-50/101, as AdaptSegNet's model/deeplab_multi.py -----------------------------------------


def resnet(images, blocks=RESNET_101, output_stride=8):
    """Bottleneck ResNet with caffe-style strides and frozen batch norm; features of 1024 and 2048 channels.

    Layers carry the original's parameter names with underscores for dots: `layer3_0_conv2` holds the weights
    of `layer3.0.conv2` and of its batch norm `layer3.0.bn2`; `layer3_0_downsample` those of `downsample.0`
    and `.1`.
    """
    x = CaffeNormalization(dtype="float32", name="normalize")(images)
    x = FrozenBatchNormConv2D(64, 7, strides=2, name="conv1")(x)
    x = CeilMaxPool2D(name="maxpool")(x)
    stages = []
    for stage, (count, strides, dilation) in enumerate(
        zip(blocks, *STAGES[output_stride], strict=True), start=1
    ):
        for index in range(count):
            name = f"layer{stage}_{index}"
            x = _bottleneck(x, 32 * 2**stage, strides if index == 0 else 1, dilation, index == 0, name)
        stages.append(x)
    return {"auxiliary": stages[2], "primary": stages[3]}


def _bottleneck(x, width, strides, dilation, project, name):
    """1x1, 3x3, 1x1 with four times the width at the end; the stride is in the first 1x1, as in caffe."""
    shortcut = x
    if project:
        shortcut = FrozenBatchNormConv2D(4 * width, 1, strides, relu=False, name=f"{name}_downsample")(x)
    x = FrozenBatchNormConv2D(width, 1, strides, name=f"{name}_conv1")(x)
    x = FrozenBatchNormConv2D(width, 3, dilation_rate=dilation, name=f"{name}_conv2")(x)
    x = FrozenBatchNormConv2D(4 * width, 1, relu=False, name=f"{name}_conv3")(x)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))


# --- compact ResNet, trained from scratch -------------------------------------------------------------------


def compact_resnet(images, width=24, blocks=(2, 2, 2, 2), groups=8, output_stride=8):
    """Basic-block ResNet with group norm, for training from scratch with small batches on CPUs.

    Args:
        images: RGB 0..255; scaled to [-2, 2).
        width: channels of the first stage; the others have twice, four and four times as many. A multiple of
            `groups`.
        blocks: number of two-convolution blocks in each of the four stages.
        groups: groups of each group norm, -1 for instance norm. No statistic crosses images, so replicas
            agree with one device and there is nothing to freeze.
        output_stride: 8 or 16.
    """
    x = layers.Rescaling(1 / 64, offset=-2.0, dtype="float32", name="normalize")(images)
    x = _conv_norm(x, width, 3, groups, "conv1", strides=2)
    x = CeilMaxPool2D(name="maxpool")(layers.ReLU(name="conv1_relu")(x))
    stages = []
    widths = (width, 2 * width, 4 * width, 4 * width)
    for stage, (filters, count, strides, dilation) in enumerate(
        zip(widths, blocks, *STAGES[output_stride], strict=True), start=1
    ):
        for index in range(count):
            name = f"layer{stage}_{index}"
            x = _basic_block(x, filters, strides if index == 0 else 1, dilation, groups, name)
        stages.append(x)
    return {"auxiliary": stages[2], "primary": stages[3]}


def _basic_block(x, filters, strides, dilation, groups, name):
    shortcut = x
    if strides != 1 or x.shape[-1] != filters:
        shortcut = _conv_norm(x, filters, 1, groups, f"{name}_downsample", strides)
    x = _conv_norm(x, filters, 3, groups, f"{name}_conv1", strides, dilation)
    x = layers.ReLU(name=f"{name}_conv1_relu")(x)
    x = _conv_norm(x, filters, 3, groups, f"{name}_conv2", dilation=dilation)
    return layers.ReLU(name=f"{name}_relu")(layers.Add(name=f"{name}_add")([x, shortcut]))


def _conv_norm(x, filters, kernel_size, groups, name, strides=1, dilation=1):
    convolution = SymmetricConv2D(
        filters,
        kernel_size,
        strides=strides,
        dilation_rate=dilation,
        use_bias=False,
        kernel_initializer=initializers.HeNormal(),
        name=name,
    )
    return GroupNorm(groups, name=f"{name}_norm")(convolution(x))
