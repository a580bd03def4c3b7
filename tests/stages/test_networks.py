"""Networks by the config's words, and trainings by the levels these networks have."""

import keras
import numpy as np
import pytest

from udas_tf import inference
from udas_tf.config import base_config
from udas_tf.errors import UserError
from udas_tf.methods import optimizers
from udas_tf.stages import networks, train


@pytest.fixture
def config():
    config = base_config()
    config.model.backbone, config.model.width, config.model.blocks = "compact", 8, (1, 1, 1, 1)
    config.uda.discriminator_width = 4
    return config


@pytest.mark.parametrize("network", ["deeplab_v2", "seg_uncertainty"])
@pytest.mark.parametrize("auxiliary", [True, False])
def test_levels_of_the_config(config, network, auxiliary):
    config.model.network, config.model.auxiliary, config.model.output_stride = network, auxiliary, 16
    segmenter = networks.segmenter(config)
    assert segmenter.name == network
    assert "auxiliary" in inference.levels(segmenter) or not auxiliary
    assert segmenter(np.zeros((1, 96, 192, 3), np.uint8))["primary"].shape == (1, 7, 13, 19)


def test_fcn_is_on_resnet50_whatever_the_backbone(config):
    config.model.network = "fcn"
    segmenter = networks.segmenter(config)
    assert inference.levels(segmenter) == {"primary": "p"}
    assert segmenter.get_layer("layer3_5_conv3").filters == 1024


def test_deeplab_v3_plus(config):
    pytest.importorskip("keras_cv")
    config.model.network = "deeplab_v3_plus"
    segmenter = networks.segmenter(config)
    assert inference.levels(segmenter) == {"primary": "p"}
    assert tuple(segmenter.output["primary"].shape) == (None, None, None, 19)


def test_unknown_network(config):
    config.model.network = "unet"
    with pytest.raises(UserError, match="'unet' is unknown; expected one of deeplab_v2, seg_uncertainty"):
        networks.segmenter(config)


@pytest.mark.parametrize(
    ("auxiliary", "terms"),
    [
        (True, {"L_seg_p", "L_adv_p", "L_seg_a", "L_adv_a", "L_kl"}),
        (False, {"L_seg_p", "L_adv_p"}),
    ],
)
def test_adaptation_takes_its_levels_from_the_network(config, auxiliary, terms):
    config.model.auxiliary = auxiliary
    segmenter = networks.segmenter(config)
    optimizer = optimizers.segmenter_optimizer(config.uda, segmenter)
    method = train._output_adaptation(config, segmenter, optimizer)
    assert set(method.term_weights) == terms
    assert set(method.discriminators) == set(inference.levels(segmenter))
    assert all(isinstance(network, keras.Model) for network in method.discriminators.values())
