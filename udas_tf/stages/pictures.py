"""What TensorBoard shows of each stage besides its losses: samples, predictions, scores."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference
from udas_tf.data import pipeline
from udas_tf.data.auto_augment import to_levels
from udas_tf.report import figures
from udas_tf.run_dir import RunDir
from udas_tf.stages import networks, rounds, score_card

SHOWN = 4  # images a panel


class StagePictures(keras.callbacks.Callback):
    """Training samples at the start; at the end input, label, prediction, confidence, errors on validation images.

    Args:
      row: the row in training.
      batches: its training batches, from the first step.
    """

    def __init__(self, config, run_dir: RunDir, row: rounds.Row, batches: tf.data.Dataset):
        super().__init__()
        self.classes = networks.class_set(config)
        self.palette = tf.constant(self.classes.palette())
        self.writer = tf.summary.create_file_writer(str(run_dir.tensorboard(row.name)))
        self.validation = run_dir.data("target_val")
        self.batches = batches
        self.last_step = config[row.stage].steps

    def on_train_begin(self, logs=None):
        batch = next(iter(self.batches))
        with self.writer.as_default(step=0):
            for name, part in (batch if "image" not in batch else {"labelled": batch}).items():
                self._show(f"training/{name}", part["image"])
                if "label" in part:
                    self._show(f"training/{name}_label", self._coloured(part["label"]))

    def on_train_end(self, logs=None):
        batches, _ = pipeline.evaluation(self.validation, SHOWN, ("image", "label"))
        batch = next(iter(batches))
        confidence, predicted = inference.confidence_and_class(self.model.segmenter, batch["image"])
        with self.writer.as_default(step=self.last_step):
            self._show("validation/1_input", batch["image"])
            self._show("validation/2_label", self._coloured(batch["label"]))
            self._show("validation/3_prediction", self._coloured(predicted))
            self._show("validation/4_confidence", confidence[..., tf.newaxis])
            maps = zip(batch["image"].numpy(), batch["label"].numpy(), predicted.numpy(), strict=True)
            self._show("validation/5_errors", np.stack([figures.error_map(*each) for each in maps]))

    def write_scores(self, result: dict) -> None:
        """mIoU, pixel accuracy and the IoU of each class that occurs."""
        scores = {tag: result[key] for tag, key in score_card.TAGS.items()}
        scores |= {f"validation_IoU/{name}": value for name, value in result["iou"].items()}
        score_card.write_scalars(self.writer, result["step"], scores)
        self.writer.close()

    def _coloured(self, labels: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.palette, tf.cast(labels, tf.int32))

    def _show(self, name: str, images: tf.Tensor) -> None:
        tf.summary.image(name, images, max_outputs=SHOWN)


class TranslationPictures(keras.callbacks.Callback):
    """At the end: source, source in the target's style, and back; target, and target in the source's style."""

    def __init__(self, run_dir: RunDir, batches: tf.data.Dataset):
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(run_dir.tensorboard("translate")))
        self.batches = batches

    def on_train_end(self, logs=None):
        examples = list(self.batches.take(SHOWN))
        source, target = (
            tf.concat([batch[domain] for batch in examples], 0) for domain in ("source", "target")
        )
        to_target, to_source = self.model.generators["G"], self.model.generators["F"]
        translated = to_target(source)
        panels = {
            "source/1_input": source,
            "source/2_translated": translated,
            "source/3_back": to_source(translated),
            "target/1_input": target,
            "target/2_translated": to_source(target),
        }
        with self.writer.as_default(step=int(np.asarray(self.model.optimizer.iterations))):
            for name, images in panels.items():
                tf.summary.image(name, to_levels(images), max_outputs=SHOWN)
        self.writer.close()
