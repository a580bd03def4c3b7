"""Sets of records: raw data, translated images and pseudo-labels all have this one form.

A set is a directory of shards, which are TFRecord files, and a manifest written last. Its role says who may read it:
"training" sets are what stages learn from; "validation" and "hidden" sets (the target labels beyond the budget) open
only for evaluation. `read` enforces it: the label guard.

A record is a tf.train.Example with
    image        bytes   uint8 RGB [H, W, 3]
    label        bytes   uint8 train ids [H, W], 255 = ignored; empty where there is no label
    confidence   bytes   uint8 [H, W], round(255 * probability of the label); empty except in pseudo-labels
    height, width  int64   pixels
    id           bytes   name of the image within its data set
    provenance   bytes   JSON: where image and label come from

Arrays lie there as they are, row by row: decoding PNG was most of what a training's input cost (docs/performance.md).
"""

from udas_tf.data.records.manifest import SCHEMA, Manifest, Role, Shard, read_manifest
from udas_tf.data.records.reading import AS_WRITTEN, UNTUNED, naming_damage, read, verify, verify_shard
from udas_tf.data.records.schema import decode, encode
from udas_tf.data.records.writing import check_skipped, link, write

__all__ = [
    "AS_WRITTEN",
    "SCHEMA",
    "UNTUNED",
    "Manifest",
    "Role",
    "Shard",
    "check_skipped",
    "decode",
    "encode",
    "link",
    "naming_damage",
    "read",
    "read_manifest",
    "verify",
    "verify_shard",
    "write",
]
