"""Checkpoints of AdaptSegNet, and of ADVENT's segmenter, which has the same names."""

from __future__ import annotations

from udas_tf.models.importers.format import CLASSIFIERS, RESNET, Format

DEEPLAB = Format(
    "DeepLab v2 of AdaptSegNet or ADVENT",
    "segmenter",
    "layer6.conv2d_list.0.weight",
    (
        *RESNET,
        (r"primary_classifier_(\d)", r"layer6.conv2d_list.\1", ""),
        (r"auxiliary_classifier_(\d)", r"layer5.conv2d_list.\1", ""),
    ),
    unused=(
        (r"layer5\..*", "auxiliary_classifier_0"),
        (r"layer[56]\.conv2d_list\.[23]\..*", "primary_classifier_2"),
    ),
    note="The file does not tell its ASPP rates: AdaptSegNet's published checkpoints were trained with two "
    "(--config.model.deeplab_v2.rates=6,12), ADVENT's with four.",
)
FORMATS = (
    DEEPLAB,
    Format(
        "single-level DeepLab v2 of AdaptSegNet",
        "segmenter",
        "layer5.conv2d_list.0.weight",
        (*RESNET, (r"primary_classifier_(\d)", r"layer5.conv2d_list.\1", "")),
        without=r"layer6\..*",
        unused=((r"layer5\.conv2d_list\.[23]\..*", "primary_classifier_2"),),
        note=DEEPLAB.note,
    ),
    Format(
        "initial weights of AdaptSegNet",
        "segmenter",
        "Scale.conv1.weight",
        tuple((layer, f"Scale.{conv}", f"Scale.{norm}") for layer, conv, norm in RESNET),
        unused=((r"Scale\.layer5\..*", ""),),
        fresh=CLASSIFIERS,
    ),
    Format(
        "discriminator of AdaptSegNet",
        "output_discriminator",
        "classifier.weight",
        ((r"(conv\d|classifier)", r"\1", ""),),
    ),
)
