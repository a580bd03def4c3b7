"""TensorFlow's SavedModel; to run it needs TensorFlow alone.

Signature `serving_default`:
    images      uint8 [batch, height, width, 3], RGB, of any size, or of the one in the description
    class_ids   uint8 [batch, height, width], the train id of the most probable class
    confidence  float32 [batch, height, width], its probability

`assets.extra/udas.json` holds a `Description`; TensorFlow reserves that directory for the files of others.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference, typed_json
from udas_tf.errors import UserError
from udas_tf.no_patterns import no_pattern
from udas_tf.serving._served import Answer, Description, ServedModel

FILE = "saved_model.pb"  # marks the directory of a model
DESCRIPTION = Path("assets.extra") / "udas.json"
SIGNATURE = "serving_default"


def save(segmenter: keras.Model, path: Path, description: Description, frozen: bool) -> None:
    """Writes a segmenter to a new or empty directory.

    Args:
      segmenter: a network with the output "primary".
      path: of the directory.
      description: written beside the model. With a size in it the model takes only that size, and is faster.
      frozen: write the weights as constants of the graph: it is faster, and takes several times the memory.
    """
    images = tf.TensorSpec((None, *(description.size or (None, None)), 3), tf.uint8, name="images")

    @tf.function(input_signature=[images], autograph=False)
    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        with inference.constant_weights(segmenter) if frozen else contextlib.nullcontext():
            confidence, class_ids = inference.confidence_and_class(segmenter, images)
        return {"class_ids": class_ids, "confidence": confidence}

    module = tf.Module()
    if not frozen:
        module.weights = [variable.value for variable in segmenter.variables]
    tf.saved_model.save(module, str(path), {SIGNATURE: serve})
    typed_json.write(path / DESCRIPTION, description)


def load(path: Path) -> ServedModel:
    """Loads a model that `save` wrote.

    Raises:
      UserError: its description is missing or damaged.
    """
    if not (path / DESCRIPTION).is_file():
        raise UserError(f"{path} is a SavedModel without {DESCRIPTION}; give one that `udas export` wrote")
    description = typed_json.read(path / DESCRIPTION, Description, "export the model again")
    with no_pattern(path) as place:
        model = tf.saved_model.load(str(place))

    def answer(images: np.ndarray) -> Answer:
        outputs = model.signatures[SIGNATURE](images=tf.constant(images))
        return {name: value.numpy() for name, value in outputs.items()}

    return ServedModel(description, answer)
