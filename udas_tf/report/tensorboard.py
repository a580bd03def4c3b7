"""What TensorBoard shows besides losses: training batches, predictions, translations and scores."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from udas_tf import inference
from udas_tf.data import pipeline
from udas_tf.data.augment.pixels import to_levels
from udas_tf.evaluation.score_card import TAGS, write_scalars
from udas_tf.evaluation.scores import Scores
from udas_tf.report import figures
from udas_tf.run import Run
from udas_tf.training.callbacks import Logs

SHOWN = 4  # images per panel


class TrainingPictures(keras.callbacks.Callback):
    """Shows a training batch at the start of a training, and predictions on validation images at its end.

    Args:
      run: the run in training.
      name: of the row.
      steps: of its training.
      batches: its training batches, from the first step.
    """

    def __init__(self, run: Run, name: str, steps: int, batches: tf.data.Dataset) -> None:
        super().__init__()
        self.palette = tf.constant(run.classes.palette())
        self.writer = tf.summary.create_file_writer(str(run.dir.tensorboard(name)))
        self.validation = run.dir.data("target_val")
        self.batches = batches
        self.last_step = steps

    def on_train_begin(self, logs: Logs = None) -> None:
        batch = next(iter(self.batches))
        with self.writer.as_default(step=0):
            for name, part in (batch if "image" not in batch else {"labelled": batch}).items():
                self._show(f"training/{name}", part["image"])
                if "label" in part:
                    self._show(f"training/{name}_label", self._coloured(part["label"]))

    def on_train_end(self, logs: Logs = None) -> None:
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

    def write_scores(self, scores: Scores) -> None:
        """Writes mIoU, pixel accuracy and the IoU of each class that occurs, and closes the file."""
        values = {tag: getattr(scores, key) for tag, key in TAGS.items()}
        values |= {f"validation_IoU/{name}": value for name, value in scores.iou.items()}
        write_scalars(self.writer, scores.step, values)
        self.writer.close()

    def _coloured(self, labels: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.palette, tf.cast(labels, tf.int32))

    def _show(self, name: str, images: tf.Tensor) -> None:
        tf.summary.image(name, images, max_outputs=SHOWN)


class TranslationPictures(keras.callbacks.Callback):
    """Shows translations at the end of a training: source, its translation and its reconstruction; target likewise.

    Args:
      run: the run in training.
      name: of the training.
      batches: its training batches, from the first step.
    """

    def __init__(self, run: Run, name: str, batches: tf.data.Dataset) -> None:
        super().__init__()
        self.writer = tf.summary.create_file_writer(str(run.dir.tensorboard(name)))
        self.batches = batches

    def on_train_end(self, logs: Logs = None) -> None:
        examples = list(self.batches.take(SHOWN))
        source, target = (tf.concat([batch[domain] for batch in examples], 0) for domain in ("source", "target"))
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
