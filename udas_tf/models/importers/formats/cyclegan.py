"""Checkpoints of the CycleGAN code."""

from __future__ import annotations

import keras

from udas_tf.models.importers.format import Format, Rules

# Instance norms of PyTorch before 0.4 kept statistics that they did not use.
STATISTICS = ((r".*\.running_(mean|var)", ""),)


def _generator(network: keras.Model) -> Rules:
    """Indices in nn.Sequential, where paddings, norms and ReLUs count: three modules a convolution."""
    blocks = sum(layer.name.endswith("_add") for layer in network.layers)
    last = 10 + blocks
    numbered = {"conv0": 1, "down0": 4, "down1": 7, "up0": last, "up1": last + 3, "conv1": last + 7}
    named = [(name, f"model.{index}", "") for name, index in numbered.items()]
    for index in range(blocks):
        named.append((f"block{index}_0", f"model.{10 + index}.conv_block.1", ""))
        named.append((f"block{index}_1", f"model.{10 + index}.conv_block.5", ""))
    return tuple(named)


def _patch_gan(network: keras.Model) -> Rules:
    """One convolution and its LeakyReLU, then convolution, norm and LeakyReLU."""
    convolutions = [layer.name for layer in network.layers if layer.weights]
    return tuple((name, f"model.{max(3 * index - 1, 0)}", "") for index, name in enumerate(convolutions))


GENERATOR = Format(
    "ResNet generator of CycleGAN",
    "generator",
    "model.10.conv_block.1.weight",
    _generator,
    unused=STATISTICS,
)
PATCH_GAN = Format("PatchGAN of CycleGAN", "image_discriminator", "model.0.weight", _patch_gan, unused=STATISTICS)
FORMATS = (GENERATOR, PATCH_GAN)
