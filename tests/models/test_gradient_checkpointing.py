import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.models import discriminators, segmenter
from udas_tf.models.backbones.compact import Config
from udas_tf.models.gradient_checkpointing import GradientCheckpointing
from udas_tf.models.heads import seg_uncertainty

CLASSES = 4


def compact(auxiliary=True):
    keys = Config(width=16, blocks=(1, 2, 1, 1))
    return segmenter.build("compact", "deeplab_v2", CLASSES, auxiliary=auxiliary, backbone_keys=keys)


NETWORKS = {
    "both": compact,
    "primary": lambda: compact(auxiliary=False),
    "efficientnet": lambda: segmenter.build("efficientnet_lite0", "deeplab_v2", CLASSES, output_stride=16),
    "seg_uncertainty": lambda: segmenter.build(
        "compact",
        "seg_uncertainty",
        CLASSES,
        backbone_keys=Config(16, (1, 1, 1, 1)),
        head_keys=seg_uncertainty.Config(dropout=0.0),
    ),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    keras.utils.set_random_seed(3)
    return NETWORKS[request.param]()


@pytest.fixture
def checkpointing(network):
    return GradientCheckpointing(network.input, network.output)


def images():
    return tf.cast(tf.random.stateless_uniform((2, 41, 57, 3), (1, 2), 0, 256, tf.int32), tf.uint8)


@tf.function(autograph=False)
def loss_and_gradients(network, images):
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(tf.square(maps)) for maps in network(images, training=True).values()])
    return loss, tape.gradient(loss, network.trainable_variables)


def test_nothing_but_memory_differs(network, checkpointing):
    loss, gradients = loss_and_gradients(network, images())
    again, same = loss_and_gradients(checkpointing, images())
    assert [v.path for v in checkpointing.weights] == [v.path for v in network.weights]
    np.testing.assert_allclose(again, loss, rtol=1e-6)
    for one, other in zip(gradients, same, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6 * float(tf.reduce_max(tf.abs(one)) + 1))
    for level, maps in network(images()).items():
        np.testing.assert_allclose(checkpointing(images())[level], maps, rtol=1e-6)


def convolutions(graph: tf.Graph) -> int:
    """Forward convolutions in a graph and the functions of its gradients."""
    functions = graph.as_graph_def().library.function
    nodes = [node for function in functions for node in function.node_def] + list(graph.as_graph_def().node)
    return sum(node.op in ("Conv2D", "DepthwiseConv2dNative") for node in nodes)


def test_the_backbone_is_computed_twice():
    keras.utils.set_random_seed(3)
    network = compact()
    checkpointing = GradientCheckpointing(network.input, network.output)
    once, twice = (
        convolutions(loss_and_gradients.get_concrete_function(one, images()).graph) for one in (network, checkpointing)
    )
    backbone = sum(
        isinstance(layer, keras.layers.Conv2D) and "_classifier_" not in layer.name for layer in network.layers
    )
    assert twice == once + backbone


def test_a_network_without_such_blocks_is_refused():
    network = discriminators.fully_convolutional(CLASSES, width=4)
    with pytest.raises(UserError, match=r"model\.gradient_checkpointing needs a backbone with residual blocks"):
        GradientCheckpointing(network.input, network.output)
