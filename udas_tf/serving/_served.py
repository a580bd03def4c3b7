"""Parts that all export formats share: the description of a model, the loaded model, and the parity check."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference
from udas_tf.errors import UserError
from udas_tf.sizes import size_text
from udas_tf.taxonomy import ClassSet

# The largest difference of two probabilities that rounding may cause, by the bytes of the number type. Graphs round
# differently: one kernel for convolution, bias and ReLU rounds once, three kernels round three times.
TIES = {4: 1e-3, 2: 1e-1}

Answer = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Description:
    """The description of an exported model, a JSON file beside it.

    Attributes:
      class_set: name of the class set.
      classes: class names by train id.
      colours: (red, green, blue) by train id.
      trained_size: (height, width) of the training images, at which the predictions are best.
      size: (height, width) that images must have; None = any.
      provenance: the training that the weights come from.
    """

    class_set: str
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]
    trained_size: tuple[int, int]
    size: tuple[int, int] | None = None
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def taxonomy(self) -> ClassSet:
        """The class set of the model's ids."""
        return ClassSet(self.class_set, self.classes, self.colours)


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A loaded model: a function of images.

    Attributes:
      description: its classes and sizes.
      answer: uint8 RGB [B, H, W, 3] -> {"class_ids": uint8 [B, H, W], "confidence": float32 [B, H, W]}.
    """

    description: Description
    answer: Callable[[np.ndarray], Answer]

    def __call__(self, images: np.ndarray) -> Answer:
        """`answer` for images, uint8 RGB [B, H, W, 3]; UserError for a size that the model does not take."""
        size = self.description.size
        if size not in (None, images.shape[1:3]):
            raise UserError(
                f"images are of {size_text(images.shape[1:])} pixels, height by width, and the model takes "
                f"{size_text(size)} alone; resize them, or export it without --size"
            )
        return self.answer(images)


def check_parity(segmenter: keras.Model, served: ServedModel, images: np.ndarray) -> None:
    """Compares an exported model with its network.

    Args:
      segmenter: the network.
      served: the model.
      images: uint8 RGB [B, H, W, 3].

    Raises:
      RuntimeError: the confidences differ by more than rounding, or the model's class is less probable than the
        network's by more than rounding.
    """
    probability = inference.probabilities(segmenter, tf.constant(images))
    answer = served(images)
    chosen = tf.gather(probability, tf.cast(answer["class_ids"], tf.int32), batch_dims=3)
    best = tf.reduce_max(probability, -1)
    class_gap = float(tf.reduce_max(best - chosen))
    confidence_gap = float(tf.reduce_max(tf.abs(best - answer["confidence"])))
    tie = TIES[min(tf.as_dtype(layer.compute_dtype).size for layer in segmenter.layers)]
    if not max(class_gap, confidence_gap) < tie:  # also when one is not a number
        raise RuntimeError(
            f"the exported model differs from the network on images of shape {images.shape}: by "
            f"{class_gap:.2g} in the probability of its classes, by {confidence_gap:.2g} in its confidence"
        )
