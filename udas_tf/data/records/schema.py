"""One record: a sample as bytes, and back again inside the graph."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from udas_tf.data.sample import Sample


def encode(sample: Sample) -> bytes:
    """Serialises a sample; ValueError when shapes or dtypes are not those of the schema."""
    height, width = sample.image.shape[:2]
    _check_array("image", sample.image, (height, width, 3))
    for name, array in (("label", sample.label), ("confidence", sample.confidence)):
        if array is not None:
            _check_array(name, array, (height, width))
    features = {
        "image": _bytes(sample.image.tobytes()),
        "label": _bytes(b"" if sample.label is None else sample.label.tobytes()),
        "confidence": _bytes(b"" if sample.confidence is None else sample.confidence.tobytes()),
        "height": tf.train.Feature(int64_list=tf.train.Int64List(value=[height])),
        "width": tf.train.Feature(int64_list=tf.train.Int64List(value=[width])),
        "id": _bytes(sample.id.encode()),
        "provenance": _bytes(json.dumps(sample.provenance).encode()),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)


def decode(serialized: tf.Tensor, size: tuple[int, int], fields: Sequence[str]) -> dict[str, tf.Tensor]:
    """Parses one record in-graph.

    Args:
      serialized: string scalar.
      size: (height, width) of the record, static.
      fields: which of "image", "label", "confidence", "id" to decode.

    Returns:
      {"image": uint8 [H, W, 3], "label": uint8 [H, W], "confidence": uint8 [H, W], "id": string}, those asked for.
    """
    parsed = tf.io.parse_single_example(serialized, {field: tf.io.FixedLenFeature([], tf.string) for field in fields})
    shapes = {"image": (*size, 3), "label": size, "confidence": size}
    return {
        field: tf.reshape(tf.io.decode_raw(value, tf.uint8), shapes[field]) if field in shapes else value
        for field, value in parsed.items()
    }


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _check_array(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.dtype != np.uint8 or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}, expected uint8 {shape}")
