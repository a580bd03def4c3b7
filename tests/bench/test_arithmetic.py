"""Operations counted from shapes, against products worked out by hand."""

import keras
import pytest

from udas_tf.bench import arithmetic
from udas_tf.bench.arithmetic import Passes
from udas_tf.models import generators, segmenter


def test_convolutions_of_every_kind():
    images = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(images)  # 10x12 from 20x24
    x = keras.layers.Conv2D(8, 1)(x)
    network = keras.Model(images, keras.layers.Conv2DTranspose(2, 3, strides=2, padding="same")(x))
    first = 2 * 10 * 12 * 4 * 3 * 9
    others = 2 * 10 * 12 * 8 * 4 + 2 * 10 * 12 * 8 * 2 * 9
    assert arithmetic.passes(network, (20, 24)) == Passes(first + others, first)


def test_a_dense_layer():
    images = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 1)(images)
    network = keras.Model(images, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x)))
    assert arithmetic.passes(network, (2, 2)).forward == 2 * 4 * 3 * 4 + 2 * 4 * 5


def test_a_frozen_resnet_counts_its_convolutions_once():
    network = segmenter.build("resnet50", "deeplab_v2")
    counted = arithmetic.passes(network, (32, 32)).forward
    # 3x3 and 1x1 convolutions at stride 8 on 5x5 pixels dominate; padding and folding count nothing.
    kernels = sum(v.value.shape.num_elements() for v in network.trainable_variables if len(v.shape) == 4)
    assert 2 * 5 * 5 * kernels < counted < 4 * 5 * 5 * kernels


def test_cyclegan_generator_in_proportion_to_the_image():
    network = generators.resnet_generator(width=8, blocks=1)
    small, large = (arithmetic.passes(network, size).forward for size in ((32, 32), (64, 64)))
    assert large / small == pytest.approx(4, rel=0.05)


def test_steps():
    segmenter, discriminator = Passes(100.0, 10.0), Passes(20.0, 4.0)
    one = 2 * 290 + 2 * (7 * 20 - 2 * 4)
    assert arithmetic.adaptation_step(segmenter, [discriminator] * 2, batch=3) == 3 * one
    generators_do, discriminators_do = 2 * (900 - 20), 2 * (160 - 8)
    assert arithmetic.cyclegan_step(segmenter, discriminator, batch=1) == generators_do + discriminators_do
