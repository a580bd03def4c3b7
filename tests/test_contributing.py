"""The worked examples of CONTRIBUTING.md: each is a complete file that does what its section says."""

import re
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from small_networks import maps, small

from udas_tf.models.heads import deeplab_v2
from udas_tf.serving._served import Description, check_parity
from udas_tf.training.optimizers import SegmenterSGD, built

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", TEXT, re.DOTALL))
CLASSES = 3


def example(path):
    """The module of an example, by the file that it would be."""
    module = types.ModuleType(path.removesuffix(".py").replace("/", "."))
    exec(compile(EXAMPLES[path], path, "exec", dont_inherit=True), vars(module))
    return module


def segmenter():
    return small(num_classes=CLASSES, head_keys=deeplab_v2.Config((1, 2)))


def test_there_is_an_example_of_each_kind():
    kinds = {str(Path(path).parent) for path in EXAMPLES}
    assert kinds == {
        *("udas_tf/models/backbones", "udas_tf/data/sets", "udas_tf/serving", "udas_tf/methods"),
        "configs",
    }


@pytest.mark.slow
def test_the_backbone_has_four_stages():
    network = maps(example("udas_tf/models/backbones/convnext_tiny.py"), output_stride=32)
    stages = network(tf.zeros((1, 64, 96, 3)))
    shapes = {stride: tuple(features.shape[1:]) for stride, features in stages.items()}
    assert shapes == {4: (16, 24, 96), 8: (8, 12, 192), 16: (4, 6, 384), 32: (2, 3, 768)}


def test_the_data_set_finds_images_and_labels(tmp_path):
    module = example("udas_tf/data/sets/bdd100k.py")
    for folder, name in (("images/10k", "a.jpg"), ("images/10k", "b.jpg"), ("labels/sem_seg/masks", "a.png")):
        directory = tmp_path / folder / "train"
        directory.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array([[0, 13], [18, 255]], np.uint8)).save(directory / name)
    files = module.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", True), ("b", False)]
    train_ids = files.labels.reader(files.labels.classes)(files.pairs[0])
    np.testing.assert_array_equal(train_ids, [[0, 13], [18, 255]])
    assert not module.find(tmp_path, "val").pairs
    assert module.recognise(tmp_path) and module.recognise(tmp_path / "images") is None


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_the_export_format_answers_as_the_network(tmp_path):
    network, module = segmenter(), example("udas_tf/serving/litert.py")
    colours = ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    description = Description("three", ("road", "sky", "car"), colours, (32, 64), (32, 64))
    module.save(network, tmp_path / "model", description, frozen=False)
    assert (tmp_path / "model" / module.FILE).is_file()
    served = module.load(tmp_path / "model")
    assert served.description == description
    check_parity(network, served, np.random.default_rng(0).integers(0, 256, (2, 32, 64, 3), np.uint8))


def test_the_methods_teacher_follows_the_student():
    module = example("udas_tf/methods/mean_teacher.py")
    student, teacher = segmenter(), segmenter()
    teacher.set_weights(student.get_weights())
    before = [weight.copy() for weight in teacher.get_weights()]
    weights = {"L_seg_p": 1.0, "L_seg_a": 0.1, "L_target_p": 1.0, "L_target_a": 0.1}
    optimizer = built(SegmenterSGD(0.1, 0.9, 0.0, {}), student.trainable_variables)
    method = module.MeanTeacher(student, teacher, optimizer, weights, momentum=0.75, threshold=0.0)
    images = tf.random.stateless_uniform((2, 2, 32, 64, 3), (0, 1), 0.0, 255.0)
    batch = {
        "source": {"image": images[0], "label": tf.zeros((2, 32, 64), tf.uint8)},
        "target": {"image": images[1]},
    }
    logs = method.train_step(batch)
    assert set(logs) == set(weights) and all(np.isfinite(float(value)) for value in logs.values())
    for old, now, learnt in zip(before, teacher.get_weights(), student.get_weights(), strict=True):
        np.testing.assert_allclose(now, 0.75 * old + 0.25 * learnt, rtol=1e-5, atol=1e-6)
    assert not any(variable.trainable for variable in teacher.variables)
    assert keras.ops.convert_to_numpy(method.step) == 1
