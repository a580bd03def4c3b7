"""Every network against the same one in PyTorch: logits within 1e-4 in float32, the largest deviation relative to the
largest logit.

Weights and the statistics of batch norm are drawn at random, saved as .pth by PyTorch and imported by our reader.
"""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.models import discriminators, generators, segmenter
from udas_tf.models.heads import deeplab_v2, seg_uncertainty
from udas_tf.models.importers import state_dicts, torch_checkpoints

LIMIT = 1e-4
CLASSES = 19
EVEN, ODD = (128, 256), (321, 513)
CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)
slow = pytest.mark.slow


@pytest.fixture
def reference(pytorch, tmp_path):
    """reference(network, part, inputs, name, *arguments): outputs of the reference `name` of torch_networks, its
    parameters drawn, for NHWC inputs. The network has its parameters afterwards, by way of a file."""

    def transfer(network, part, inputs, name, *arguments):
        path = tmp_path / "reference.pth"
        expected = pytorch("torch_networks.drawn", path, inputs, name, *arguments)
        entries = torch_checkpoints.read(path)
        plan = state_dicts.plan(network, entries, state_dicts.recognise(entries, part))
        assert plan.fits
        plan.apply()
        return expected

    return transfer


def pictures(size, batch=1):
    return np.random.default_rng(1).integers(0, 256, (batch, *size, 3), np.uint8)


def probabilities(size, batch=2):
    logits = np.random.default_rng(2).normal(0, 3, (batch, *size, CLASSES)).astype(np.float32)
    return tf.nn.softmax(logits).numpy()


def deviation(found, expected):
    """max|a - b| / max|b|, of the map where it is largest."""
    found, expected = tf.nest.flatten(found), tf.nest.flatten(expected)
    assert [tuple(maps.shape) for maps in found] == [maps.shape for maps in expected]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True))


def on_caffe_images(images):
    return images[..., ::-1].astype(np.float32) - np.array(CAFFE_MEAN_BGR, np.float32)


# --- segmenters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [deeplab_v2.PUBLISHED_RATES, deeplab_v2.Config().rates], ids=len)
@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        pytest.param("resnet50", EVEN, id="resnet50-even"),
        pytest.param("resnet50", ODD, id="resnet50-odd", marks=slow),
        pytest.param("resnet101", EVEN, id="resnet101-even", marks=slow),
        pytest.param("resnet101", ODD, id="resnet101-odd", marks=slow),
    ],
)
def test_deeplab_v2(reference, within, backbone, size, rates):
    network = segmenter.build(backbone, "deeplab_v2", CLASSES, head_keys=deeplab_v2.Config(rates))
    images = pictures(size)
    expected = reference(network, "segmenter", on_caffe_images(images), "deeplab_v2", backbone, CLASSES, len(rates))
    within(deviation(network(images), expected), LIMIT)


def test_the_aspp_variants_differ(reference):
    """What the comparison above would say of the wrong variant: here of two rates, there of four."""
    keys = deeplab_v2.Config(deeplab_v2.PUBLISHED_RATES)
    network = segmenter.build("resnet50", "deeplab_v2", CLASSES, head_keys=keys)
    images = pictures((33, 65))
    expected = reference(network, "segmenter", on_caffe_images(images), "deeplab_v2", "resnet50", CLASSES, 4)
    assert deviation(network(images), expected) > 0.1


@slow
@pytest.mark.parametrize("size", [EVEN, ODD], ids=["even", "odd"])
@pytest.mark.parametrize("squeeze_excite", [True, False])
def test_seg_uncertainty(reference, within, squeeze_excite, size):
    keys = seg_uncertainty.Config(squeeze_excite=squeeze_excite)
    network = segmenter.build("resnet101", "seg_uncertainty", CLASSES, head_keys=keys)
    images = pictures(size)
    expected = reference(
        network, "segmenter", on_caffe_images(images), "seg_uncertainty", "resnet101", CLASSES, squeeze_excite
    )
    within(deviation(network(images), expected), LIMIT)


# --- discriminators of segmentations ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [EVEN, ODD], ids=["even", "odd"])
@pytest.mark.parametrize(
    ("build", "name"),
    [(discriminators.fully_convolutional, "FCDiscriminator"), (discriminators.multi_scale, "MsImageDis")],
    ids=["fully_convolutional", "multi_scale"],
)
def test_output_discriminators(reference, within, build, name, size):
    network, maps = build(CLASSES), probabilities(size)
    expected = reference(network, "output_discriminator", maps, name, CLASSES)
    within(deviation(network(maps), expected), LIMIT)


# --- CycleGAN -----------------------------------------------------------------------------------------------


def scaled(images):
    return images.astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("size", [EVEN, pytest.param(ODD, marks=slow)], ids=["even", "odd"])
def test_generator(reference, within, size):
    network, images = generators.resnet_generator(), pictures(size)
    # The original's images have a multiple of four pixels: rounded up here, and cut.
    expected = reference(network, "generator", scaled(images), "ResnetGenerator")[:, : size[0], : size[1]]
    within(deviation(scaled(network(images).numpy()), expected), LIMIT)


@pytest.mark.parametrize("size", [EVEN, ODD], ids=["even", "odd"])
def test_patch_gan(reference, within, size):
    network, images = discriminators.patch_gan(), pictures(size)
    expected = reference(network, "image_discriminator", scaled(images), "NLayerDiscriminator")
    within(deviation(network(images), expected), LIMIT)
