"""Every network against the same one in PyTorch: logits within 1e-4 in float32, the largest deviation relative to the
largest logit.

Weights and the statistics of batch norm are drawn at random, saved as .pth by PyTorch and imported by our reader.
"""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.models import (
    deeplab_v2,
    discriminators,
    generators,
    seg_uncertainty,
    state_dicts,
    torch_checkpoints,
)

torch = pytest.importorskip("torch")
import torch_networks

LIMIT = 1e-4
CLASSES = 19
EVEN, ODD = (128, 256), (321, 513)
CAFFE_MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)
slow = pytest.mark.slow


@pytest.fixture
def imported(tmp_path):
    """imported(reference, network, part): the reference's parameters drawn, and in the network after the way of a
    file. Returns the reference."""

    def transfer(reference, network, part):
        draw(reference)
        torch.save(reference.state_dict(), tmp_path / "reference.pth")
        entries = torch_checkpoints.read(tmp_path / "reference.pth")
        plan = state_dicts.plan(network, entries, state_dicts.recognise(entries, part))
        assert plan.fits
        plan.apply()
        return reference.eval()

    return transfer


@torch.no_grad()
def draw(reference):
    """Weights that keep activations in range, and norms that are far from doing nothing."""
    generator = torch.Generator().manual_seed(0)
    for module in reference.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d | torch.nn.Linear):
            fan_in = module.weight[0].numel()
            module.weight.normal_(0, (2 / fan_in) ** 0.5, generator=generator)
        elif isinstance(module, torch.nn.BatchNorm2d | torch.nn.GroupNorm):
            module.weight.uniform_(0.3, 0.9, generator=generator)
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.3, 3, generator=generator)
        if getattr(module, "bias", None) is not None:
            module.bias.normal_(0, 0.3, generator=generator)


def pictures(size, batch=1):
    return np.random.default_rng(1).integers(0, 256, (batch, *size, 3), np.uint8)


def probabilities(size, batch=2):
    logits = np.random.default_rng(2).normal(0, 3, (batch, *size, CLASSES)).astype(np.float32)
    return tf.nn.softmax(logits).numpy()


@torch.no_grad()
def answer(reference, inputs):
    """The reference's outputs for NHWC inputs, as NHWC arrays."""
    outputs = reference(torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2), np.float32)))
    return tf.nest.map_structure(lambda maps: maps.permute(0, 2, 3, 1).numpy(), outputs)


def deviation(found, expected):
    """max|a - b| / max|b|, of the map where it is largest."""
    found, expected = tf.nest.flatten(found), tf.nest.flatten(expected)
    assert [tuple(maps.shape) for maps in found] == [maps.shape for maps in expected]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(found, expected, strict=True))


def on_caffe_images(images):
    return images[..., ::-1].astype(np.float32) - np.array(CAFFE_MEAN_BGR, np.float32)


# --- segmenters ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [deeplab_v2.PUBLISHED_ASPP_RATES, deeplab_v2.ASPP_RATES], ids=len)
@pytest.mark.parametrize(
    ("backbone", "size"),
    [
        pytest.param("resnet50", EVEN, id="resnet50-even"),
        pytest.param("resnet50", ODD, id="resnet50-odd", marks=slow),
        pytest.param("resnet101", EVEN, id="resnet101-even", marks=slow),
        pytest.param("resnet101", ODD, id="resnet101-odd", marks=slow),
    ],
)
def test_deeplab_v2(imported, within, backbone, size, rates):
    network = deeplab_v2.build(backbone, CLASSES, rates)
    reference = imported(torch_networks.deeplab_v2(backbone, CLASSES, len(rates)), network, "segmenter")
    images = pictures(size)
    within(deviation(network(images), answer(reference, on_caffe_images(images))), LIMIT)


def test_the_aspp_variants_differ(imported):
    """What the comparison above would say of the wrong variant."""
    network = deeplab_v2.build("resnet50", CLASSES, deeplab_v2.PUBLISHED_ASPP_RATES)
    reference = imported(torch_networks.deeplab_v2("resnet50", CLASSES, 2), network, "segmenter")
    reference.layer5.used = reference.layer6.used = 4
    images = pictures((33, 65))
    assert deviation(network(images), answer(reference, on_caffe_images(images))) > 0.1


@slow
@pytest.mark.parametrize("size", [EVEN, ODD], ids=["even", "odd"])
@pytest.mark.parametrize("squeeze_excite", [True, False])
def test_seg_uncertainty(imported, within, squeeze_excite, size):
    network = seg_uncertainty.build("resnet101", CLASSES, squeeze_excite=squeeze_excite)
    reference = torch_networks.seg_uncertainty("resnet101", CLASSES, squeeze_excite)
    imported(reference, network, "segmenter")
    images = pictures(size)
    within(deviation(network(images), answer(reference, on_caffe_images(images))), LIMIT)


# --- discriminators of segmentations ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [EVEN, ODD], ids=["even", "odd"])
@pytest.mark.parametrize(
    ("network", "reference"),
    [
        (discriminators.fully_convolutional, torch_networks.FCDiscriminator),
        (discriminators.multi_scale, torch_networks.MsImageDis),
    ],
    ids=["fully_convolutional", "multi_scale"],
)
def test_output_discriminators(imported, within, network, reference, size):
    network, reference = network(CLASSES), reference(CLASSES)
    imported(reference, network, "output_discriminator")
    maps = probabilities(size)
    within(deviation(network(maps), answer(reference, maps)), LIMIT)


# --- CycleGAN -----------------------------------------------------------------------------------------------


def scaled(images):
    return images.astype(np.float32) / 127.5 - 1


@pytest.mark.parametrize("size", [EVEN, pytest.param(ODD, marks=slow)], ids=["even", "odd"])
def test_generator(imported, within, size):
    network = generators.resnet_generator()
    reference = imported(torch_networks.ResnetGenerator(), network, "generator")
    images = pictures(size)
    # The original's images have a multiple of four pixels: rounded up here, and cut.
    expected = answer(reference, scaled(images))[:, : size[0], : size[1]]
    within(deviation(scaled(network(images).numpy()), expected), LIMIT)


@pytest.mark.parametrize("size", [EVEN, ODD], ids=["even", "odd"])
def test_patch_gan(imported, within, size):
    network = discriminators.patch_gan()
    reference = imported(torch_networks.NLayerDiscriminator(), network, "image_discriminator")
    images = pictures(size)
    within(deviation(network(images), answer(reference, scaled(images))), LIMIT)
