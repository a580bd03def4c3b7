"""A segmenter as a SavedModel that needs TensorFlow alone.

Signature `serving_default`:
    images      uint8 [batch, height, width, 3], RGB, any size
    class_ids   uint8 [batch, height, width], the train id of the most probable class
    confidence  float32 [batch, height, width], its probability

`assets.extra/udas.json`, where TensorFlow leaves room for what others want to keep with a model, holds the
class names, their colours, the size of the images that the network was trained on, at which it sees best, and where the
weights come from.
"""

from __future__ import annotations

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
      description: everything in udas.json.
    """

    model: tf.Module
    classes: ClassSet
    trained_size: tuple[int, int]
    description: dict

    def __call__(self, images: np.ndarray) -> dict[str, tf.Tensor]:
        """{"class_ids", "confidence"} of uint8 RGB [B, H, W, 3], see above."""
        return self.model.signatures[SIGNATURE](images=tf.constant(images))


def save(
    segmenter: keras.Model,
    directory: Path,
    classes: ClassSet,
    trained_size: tuple[int, int],
    provenance: dict,
) -> None:
    """Writes a segmenter to a new or empty directory.

    Args:
      segmenter: network of `deeplab_v2.build`.
      directory: of the SavedModel.
      classes: what the network's classes are.
      trained_size: (height, width) of the images that it was trained on.
      provenance: JSON-serialisable; kept in udas.json beside these.
    """
    archive = keras.export.ExportArchive()
    archive.track(segmenter)

    def serve(images):
        confidence, class_ids = inference.confidence_and_class(segmenter, images)
        return {"class_ids": class_ids, "confidence": confidence}

    images = tf.TensorSpec((None, None, None, 3), tf.uint8, name="images")
    archive.add_endpoint(SIGNATURE, serve, input_signature=[images])
    archive.write_out(directory, verbose=False)
    described = {"class_set": classes.name, "classes": classes.classes, "colours": classes.colours}
    described["trained_size"] = trained_size
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
    size = tuple(description["trained_size"])
    return ServedModel(tf.saved_model.load(str(directory)), classes, size, description)


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
