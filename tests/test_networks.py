"""Segmenters as the config asks for them, and as finished trainings left them."""

import hashlib

import keras
import numpy as np
import pytest

from udas_tf import inference, networks
from udas_tf.config import base_config, override
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.errors import UserError
from udas_tf.methods import translate
from udas_tf.networks import TrainingManifest
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish

COMPACT = {"model.backbone": "compact", "model.compact.width": 8, "model.compact.blocks": (1, 1, 1, 1)}


def make_config(keys=None):
    return override(base_config(), COMPACT | (keys or {}))


def segmenter(keys=None):
    return networks.segmenter(make_config(keys), len(CITYSCAPES))


def values(network):
    return {variable.path: variable.numpy() for variable in network.weights}


def assert_equal(network, expected):
    for path, value in values(network).items():
        np.testing.assert_array_equal(value, expected[path], err_msg=path)


def finished(run, precision="float32"):
    """Makes no_adaptation a finished row, and returns its network."""
    network = networks.segmenter(run.config, len(run.classes))
    directory = run.dir.training("no_adaptation")
    directory.mkdir(parents=True)
    networks.save(network, directory / networks.SEGMENTER)
    made = TrainingManifest("no_adaptation", "source", None, 9, networks.SEGMENTER, "ab12", precision, saw_source=True)
    finish(directory, made)
    return network


@pytest.mark.parametrize("head", ["deeplab_v2", "seg_uncertainty"])
@pytest.mark.parametrize("auxiliary", [True, False])
def test_levels_of_the_config(head, auxiliary):
    network = segmenter({"model.head": head, "model.auxiliary": auxiliary, "model.output_stride": 16})
    assert network.name == head
    assert set(inference.levels(network)) == ({"primary", "auxiliary"} if auxiliary else {"primary"})
    assert network(np.zeros((1, 96, 192, 3), np.uint8))["primary"].shape == (1, 7, 13, 19)


def test_fcn_is_on_the_backbone_of_the_config():
    network = segmenter({"model.head": "fcn"})
    assert inference.levels(network) == {"primary": "p"}
    assert network.get_layer("layer4_0_conv2").filters == 4 * 8


@pytest.mark.parametrize("head", ["fcn", "deeplab_v3_plus"])
def test_a_backbone_refuses_an_output_stride_that_it_lacks(head):
    with pytest.raises(UserError, match=r"output_stride=8; expected 32 with model\.backbone=keras_cv_resnet50"):
        segmenter({"model.head": head, "model.backbone": "keras_cv_resnet50"})


def test_deeplab_v3_plus():
    pytest.importorskip("keras_cv")
    keys = {"model.head": "deeplab_v3_plus", "model.backbone": "keras_cv_resnet50", "model.output_stride": 32}
    network = segmenter(keys)
    assert inference.levels(network) == {"primary": "p"}
    assert tuple(network.output["primary"].shape) == (None, None, None, 19)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"model.head": "unet"},
            "model.head='unet' is unknown; expected one of deeplab_v2, deeplab_v3_plus, fcn, seg_",
        ),
        ({"model.backbone": "vgg16"}, "model.backbone='vgg16' is unknown; expected one of compact, "),
        (
            {"model.compact.blocks": "1,1,1"},
            "'model.compact.blocks' received .*, expected 4 values separated by commas",
        ),
        ({"model.initial_weights": "nowhere.weights.h5"}, "weights nowhere.weights.h5 not found"),
        (
            {"model.initial_weights": "nowhere.weights.h5", "model.auxiliary": False},
            "weights nowhere.weights.h5 not found",
        ),
    ],
)
def test_what_cannot_be_built_says_why(keys, message):
    with pytest.raises(UserError, match=message):
        segmenter(keys)


def test_a_finished_row_needs_its_initial_weights_no_more(tmp_path):
    run = open_run(make_config(), RunDir(tmp_path))
    trained = finished(run)
    gone = run.with_config(make_config({"model.initial_weights": str(tmp_path / "gone.weights.h5")}))
    assert_equal(networks.trained_segmenter(gone, "no_adaptation"), values(trained))


def test_a_row_that_is_not_finished_names_its_command(tmp_path):
    run = open_run(make_config(), RunDir(tmp_path))
    with pytest.raises(
        UserError, match=r"the student_2 segmenter not found in .*; run first: bin/udas train --name=student_2"
    ):
        networks.trained_segmenter(run, "student_2")


def test_initial_weights_of_both_classifiers_serve_a_network_of_one(tmp_path):
    """By their names: Keras's files go by the order of the layers, in which the classifiers alternate."""
    both = segmenter()
    networks.save(both, tmp_path / "both.weights.h5")
    one = segmenter({"model.auxiliary": False, "model.initial_weights": str(tmp_path / "both.weights.h5")})
    assert_equal(one, values(both))
    networks.save(one, tmp_path / "one.weights.h5")
    again = segmenter({"model.auxiliary": False, "model.initial_weights": str(tmp_path / "one.weights.h5")})
    assert_equal(again, values(both))


def test_generators_of_either_upsampling_do_not_take_each_others_weights(tmp_path):
    keys = {"translate.width": 4, "translate.blocks": 1}
    networks.save(translate.generator(make_config(keys).translate), tmp_path / "G.weights.h5")
    other = translate.generator(make_config(keys | {"translate.upsampling": "resize"}).translate)
    with pytest.raises(UserError, match=r"G\.weights\.h5 do not fit the config's network"):
        networks.load(other, tmp_path / "G.weights.h5")


def test_weights_are_saved_whole(tmp_path):
    path = tmp_path / "a.weights.h5"
    networks.save(segmenter(), path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # nothing temporary is left
    assert networks.digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_trained_network_computes_as_in_its_training_or_in_that_of_another(tmp_path):
    run = open_run(make_config({"precision": "mixed_bfloat16", "source.precision": "float32"}), RunDir(tmp_path))
    finished(run, precision="float32")
    try:
        for precision, expected in ((None, "float32"), ("mixed_bfloat16", "mixed_bfloat16")):
            trained = networks.trained_segmenter(run, "no_adaptation", precision)
            assert trained.get_layer("primary_classifier_0").dtype_policy.name == expected
            assert keras.config.dtype_policy().name == expected
    finally:
        keras.config.set_dtype_policy("float32")
