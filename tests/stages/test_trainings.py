"""What the configs' words and weights make of a training: its terms, its networks, its optimisers."""

import keras
import numpy as np
import pytest

from udas_tf import config as configs
from udas_tf import inference
from udas_tf.errors import UserError
from udas_tf.methods.optimizers import SegmenterSGD, TorchAdam
from udas_tf.stages import networks, trainings

TINY = "tests/end_to_end/tiny.py"
CLASS_WEIGHTS = np.ones(19, np.float32)
BOTH = {"L_seg_p", "L_seg_a"}
OF_ADAPTATION = {
    "adaptsegnet_single": {"L_seg_p", "L_adv_p"},
    "adaptsegnet": BOTH | {"L_adv_p", "L_adv_a"},
    "advent": BOTH | {"L_adv_p", "L_adv_a"},
    "minent": BOTH | {"L_ent_p", "L_ent_a"},
    "seg_uncertainty": BOTH | {"L_adv_p", "L_adv_a", "L_kl"},
    "cycada": {"L_seg_p", "L_adv_p"},
    "udas": BOTH | {"L_adv_p", "L_adv_a", "L_kl"},
}


@pytest.fixture
def config():
    config = configs.base_config()
    config.model.backbone, config.model.width, config.model.blocks = "compact", 8, (1, 1, 1, 1)
    config.uda.discriminator_width = 4
    return config


@pytest.mark.parametrize("method", OF_ADAPTATION)
def test_adaptation_of_each_system(method):
    config = configs.load(f"configs/methods/{method}.py:{TINY}")
    trained = trainings.output_adaptation(config, networks.segmenter(config))
    assert set(trained.term_weights) == OF_ADAPTATION[method]
    judged = {short for level, short in inference.LEVELS.items() if level in trained.discriminators}
    assert judged == {name[-1] for name in trained.term_weights if name.startswith("L_adv")}
    assert (trained.discriminator_optimizer is None) == (method == "minent")
    if method == "cycada":
        assert trained.discriminators["primary"].input.shape[-1] == 4 * config.model.width, "features"


def test_adaptation_takes_its_levels_from_the_network(config):
    config.model.auxiliary = False
    trained = trainings.output_adaptation(config, networks.segmenter(config))
    assert set(trained.term_weights) == {"L_seg_p", "L_adv_p"}
    assert set(trained.discriminators) == {"primary"}
    assert all(isinstance(network, keras.Model) for network in trained.discriminators.values())


def test_discriminators_optimisers(config):
    adam = trainings.output_adaptation(config, networks.segmenter(config)).discriminator_optimizer
    assert isinstance(adam, TorchAdam) and (adam.beta_1, adam.beta_2) == (0.9, 0.99)
    config.uda.discriminator_optimizer, config.uda.momentum = "sgd", 0.99
    sgd = trainings.output_adaptation(config, networks.segmenter(config)).discriminator_optimizer
    assert isinstance(sgd, SegmenterSGD) and (sgd.momentum, sgd.l2) == (0.99, 5e-4)


def test_features_are_had_of_networks_with_classifiers_on_them(config):
    config.model.network, config.uda.adversary = "fcn", "features"
    with pytest.raises(UserError, match="cannot be had of model.network='fcn'; expected deeplab_v2"):
        trainings.output_adaptation(config, networks.segmenter(config))


def test_students_terms(config):
    student, teacher = networks.segmenter(config), networks.segmenter(config)
    trained = trainings.self_training(config, student, teacher, CLASS_WEIGHTS)
    assert set(trained.term_weights) == BOTH | {"L_pseudo_p", "L_pseudo_a", "L_consistency"}
    config.student.weight_labelled, config.student.weight_consistency = 0.0, 0.0
    config.student.lambda_seg = 0.5
    trained = trainings.self_training(config, student, None, CLASS_WEIGHTS)
    assert trained.term_weights == {"L_pseudo_p": 1.0, "L_pseudo_a": 0.5}


def test_one_classifier_cannot_be_rectified(config):
    config.model.auxiliary, config.student.rectify = False, True
    with pytest.raises(UserError, match="set model.auxiliary=true"):
        trainings.self_training(config, networks.segmenter(config), None, CLASS_WEIGHTS)


def test_translation_with_and_without_semantics():
    config = configs.load(f"configs/methods/cycada.py:{TINY}")
    with_semantics = trainings.image_translation(config, networks.segmenter(config))
    assert with_semantics.term_weights["L_semantic"] == 1.0
    assert "L_semantic" not in trainings.image_translation(config, None).term_weights
