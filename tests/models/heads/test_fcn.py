"""FCN: parameters, sizes, gradients."""

import socket

import numpy as np
import pytest
import tensorflow as tf
from small_networks import small

from udas_tf.models import segmenter
from udas_tf.models.heads import fcn
from udas_tf.models.segmenter import classifier_variables


@pytest.fixture
def images():
    return np.random.default_rng(7).integers(0, 256, (2, 33, 70, 3)).astype("float32")


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise OSError("the test has no network")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


def test_fcn_on_resnet50(offline):
    model = segmenter.build("resnet50", "fcn")
    backbone = 25_557_032 - 2_049_000 + 2 * 26_560  # see test_resnet.py
    assert model.count_params() == backbone + 9 * 2048 * 512 + 2 * 512 + 512 * 19 + 19
    assert set(model.output) == {"primary"}


def test_fcn_trains(images):
    model = small("fcn", head_keys=fcn.Config(dropout=0.0))
    assert model(images)["primary"].shape == (2, 5, 9, 5)
    assert len(classifier_variables(model)) == 5  # kernel; gamma, beta; kernel, bias
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(images, training=True)["primary"] ** 2)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None and float(tf.reduce_max(tf.abs(gradient))) > 0, variable.path


def test_fcn_at_output_stride_sixteen(images):
    assert small("fcn", output_stride=16)(images)["primary"].shape == (2, 3, 5, 5)
