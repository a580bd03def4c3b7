"""Gradient checkpointing: a backbone of which training keeps few of the blocks' outputs [Chen et al. 2016]."""

from __future__ import annotations

import itertools
import math
import re

import keras
import tensorflow as tf

from udas_tf.errors import UserError

# As resnet.py and efficientnet_lite.py name the layers of a block.
_BLOCK = re.compile(r"((?:layer\d_|block)\d+)_")


@keras.saving.register_keras_serializable(package="udas_tf")
class Recomputing(keras.Model):
    """A functional segmenter that computes its blocks once more in the gradient, instead of keeping what is in them.

    Of n blocks, every sqrt(n)-th output is kept, and those that the classifiers read; what lies between two of them
    is computed again when the gradient gets there. A third more arithmetic, a fraction of the memory; layers,
    weights and results are the network's. For networks on the backbones of this package, in whose blocks nothing is
    random. Only training differs: without gradients nothing is kept anyway.

    Raises:
        UserError: for a network without blocks.
    """

    def __init__(self, inputs, outputs, **kwargs):
        super().__init__(inputs, outputs, **kwargs)
        ends, outside = {}, []  # the blocks' outputs in their order, what other layers read
        for layer in self.layers:
            if block := _BLOCK.match(layer.name):
                ends[block[1]] = layer.output
            else:
                outside += tf.nest.flatten(layer.input)
        if not ends:
            raise UserError(
                f"model.recompute needs residual blocks of models/resnet.py or efficientnet_lite.py, which {self.name} "
                "does not have; set it to False."
            )
        run = math.isqrt(len(ends))
        read = [any(end is tensor for tensor in outside) for end in ends.values()]
        kept = [end for i, end in enumerate(ends.values()) if read[i] or (i + 1) % run == 0]
        # Functions and not models, which would count the layers once more.
        self._runs = tuple(keras.Function(*pair) for pair in itertools.pairwise([self.inputs[0], *kept]))
        self._read = tuple(i for i, end in enumerate(kept) if any(end is tensor for tensor in outside))
        self._classifiers = keras.Function([kept[i] for i in self._read], self.output)

    def call(self, inputs, training=None, mask=None):
        if not training:
            return super().call(inputs, training=training, mask=mask)
        maps, ends = tf.cast(inputs, self.inputs[0].dtype), []
        for run in self._runs:
            maps = keras.remat(run)(maps)
            ends.append(maps)
        return self._classifiers([ends[index] for index in self._read])
