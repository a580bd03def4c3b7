"""Translates the whole source set once with a trained generator, and checks what the translation did to the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference, metrics
from udas_tf.data import pipeline, records
from udas_tf.data.auto_augment import to_levels
from udas_tf.run_dir import RunDir, is_finished, read_json, write_json
from udas_tf.stages import checks, networks, notes, rounds
from udas_tf.taxonomy import IGNORE

CHECK = "check.json"
LISTED = 20  # images that changed most, by name in check.json


def translate(config, run_dir: RunDir) -> None:
    """Writes the source images in the target's style, with the source's labels, as records.

    With `translate.max_disagreement`, an image that the source-trained network sees differently afterwards, on more
    than this fraction of its labelled pixels, is kept untranslated or dropped, and `CHECK` beside the set tells.
    """
    if not is_finished(run_dir.translated):
        _write(config, run_dir)
    checked = "checked_by" in records.read_manifest(run_dir.translated)["provenance"]
    if checked and not (run_dir.translated / CHECK).is_file():
        found = gathered(notes.read(run_dir.translated), networks.class_set(config).classes)
        write_json(run_dir.translated / CHECK, found)
        print(
            f"translate: {found['rejected']} of {found['images']} images changed what they show "
            f"({config.translate.on_disagreement}); mean disagreement {100 * found['disagreement']:.1f} %"
        )


def _write(config, run_dir: RunDir) -> None:
    source = run_dir.require(run_dir.data("source_train"), "the source set", "data prepare")
    section = config.translate
    checks.check(config, "translate")
    trained = read_json(
        run_dir.require(run_dir.training("translate"), "the generator", "train --stage=translate")
        / "manifest.json"
    )
    batches, manifest = pipeline.evaluation(source, 1, ("image", "label", "id"))
    provenance = manifest["provenance"] | {"translated_by": trained["weights_sha256"]}
    judge = None
    if section.max_disagreement:
        judge, digest = _judge(config, run_dir)
        provenance |= {
            "checked_by": digest,
            "max_disagreement": section.max_disagreement,
            "on_disagreement": section.on_disagreement,
        }
    apply = translation(config, run_dir)

    def samples_of(indices: range) -> Iterator[records.Sample | records.Skipped]:
        note = {"images": [], "confusion": 0}
        for record in batches.skip(indices.start).take(len(indices)):
            name, label = record["id"][0].numpy().decode(), record["label"][0].numpy()
            translated = apply(record["image"])
            image, origin = translated[0].numpy(), provenance
            if judge:
                confusion = judge(record["image"], translated, record["label"]).numpy()
                changed = disagreement(confusion)
                rejected = changed > section.max_disagreement
                note["images"].append([name, changed, rejected])
                note["confusion"] = note["confusion"] + confusion
                if rejected and section.on_disagreement == "drop":
                    yield records.Skipped(name, f"shows other classes on {100 * changed:.1f} % of its pixels")
                    continue
                if rejected:
                    image, origin = record["image"][0].numpy(), manifest["provenance"]
            yield records.Sample(name, image, label, provenance=origin)
        if judge:
            notes.write(run_dir.translated, indices.start, note | {"confusion": note["confusion"].tolist()})

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


def translation(config, run_dir: RunDir) -> Callable[[tf.Tensor], tf.Tensor]:
    """G as a function of images [B, H, W, 3], uint8 to uint8; UserError naming the command that trains it."""
    generator = networks.trained_generator(config, run_dir)
    return tf.function(
        lambda images: to_levels(generator(tf.cast(images, tf.float32), training=False)),
        autograph=False,
        reduce_retracing=True,
    )


def _judge(config, run_dir: RunDir) -> tuple[Callable, str]:
    """(image, translation, label), all [1, ...] -> its `changes`; and the checksum of the segmenter that judges."""
    row = rounds.judge(config)
    segmenter = networks.trained_segmenter(config, run_dir, row)
    digest = read_json(run_dir.training(row.name) / "manifest.json")["weights_sha256"]

    @tf.function(autograph=False, reduce_retracing=True)
    def judge(image, translated, label):
        return changes(segmenter, image, translated, label, len(networks.class_set(config)))

    return judge, digest


def changes(
    segmenter: keras.Model, images: tf.Tensor, translated: tf.Tensor, labels: tf.Tensor, num_classes: int
) -> tf.Tensor:
    """int64 [C, C]: labelled pixels by the class a segmenter sees before and after translation.

    Args:
      images, translated: uint8 [B, H, W, 3].
      labels: uint8 [B, H, W]; only whether they are 255 counts.
    """
    _, classes = inference.confidence_and_class(segmenter, tf.concat([images, translated], 0))
    before, after = tf.split(classes, 2)
    before = tf.where(labels == IGNORE, tf.constant(IGNORE, before.dtype), before)
    return metrics.confusion_matrix(before, after, num_classes)


def disagreement(confusion: np.ndarray) -> float:
    """Fraction of the pixels whose class changed; 0 where there are none."""
    total = confusion.sum()
    return float(1.0 - np.trace(confusion) / total) if total else 0.0


def gathered(shard_notes: list[dict], classes: tuple[str, ...]) -> dict:
    """What CHECK holds, from the notes of the shards.

    Args:
      shard_notes: {"images": [[id, disagreement, whether rejected], ...], "confusion": [C, C]}.

    Returns:
      {"images", "rejected": how many, "rejected_ids", "disagreement": fraction of all labelled pixels,
       "worst": [[id, disagreement], ...] in falling order, "flow": `metrics.class_flow`}.
    """
    images = [image for note in shard_notes for image in note["images"]]
    confusion = np.sum([note["confusion"] for note in shard_notes], axis=0)
    worst = sorted(images, key=lambda image: -image[1])[:LISTED]
    rejected = [name for name, _, is_rejected in images if is_rejected]
    return {
        "images": len(images),
        "rejected": len(rejected),
        "rejected_ids": rejected,
        "disagreement": disagreement(confusion),
        "worst": [[name, changed] for name, changed, _ in worst],
        "flow": metrics.class_flow(confusion, classes),
    }


def check(run_dir: RunDir) -> dict | None:
    """What CHECK holds of a run; None where translations were not checked."""
    file: Path = run_dir.translated / CHECK
    return read_json(file) if file.is_file() else None
