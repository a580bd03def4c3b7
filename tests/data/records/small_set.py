"""A small set of records, written and read in the tests of `udas_tf.data.records`."""

import numpy as np

from udas_tf.data import records
from udas_tf.data.sample import Sample

SIZE = (6, 10)
FIELDS = ("image", "label", "confidence", "id")


def make_sample(index, label=True, confidence=True, size=SIZE):
    rng = np.random.default_rng(index)
    return Sample(
        f"image_{index:03d}",
        rng.integers(0, 256, (*size, 3), np.uint8),
        rng.choice(np.array([0, 7, 18, 255], np.uint8), size) if label else None,
        rng.integers(0, 256, size, np.uint8) if confidence else None,
        {"dataset": "test", "index": index},
    )


def samples(indices):
    return (make_sample(index) for index in indices)


def write(
    directory,
    samples_of=samples,
    role="training",
    count=7,
    shard_images=3,
    skipped=(),
    strict=False,
    **provenance,
):
    return records.write(
        directory,
        role,
        count,
        samples_of,
        shard_images=shard_images,
        provenance=provenance,
        label="test",
        skipped=skipped,
        strict=strict,
    )


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def read_all(directory, fields=FIELDS, purpose="training", **options):
    dataset, _ = records.read(directory, purpose=purpose, fields=fields, **options)
    return list(dataset.as_numpy_iterator())
