import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.models import deeplab_v2, discriminators, seg_uncertainty
from udas_tf.models.recompute import Recomputing

CLASSES = 4


def compact(auxiliary=True):
    return deeplab_v2.build(
        "compact", num_classes=CLASSES, auxiliary=auxiliary, width=8, blocks=(1, 2, 1, 1), groups=4
    )


NETWORKS = {
    "both": compact,
    "primary": lambda: compact(auxiliary=False),
    "efficientnet": lambda: deeplab_v2.build("efficientnet_lite0", CLASSES, output_stride=16),
    "seg_uncertainty": lambda: seg_uncertainty.build(
        "compact", CLASSES, dropout=0.0, width=8, blocks=(1, 1, 1, 1), groups=4
    ),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    keras.utils.set_random_seed(3)
    return NETWORKS[request.param]()


@pytest.fixture
def recomputing(network):
    return Recomputing(network.input, network.output)


def images():
    return tf.cast(tf.random.stateless_uniform((2, 41, 57, 3), (1, 2), 0, 256, tf.int32), tf.uint8)


@tf.function(autograph=False)
def loss_and_gradients(network, images):
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(tf.square(maps)) for maps in network(images, training=True).values()])
    return loss, tape.gradient(loss, network.trainable_variables)


def test_nothing_but_memory_differs(network, recomputing):
    loss, gradients = loss_and_gradients(network, images())
    again, same = loss_and_gradients(recomputing, images())
    assert [v.path for v in recomputing.weights] == [v.path for v in network.weights]
    np.testing.assert_allclose(again, loss, rtol=1e-6)
    for one, other in zip(gradients, same, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6 * float(tf.reduce_max(tf.abs(one)) + 1))
    for level, maps in network(images()).items():
        np.testing.assert_allclose(recomputing(images())[level], maps, rtol=1e-6)


def convolutions(graph: tf.Graph) -> int:
    """Forward convolutions in a graph and the functions of its gradients."""
    functions = graph.as_graph_def().library.function
    nodes = [node for function in functions for node in function.node_def] + list(graph.as_graph_def().node)
    return sum(node.op in ("Conv2D", "DepthwiseConv2dNative") for node in nodes)


def test_the_backbone_is_computed_twice():
    keras.utils.set_random_seed(3)
    network = compact()
    recomputing = Recomputing(network.input, network.output)
    once, twice = (
        convolutions(loss_and_gradients.get_concrete_function(one, images()).graph)
        for one in (network, recomputing)
    )
    backbone = sum(
        isinstance(layer, keras.layers.Conv2D) and "_classifier_" not in layer.name
        for layer in network.layers
    )
    assert twice == once + backbone


def test_a_network_without_such_blocks_is_refused():
    network = discriminators.fully_convolutional(CLASSES, width=4)
    with pytest.raises(UserError, match=r"model\.recompute needs residual blocks"):
        Recomputing(network.input, network.output)
