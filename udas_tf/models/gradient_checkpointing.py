"""Gradient checkpointing [Chen et al. 2016]: training keeps few block outputs and recomputes the rest."""

from __future__ import annotations

import itertools
import math
from typing import Any

import keras
import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.models.features import block_name


@keras.saving.register_keras_serializable(package="udas_tf")
class GradientCheckpointing(keras.Model):
    """A functional segmenter that computes its blocks a second time for the gradient, instead of keeping their
    insides.

    Of n blocks, every sqrt(n)-th output is kept, and those that the classifiers read; the layers between two
    of them are computed again when the gradient gets there. A third more arithmetic, a fraction of the memory;
    layers, weights and results are the network's. For networks whose blocks `features.block_name` finds and
    in whose blocks nothing is random. Only training differs: without gradients nothing is kept anyway.

    Raises:
        UserError: for a network without blocks.
    """

    def __init__(self, inputs: Any, outputs: Any, **kwargs: Any):
        super().__init__(inputs, outputs, **kwargs)
        ends, outside = {}, []  # the blocks' outputs in their order, what other layers read
        for layer in self.layers:
            if block := block_name(layer.name):
                ends[block] = layer.output
            else:
                outside += tf.nest.flatten(layer.input)
        if not ends:
            raise UserError(
                "model.gradient_checkpointing needs a backbone with residual blocks, and "
                f"{self.name} has none; set it to False"
            )
        run = math.isqrt(len(ends))
        read = [any(end is tensor for tensor in outside) for end in ends.values()]
        kept = [end for i, end in enumerate(ends.values()) if read[i] or (i + 1) % run == 0]
        # Functions and not models, which would count the layers once more.
        self._runs = tuple(keras.Function(*pair) for pair in itertools.pairwise([self.inputs[0], *kept]))
        self._read = tuple(i for i, end in enumerate(kept) if any(end is tensor for tensor in outside))
        self._classifiers = keras.Function([kept[i] for i in self._read], self.output)

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=training, mask=mask)
        maps, ends = tf.cast(inputs, self.inputs[0].dtype), []
        for run in self._runs:
            maps = keras.remat(run)(maps)
            ends.append(maps)
        return self._classifiers([ends[index] for index in self._read])
