"""Segmenters of any backbone and head: what they have in common, and what is refused."""

import dataclasses

import numpy as np
import pytest
from small_networks import small

from udas_tf import plugins
from udas_tf.errors import UserError
from udas_tf.models import segmenter
from udas_tf.models.gradient_checkpointing import GradientCheckpointing
from udas_tf.models.heads import deeplab_v2
from udas_tf.models.segmenter import BACKBONES, HEADS


@pytest.mark.parametrize("head", ["deeplab_v2", "seg_uncertainty", "fcn"])
@pytest.mark.parametrize("auxiliary", [True, False])
def test_levels_and_names(head, auxiliary):
    network = small(head, auxiliary=auxiliary)
    both = auxiliary and head != "fcn"
    assert list(network.output) == (["primary", "auxiliary"] if both else ["primary"])
    assert network.name == head and network.input.name == "images"


def test_defaults_are_those_of_the_modules():
    assert len(segmenter.build("compact", "deeplab_v2").weights) == len(
        segmenter.build("compact", "deeplab_v2", head_keys=deeplab_v2.Config((6, 12, 18, 24))).weights
    )
    assert segmenter.build("compact", "deeplab_v2").get_layer("conv1").filters == 64


def test_gradient_checkpointing_changes_no_name():
    plain, checkpointing = small(), small(gradient_checkpointing=True)
    assert isinstance(checkpointing, GradientCheckpointing) and checkpointing.name == "deeplab_v2"
    assert [v.path for v in checkpointing.weights] == [v.path for v in plain.weights]
    assert set(checkpointing(np.zeros((1, 33, 40, 3), np.uint8))) == {"primary", "auxiliary"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("resnet18", "fcn"), "model.backbone='resnet18' is unknown; expected one of .* did you mean resnet"),
        (
            ("compact", "unet"),
            "model.head='unet' is unknown; expected one of deeplab_v2, deeplab_v3_plus, fcn",
        ),
        (("compact", "fcn", 5, 32), "model.output_stride=32; expected 8 or 16 with model.backbone=compact"),
        (
            ("keras_cv_resnet50", "fcn", 5, 8),
            "model.output_stride=8; expected 32 with model.backbone=keras_cv",
        ),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        segmenter.build(*wrong)


@pytest.mark.parametrize("name", plugins.names(BACKBONES))
def test_every_backbone_declares_what_commands_read(name):
    declared = plugins.declarations(BACKBONES, name)
    assert declared.summary and all(stride > 0 for stride in declared.constants["OUTPUT_STRIDES"])


@pytest.mark.parametrize("name", plugins.names(HEADS))
def test_every_head_declares_what_commands_read(name):
    declared = plugins.declarations(HEADS, name)
    assert declared.summary and declared.constants["LEVELS"][0] == "primary"
    assert declared.constants["AT_IMAGE_SIZE"] in (True, False)


@pytest.mark.parametrize(
    ("package", "name", "expected"),
    [
        (BACKBONES, "compact", {"width": 64, "blocks": (2, 2, 2, 2)}),
        (BACKBONES, "resnet101", None),
        (HEADS, "deeplab_v2", {"rates": (6, 12, 18, 24)}),
        (HEADS, "seg_uncertainty", {"rates": (6, 12, 18, 24), "squeeze_excite": True, "dropout": 0.1}),
        (HEADS, "fcn", {"dropout": 0.1}),
        (HEADS, "deeplab_v3_plus", None),
    ],
)
def test_keys_and_their_defaults(package, name, expected):
    config = plugins.declarations(package, name).config
    assert (config and dataclasses.asdict(config())) == expected
