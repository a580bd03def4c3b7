"""Networks by the config's words."""

import keras
import numpy as np
import pytest

from udas_tf import inference
from udas_tf.config import base_config
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish
from udas_tf.stages import networks, rounds


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


def test_a_finished_row_needs_its_initial_weights_no_more(config, tmp_path):
    run, row = RunDir(tmp_path), rounds.find(config, "source", None, None)
    trained = networks.segmenter(config)
    run.training(row.name).mkdir(parents=True)
    networks.save(trained, run.training(row.name) / networks.WEIGHTS)
    finish(run.training(row.name), {})
    config.model.initial_weights = str(tmp_path / "gone.weights.h5")
    restored = networks.trained_segmenter(config, run, row)
    for one, other in zip(restored.weights, trained.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_stages_of_the_compact_backbone(config):
    config.model.blocks = (1, 1, 1)
    with pytest.raises(UserError, match="model.blocks=.1, 1, 1.; expected the blocks of four stages"):
        networks.segmenter(config)


def test_unknown_network(config):
    config.model.network = "unet"
    with pytest.raises(UserError, match="'unet' is unknown; expected one of deeplab_v2, seg_uncertainty"):
        networks.segmenter(config)


def test_initial_weights_of_both_classifiers_serve_a_network_of_one(config, tmp_path):
    """By their names: Keras's files go by the order of the layers, in which the classifiers alternate."""
    both = networks.segmenter(config)
    networks.save(both, tmp_path / "both.weights.h5")
    config.model.auxiliary = False
    config.model.initial_weights = str(tmp_path / "both.weights.h5")
    one = networks.segmenter(config)
    expected = {variable.path: variable.numpy() for variable in both.weights}
    for variable in one.weights:
        np.testing.assert_array_equal(variable, expected[variable.path], err_msg=variable.path)
    networks.save(one, tmp_path / "one.weights.h5")
    config.model.initial_weights = str(tmp_path / "one.weights.h5")
    for variable in networks.segmenter(config).weights:
        np.testing.assert_array_equal(variable, expected[variable.path], err_msg=variable.path)


@pytest.mark.parametrize("auxiliary", [True, False])
def test_missing_initial_weights_are_named(config, auxiliary):
    config.model.auxiliary = auxiliary
    config.model.initial_weights = "nowhere.weights.h5"
    with pytest.raises(UserError, match="weights nowhere.weights.h5 not found"):
        networks.segmenter(config)


def test_unknown_discriminator(config):
    config.uda.discriminator = "patch"
    with pytest.raises(UserError, match="uda.discriminator='patch' is unknown; expected one of fully_conv"):
        networks.output_discriminators(config, ("primary",))


def test_generators_of_either_upsampling_do_not_take_each_others_weights(config, tmp_path):
    config.translate.width, config.translate.blocks = 4, 1
    networks.save(networks.generator(config), tmp_path / "G.weights.h5")
    config.translate.upsampling = "resize"
    with pytest.raises(UserError, match="G.weights.h5 do not fit the config's network"):
        networks.load(networks.generator(config), tmp_path / "G.weights.h5")


def test_unknown_upsampling(config):
    config.translate.upsampling = "bilinear"
    with pytest.raises(UserError, match="translate.upsampling='bilinear' is unknown; .* transposed, resize"):
        networks.generator(config)


def test_a_trained_network_computes_as_in_its_training_or_in_that_of_another(config, tmp_path):
    config.precision, config.source.precision = "mixed_bfloat16", "float32"
    run_dir, row = RunDir(tmp_path), rounds.find(config, "source", None, "no_adaptation")
    directory = run_dir.training(row.name)
    directory.mkdir(parents=True)
    networks.save(networks.segmenter(config), directory / networks.WEIGHTS)
    finish(directory, {})
    assert networks.precision(config, "uda") == networks.precision(config, "translate") == "mixed_bfloat16"
    try:
        for given, expected in (("", "float32"), (networks.precision(config, "uda"), "mixed_bfloat16")):
            trained = networks.trained_segmenter(config, run_dir, row, given)
            assert trained.get_layer("primary_classifier_0").dtype_policy.name == expected
            assert keras.config.dtype_policy().name == expected
    finally:
        keras.config.set_dtype_policy("float32")
