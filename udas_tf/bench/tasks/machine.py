"""The machine's ceilings: matrix products by TensorFlow, copies of memory by numpy on all cores."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf import devices
from udas_tf.bench.measuring import timed
from udas_tf.bench.workloads import Scale

SIDES = {"CPU": 2_048, "GPU": 8_192}  # of the square matrices
SECONDS = 2.0
COPIED = 1 << 28  # bytes, far more than any cache holds


def measure(scale: Scale, directory: Path) -> dict[str, float]:
    """Operations a second by dtype, and bytes read or written a second: the best of several measurements."""
    return {"float32": _product(tf.float32), "bfloat16": _product(tf.bfloat16), "bytes": _copy()}


def _product(dtype: tf.DType) -> float:
    side = SIDES["GPU" if devices.has_gpu() else "CPU"]
    matrix = tf.cast(tf.random.stateless_normal((side, side), (0, 1)), dtype)
    # Reading one number waits for the product and copies little.
    return 2 * side**3 / min(timed(lambda: tf.matmul(matrix, matrix)[0, 0].numpy(), 1, SECONDS))


def _copy() -> float:
    workers = devices.cores()
    sources = [np.ones(COPIED // workers, np.uint8) for _ in range(workers)]
    targets = [np.empty_like(source) for source in sources]
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        seconds = timed(lambda: list(pool.map(np.copyto, targets, sources)), 1, SECONDS)
    return 2 * COPIED / min(seconds)
