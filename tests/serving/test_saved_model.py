import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import inference
from udas_tf.errors import UserError
from udas_tf.models import deeplab_v2
from udas_tf.serving import saved_model
from udas_tf.taxonomy import ClassSet

CLASSES = ClassSet("three", ("road", "sky", "car"), ((1, 2, 3), (4, 5, 6), (7, 8, 9)))
# Batches, odd sizes, more than one size a process, a single pixel.
SIZES = ((2, 32, 64), (1, 33, 47), (3, 9, 70), (1, 1, 1))

# A program of somebody who has TensorFlow and neither this package nor Keras.
STRANGER = """
import sys
import numpy as np
import tensorflow as tf
sys.modules["keras"] = sys.modules["udas_tf"] = None  # importing either fails, installed or not
signature = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]
images = np.load(sys.argv[2])
answers = {}
for name in images.files:
    answer = signature(images=tf.constant(images[name]))
    answers[name + " class_ids"] = answer["class_ids"].numpy()
    answers[name + " confidence"] = answer["confidence"].numpy()
np.savez(sys.argv[3], **answers)
"""


@pytest.fixture(scope="module")
def segmenter():
    return deeplab_v2.build("compact", len(CLASSES), (1, 2), width=8)


@pytest.fixture(scope="module")
def directory(segmenter, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved") / "model"
    saved_model.save(segmenter, directory, CLASSES, (48, 96), {"row": "cutmix"})
    return directory


def images_of(shape):
    return np.random.default_rng(sum(shape)).integers(0, 256, (*shape, 3), np.uint8)


def test_a_process_without_this_package_gets_the_networks_answers(segmenter, directory, tmp_path):
    np.savez(tmp_path / "images.npz", **{str(i): images_of(shape) for i, shape in enumerate(SIZES)})
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    arguments = [str(directory), str(tmp_path / "images.npz"), str(tmp_path / "answers.npz")]
    # -I: neither the working directory nor user packages on the path.
    result = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    answers = np.load(tmp_path / "answers.npz")
    for i, shape in enumerate(SIZES):
        probability = inference.probabilities(segmenter, tf.constant(images_of(shape))).numpy()
        ids, confidence = answers[f"{i} class_ids"], answers[f"{i} confidence"]
        assert (ids.dtype, ids.shape) == (np.uint8, shape)
        assert (confidence.dtype, confidence.shape) == (np.float32, shape)
        np.testing.assert_allclose(confidence, probability.max(-1), atol=1e-5)
        given = np.take_along_axis(probability, ids[..., np.newaxis].astype(int), -1)[..., 0]
        np.testing.assert_allclose(given, probability.max(-1), atol=1e-5)


def test_a_model_of_one_size_takes_no_other(segmenter, tmp_path):
    saved_model.save(segmenter, tmp_path / "model", CLASSES, (48, 96), {}, size=(33, 47))
    served = saved_model.load(tmp_path / "model")
    assert (served.trained_size, served.size) == ((48, 96), (33, 47))
    saved_model.check_parity(segmenter, served, images_of((2, 33, 47)))
    with pytest.raises(
        UserError, match="images are of 48x96 pixels, height by width, and the model takes 33x47"
    ):
        served(images_of((1, 48, 96)))


def test_a_frozen_model_has_constants_in_the_weights_place(segmenter, directory, tmp_path):
    saved_model.save(segmenter, tmp_path / "model", CLASSES, (48, 96), {}, frozen=True)
    frozen = saved_model.load(tmp_path / "model")
    saved_model.check_parity(segmenter, frozen, images_of((2, 33, 47)))
    for served, reads in ((frozen, False), (saved_model.load(directory), True)):
        functions = served.model.signatures["serving_default"].graph.as_graph_def().library.function
        inside = {node.op for function in functions for node in function.node_def}
        assert "Conv2D" in inside and ("ReadVariableOp" in inside) == reads


def test_load_brings_classes_colours_and_provenance(directory):
    served = saved_model.load(directory)
    assert (served.classes, served.trained_size, served.size) == (CLASSES, (48, 96), None)
    assert served.description["row"] == "cutmix"
    content = json.loads((directory / "assets.extra" / "udas.json").read_text())
    assert content["classes"] == ["road", "sky", "car"]


def test_a_model_of_an_earlier_version_is_named(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "model")
    description = tmp_path / "model/assets.extra/udas.json"
    content = json.loads(description.read_text())
    del content["trained_size"]
    description.write_text(json.dumps(content))
    with pytest.raises(UserError, match="model was exported by an earlier version; export the model again"):
        saved_model.load(tmp_path / "model")


def test_parity_holds_with_the_network_it_was_made_of_and_not_with_another(segmenter, directory):
    served = saved_model.load(directory)
    saved_model.check_parity(segmenter, served, images_of((2, 33, 47)))
    other = deeplab_v2.build("compact", len(CLASSES), (1, 2), width=8)
    for variable in other.variables:
        if "classifier" in variable.path:
            variable.assign(10 * np.random.default_rng(1).normal(size=variable.shape))
    with pytest.raises(RuntimeError, match="differs from the network"):
        saved_model.check_parity(other, served, images_of((2, 33, 47)))


def test_load_refuses_what_export_did_not_write(tmp_path):
    with pytest.raises(UserError, match="udas export"):
        saved_model.load(tmp_path)
    with pytest.raises(UserError, match="udas export"):
        saved_model.load(tmp_path / "missing")


def test_parity_of_half_precision_allows_for_its_rounding(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = deeplab_v2.build("compact", len(CLASSES), (1, 2), width=8)
    finally:
        keras.config.set_dtype_policy(before)
    draw = np.random.default_rng(0)
    for variable in network.variables:
        if "classifier" in variable.path:
            variable.assign(0.5 * draw.normal(size=variable.shape))
    saved_model.save(network, tmp_path / "model", CLASSES, (48, 96), {})
    served, images = saved_model.load(tmp_path / "model"), images_of((2, 75, 141))
    saved_model.check_parity(network, served, images)
    for variable in network.variables:
        if "primary_classifier" in variable.path:
            variable.assign(-variable.value)
    with pytest.raises(RuntimeError, match="differs from the network"):
        saved_model.check_parity(network, served, images)
