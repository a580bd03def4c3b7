"""Repeat-factor sampling: images that show rare classes come more often in a pass [Gupta et al. 2019, LVIS]."""

from __future__ import annotations

import collections
import math
from collections.abc import Collection, Hashable, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf.data.records import Manifest
from udas_tf.errors import UserError


def of_set(directory: Path, manifest: Manifest, below: float) -> np.ndarray:
    """`repeat_factors` of a labelled set of records, whose manifest tells the classes that each of them shows.

    Raises:
      UserError: the set was written before these were counted.
    """
    if manifest.labelled_classes is None:
        raise UserError(
            f"{directory} was written without the classes of each image, which data.repeat_factor_threshold needs; "
            "remove it and make it again, or set data.repeat_factor_threshold=none"
        )
    return repeat_factors([shown.split() for shown in manifest.labelled_classes], below)


def repeat_factors(shown: Sequence[Collection[Hashable]], below: float) -> np.ndarray:
    """How often each image of a set is to come in a pass over it, in expectation.

        f_c = images that show class c / images          r = max(1, max over the classes c shown of sqrt(t / f_c))

    Args:
      shown: of each image, the classes that it shows.
      below: t, in (0, 1]; classes that this share of the images shows, or more, repeat none.

    Returns:
      r, float64 [images], 1 or more.
    """
    images_with = collections.Counter(name for classes in shown for name in classes)
    wanted = {name: math.sqrt(below * len(shown) / count) for name, count in images_with.items()}
    return np.array([max([1.0, *(wanted[name] for name in classes)]) for classes in shown])


def repeated(examples: tf.data.Dataset, factors: np.ndarray, seed: tf.Tensor) -> tf.data.Dataset:
    """One pass in which example i comes floor(r_i) times in a row, once more with probability r_i - floor(r_i).

    Args:
      examples: as many as there are factors, in their order.
      factors: r, float64 [examples].
      seed: int64 scalar; the draws follow from it and i.
    """

    def copies(index: tf.Tensor, example: dict[str, tf.Tensor]) -> tf.data.Dataset:
        draw = tf.random.stateless_uniform([], tf.stack([seed, index]), dtype=tf.float64)  # in [0, 1)
        times = tf.floor(tf.gather(factors, index) + draw)
        return tf.data.Dataset.from_tensors(example).repeat(tf.cast(times, tf.int64))

    return examples.enumerate().flat_map(copies)
