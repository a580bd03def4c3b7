import json
import os
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_networks import small

from udas_tf import inference, serving
from udas_tf.errors import UserError
from udas_tf.models.heads import deeplab_v2
from udas_tf.serving import saved_model
from udas_tf.serving._served import Description, check_parity
from udas_tf.taxonomy import ClassSet

CLASSES = ClassSet("three", ("road", "sky", "car"), ((1, 2, 3), (4, 5, 6), (7, 8, 9)))
PROVENANCE = {"row": "cutmix", "round": None}
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
    return small(num_classes=len(CLASSES), head_keys=deeplab_v2.Config((1, 2)))


@pytest.fixture(scope="module")
def directory(segmenter, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved") / "model"
    saved_model.save(segmenter, directory, description(), frozen=False)
    return directory


def description(size=None):
    return Description(CLASSES.name, CLASSES.classes, CLASSES.colours, (48, 96), size, PROVENANCE)


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
    saved_model.save(segmenter, tmp_path / "model", description((33, 47)), frozen=False)
    served = saved_model.load(tmp_path / "model")
    assert (served.description.trained_size, served.description.size) == ((48, 96), (33, 47))
    check_parity(segmenter, served, images_of((2, 33, 47)))
    with pytest.raises(UserError, match="images are of 48x96 pixels, height by width, and the model takes 33x47"):
        served(images_of((1, 48, 96)))


def test_a_frozen_model_has_constants_in_the_weights_place(segmenter, directory, tmp_path):
    saved_model.save(segmenter, tmp_path / "model", description(), frozen=True)
    check_parity(segmenter, saved_model.load(tmp_path / "model"), images_of((2, 33, 47)))
    for path, reads in ((tmp_path / "model", False), (directory, True)):
        graph = tf.saved_model.load(str(path)).signatures[saved_model.SIGNATURE].graph
        inside = {node.op for function in graph.as_graph_def().library.function for node in function.node_def}
        assert "Conv2D" in inside and ("ReadVariableOp" in inside) == reads


def test_load_brings_classes_colours_sizes_and_provenance(directory):
    served = serving.load(directory)
    assert served.description == description()
    assert served.description.taxonomy == CLASSES
    content = json.loads((directory / "assets.extra" / "udas.json").read_text())
    assert content["classes"] == ["road", "sky", "car"] and content["provenance"] == PROVENANCE


def test_a_model_is_loaded_from_a_directory_of_any_name(directory, tmp_path):
    shutil.copytree(directory, tmp_path / "exp [seed=1] *" / "model")
    images = images_of((1, 32, 64))
    moved = saved_model.load(tmp_path / "exp [seed=1] *" / "model")
    np.testing.assert_array_equal(moved(images)["class_ids"], saved_model.load(directory)(images)["class_ids"])


def test_an_answer_is_arrays(directory):
    answer = serving.load(directory)(images_of((1, 8, 16)))
    assert {name: (type(value), value.dtype, value.shape) for name, value in answer.items()} == {
        "class_ids": (np.ndarray, np.uint8, (1, 8, 16)),
        "confidence": (np.ndarray, np.float32, (1, 8, 16)),
    }


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("trained_size", ..., "missing required field `trained_size`"),
        ("size", 64, r"Expected `array \| null`, got `int` - at `\$\.size`"),
        ("colours", [[1, 2]], r"Expected `array` of length 3 - at `\$\.colours\[0\]`"),
    ],
)
def test_a_damaged_description_names_the_file_and_the_key(key, value, complaint, directory, tmp_path):
    shutil.copytree(directory, tmp_path / "model")
    file = tmp_path / "model" / saved_model.DESCRIPTION
    content = json.loads(file.read_text()) | {key: value}
    if value is ...:
        del content[key]
    file.write_text(json.dumps(content))
    with pytest.raises(UserError, match=rf"udas\.json is damaged \(.*{complaint}.*; export the model again$"):
        serving.load(tmp_path / "model")


def test_parity_holds_with_the_network_it_was_made_of_and_not_with_another(segmenter, directory):
    served = saved_model.load(directory)
    check_parity(segmenter, served, images_of((2, 33, 47)))
    other = small(num_classes=len(CLASSES), head_keys=deeplab_v2.Config((1, 2)))
    for variable in other.variables:
        if "classifier" in variable.path:
            variable.assign(10 * np.random.default_rng(1).normal(size=variable.shape))
    with pytest.raises(RuntimeError, match="differs from the network"):
        check_parity(other, served, images_of((2, 33, 47)))


def test_load_refuses_what_export_did_not_write(directory, tmp_path):
    for missing in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError, match="is not a model that `udas export` wrote; run first: bin/udas export"):
            serving.load(missing)
    shutil.copytree(directory, tmp_path / "foreign")
    (tmp_path / "foreign" / saved_model.DESCRIPTION).unlink()
    with pytest.raises(UserError, match=r"foreign is a SavedModel without assets\.extra/udas\.json; give one that"):
        serving.load(tmp_path / "foreign")


def test_parity_of_half_precision_allows_for_its_rounding(tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = small(num_classes=len(CLASSES), head_keys=deeplab_v2.Config((1, 2)))
    finally:
        keras.config.set_dtype_policy(before)
    draw = np.random.default_rng(0)
    for variable in network.variables:
        if "classifier" in variable.path:
            variable.assign(0.5 * draw.normal(size=variable.shape))
    saved_model.save(network, tmp_path / "model", description(), frozen=False)
    served, images = saved_model.load(tmp_path / "model"), images_of((2, 75, 141))
    check_parity(network, served, images)
    for variable in network.variables:
        if "primary_classifier" in variable.path:
            variable.assign(-variable.value)
    with pytest.raises(RuntimeError, match="differs from the network"):
        check_parity(network, served, images)
