"""What the keys of a config make of a training: its terms, its networks, its optimizers."""

import keras
import numpy as np
import pytest

from udas_tf import config as configs
from udas_tf import inference, networks, plugins
from udas_tf.config import METHODS
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.errors import UserError
from udas_tf.training.optimizers import SegmenterSGD, TorchAdam
from udas_tf.training.task import Task

TINY = "tests/end_to_end/tiny.py"
SMALL = {"model.backbone": "compact", "model.compact.width": 8, "model.compact.blocks": "1,1,1,1"}
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


def build(stage, keys=None, config=None, roles=("initial", "teacher", "judge")):
    """The method of a stage, as a row with these networks trains it."""
    config = configs.override(config or configs.override(configs.base_config(), SMALL), keys or {})
    made = {role: lambda: networks.segmenter(config, len(CITYSCAPES)) for role in roles}
    task = Task(config, stage, CITYSCAPES, {}, made, histogram=lambda: np.zeros((256, 256), np.int64))
    return plugins.load(METHODS, stage, "stage").build(task)


@pytest.mark.parametrize("method", OF_ADAPTATION)
def test_adaptation_of_each_system(method):
    config = configs.load(f"configs/methods/{method}.py:{TINY}")
    trained = build("uda", config=config)
    assert set(trained.term_weights) == OF_ADAPTATION[method]
    judged = {short for level, short in inference.LEVELS.items() if level in trained.discriminators}
    assert judged == {name[-1] for name in trained.term_weights if name.startswith("L_adv")}
    assert (trained.discriminator_optimizer is None) == (method == "minent")
    if method == "cycada":
        assert trained.discriminators["primary"].input.shape[-1] == 4 * config.model.compact.width, "features"


def test_adaptation_takes_its_levels_from_the_network():
    trained = build("uda", {"model.auxiliary": False})
    assert set(trained.term_weights) == {"L_seg_p", "L_adv_p"}
    assert set(trained.discriminators) == {"primary"}
    assert all(isinstance(network, keras.Model) for network in trained.discriminators.values())


def test_optimizers_of_discriminators():
    adam = build("uda").discriminator_optimizer
    assert isinstance(adam, TorchAdam) and (adam.beta_1, adam.beta_2) == (0.9, 0.99)
    sgd = build("uda", {"uda.discriminator_optimizer": "sgd", "uda.momentum": 0.99}).discriminator_optimizer
    assert isinstance(sgd, SegmenterSGD) and (sgd.momentum, sgd.l2) == (0.99, 5e-4)


def test_features_need_a_head_of_convolutions_side_by_side():
    with pytest.raises(UserError, match=r"'features' is not supported by the head fcn.*choose model.head=deeplab_v2"):
        build("uda", {"model.head": "fcn", "uda.discriminator_input": "features"})


def test_terms_of_students():
    assert set(build("student").term_weights) == BOTH | {"L_pseudo_p", "L_pseudo_a", "L_consistency"}
    keys = {"student.weight_labelled": 0, "student.weight_consistency": 0, "student.weight_auxiliary": 0.5}
    trained = build("student", keys, roles=("initial",))  # and no teacher is asked for
    assert trained.term_weights == {"L_pseudo_p": 1.0, "L_pseudo_a": 0.5}
    assert trained.teacher is None


def test_one_classifier_cannot_be_rectified():
    with pytest.raises(UserError, match=r"student.rectify needs the auxiliary classifier; set model.auxiliary=true"):
        build("student", {"model.auxiliary": False, "student.rectify": True})


def test_translation_with_and_without_semantics():
    config = configs.load(f"configs/methods/cycada.py:{TINY}")
    assert build("translate", config=config, roles=("judge",)).term_weights["L_semantic"] == 1.0
    without = build("translate", {"translate.weight_semantic": 0}, config, roles=())  # and no judge is asked for
    assert "L_semantic" not in without.term_weights


def test_a_network_that_a_training_lacks_is_a_fault():
    with pytest.raises(ValueError, match="this training of supervised has no network 'initial'"):
        build("supervised", roles=("teacher",))
