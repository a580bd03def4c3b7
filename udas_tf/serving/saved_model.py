"""A segmenter as a SavedModel that needs TensorFlow alone.

Signature `serving_default`:
    images      uint8 [batch, height, width, 3], RGB, any size, or the one that it was written for
    class_ids   uint8 [batch, height, width], the train id of the most probable class
    confidence  float32 [batch, height, width], its probability

`assets.extra/udas.json`, where TensorFlow leaves room for what others want to keep with a model, holds the
class names, their colours, the size of the images that the network was trained on, at which it sees best, the one that
images must have, and where the weights come from.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference
from udas_tf.errors import UserError
from udas_tf.run_dir import read_json, write_json
from udas_tf.taxonomy import ClassSet

DESCRIPTION = Path("assets.extra") / "udas.json"
SIGNATURE = "serving_default"
# Difference of two probabilities that rounding in another graph may turn round, by the bytes of what is computed in: a
# kernel that joins convolution, bias and ReLU rounds once where three round thrice.
TIES = {4: 1e-3, 2: 1e-1}


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A loaded SavedModel.

    Attributes:
      model: what TensorFlow loaded; its variables live as long as it does.
      classes: the class set of its ids.
      trained_size: (height, width) of the images that it was trained on.
      size: (height, width) that images must have; None = any.
      description: everything in udas.json.
    """

    model: tf.Module
    classes: ClassSet
    trained_size: tuple[int, int]
    size: tuple[int, int] | None
    description: dict

    def __call__(self, images: np.ndarray) -> dict[str, tf.Tensor]:
        """{"class_ids", "confidence"} of uint8 RGB [B, H, W, 3], see above; UserError for a size that it does not take."""
        if self.size not in (None, images.shape[1:3]):
            raise UserError(
                f"images are of {images.shape[1]}x{images.shape[2]} pixels, height by width, and the model takes "
                f"{self.size[0]}x{self.size[1]} alone; resize them, or export it without --size"
            )
        return self.model.signatures[SIGNATURE](images=tf.constant(images))


def save(
    segmenter: keras.Model,
    directory: Path,
    classes: ClassSet,
    trained_size: tuple[int, int],
    provenance: dict,
    size: tuple[int, int] | None = None,
    frozen: bool = False,
) -> None:
    """Writes a segmenter to a new or empty directory.

    Args:
      segmenter: network of `deeplab_v2.build`.
      directory: of the SavedModel.
      classes: what the network's classes are.
      trained_size: (height, width) of the images that it was trained on.
      provenance: JSON-serialisable; kept in udas.json beside these.
      size: (height, width) that images must have, which makes it faster; None = any.
      frozen: the weights are constants of the graph, which makes it faster and several times as large in memory.
    """
    images = tf.TensorSpec((None, *(size or (None, None)), 3), tf.uint8, name="images")

    @tf.function(input_signature=[images], autograph=False)
    def serve(images):
        with inference.constant_weights(segmenter) if frozen else contextlib.nullcontext():
            confidence, class_ids = inference.confidence_and_class(segmenter, images)
        return {"class_ids": class_ids, "confidence": confidence}

    module = tf.Module()
    if not frozen:
        module.weights = [variable.value for variable in segmenter.variables]
    tf.saved_model.save(module, str(directory), {SIGNATURE: serve})
    described = {"class_set": classes.name, "classes": classes.classes, "colours": classes.colours}
    described |= {"trained_size": trained_size, "size": size}
    write_json(directory / DESCRIPTION, described | provenance)


def load(directory: Path) -> ServedModel:
    """Loads what `save` wrote; UserError when the directory holds something else, or nothing."""
    if not (directory / "saved_model.pb").is_file() or not (directory / DESCRIPTION).is_file():
        raise UserError(
            f"{directory} is not a model that `udas export` wrote; run first: "
            f"bin/udas export --stage=student --round=1 --output={directory}"
        )
    description = read_json(directory / DESCRIPTION)
    colours = tuple(tuple(colour) for colour in description["colours"])
    classes = ClassSet(description["class_set"], tuple(description["classes"]), colours)
    if "trained_size" not in description:
        raise UserError(f"{directory} was exported by an earlier version; export the model again")
    trained_size = tuple(description["trained_size"])
    size = description.get("size") and tuple(description["size"])
    return ServedModel(tf.saved_model.load(str(directory)), classes, trained_size, size, description)


def check_parity(segmenter: keras.Model, served: ServedModel, images: np.ndarray) -> None:
    """Compares a SavedModel with the network it was made of.

    Args:
      images: uint8 RGB [B, H, W, 3].

    Raises:
      RuntimeError: a class differs that is not as good as tied with the network's own, or a confidence does.
    """
    probability = inference.probabilities(segmenter, tf.constant(images))
    answer = served(images)
    given = tf.gather(probability, tf.cast(answer["class_ids"], tf.int32), batch_dims=3)
    best = tf.reduce_max(probability, -1)
    class_gap = float(tf.reduce_max(best - given))
    confidence_gap = float(tf.reduce_max(tf.abs(best - answer["confidence"])))
    tie = TIES[min(tf.as_dtype(layer.compute_dtype).size for layer in segmenter.layers)]
    if not max(class_gap, confidence_gap) < tie:  # also when one is not a number
        raise RuntimeError(
            f"the exported model differs from the network on images of shape {images.shape}: by "
            f"{class_gap:.2g} in the probability of its classes, by {confidence_gap:.2g} in its confidence"
        )
