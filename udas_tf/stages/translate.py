"""Translates the whole source set once with a trained generator."""

from __future__ import annotations

from collections.abc import Iterator

import tensorflow as tf

from udas_tf.data import pipeline, records
from udas_tf.run_dir import RunDir, is_finished, read_json
from udas_tf.stages import networks


def translate(config, run_dir: RunDir) -> None:
    """Writes the source images in the target's style, with the source's labels, as records."""
    if is_finished(run_dir.translated):
        return
    source = run_dir.require(run_dir.data("source_train"), "the source set", "data prepare")
    generator = networks.trained_generator(config, run_dir)
    trained = read_json(run_dir.training("translate") / "manifest.json")
    batches, manifest = pipeline.evaluation(source, 1, ("image", "label", "id"))
    provenance = manifest["provenance"] | {"translated_by": trained["weights_sha256"]}
    apply = tf.function(
        lambda images: to_uint8(generator(images, training=False)), autograph=False, reduce_retracing=True
    )

    def samples_of(indices: range) -> Iterator[records.Sample]:
        for record in batches.skip(indices.start).take(len(indices)):
            image = apply(tf.cast(record["image"], tf.float32))[0].numpy()
            name = record["id"][0].numpy().decode()
            yield records.Sample(name, image, record["label"][0].numpy(), provenance=provenance)

    with records.naming_damage(source):
        records.write(
            run_dir.translated,
            "training",
            manifest["count"],
            samples_of,
            shard_images=config.data.shard_images,
            provenance=provenance,
            label="translate",
        )


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """RGB float in [0, 255] to the nearest uint8."""
    return tf.cast(tf.round(tf.clip_by_value(tf.cast(images, tf.float32), 0.0, 255.0)), tf.uint8)
