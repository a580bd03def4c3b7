"""From finished sets of records to training batches, all in-graph.

Batch i of a pipeline is a function of i and the seeds alone: its own and TensorFlow's global one, which
`training.loop.on_devices` sets. Order comes from one seeded shuffle a pass, augmentation from stateless draws keyed by
(seed, i). A resumed training starts the pipeline at its step and sees what it would have seen without the interruption.

Batches are dictionaries: images uint8 [B, H, W, 3], labels uint8 [B, H, W] with 255 = ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from udas_tf import confidence
from udas_tf.data import records, repeat_factors
from udas_tf.data.augment import geometry, policy
from udas_tf.data.augment.cutmix import domain_cutmix
from udas_tf.data.augment.flips_and_crops import random_flip, random_scale_crop
from udas_tf.data.augment.policy import Augmented
from udas_tf.data.records import AS_WRITTEN, UNTUNED, Manifest
from udas_tf.devices import cores

AHEAD = 2  # batches that wait to be read

Batch = dict[str, Any]  # tensors by name, or dictionaries of them
Augmentation = Callable[[Batch, tf.Tensor], Batch]  # batch, seed int32 [2] -> batch


@dataclasses.dataclass(frozen=True)
class Loading:
    """How records become batches of one size.

    Attributes:
      batch_size: images a batch.
      seed: of order and augmentation.
      start_step: number of the first batch.
      shuffle_buffer: size of the shuffle buffer, images.
      cache: keep decoded records in memory.
      autoaugment_probability: of an image to go through AutoAugment under the augmentation "auto".
      scale_range: (least, greatest) factor by which labelled images are enlarged before a random window of their own
        size is cut from them; None leaves them as they are.
      repeat_factor_threshold: share of a set's images below which a class is rare, so that labelled images that show
        it come more often (`data.repeat_factors`); None = each once a pass.
    """

    batch_size: int
    seed: int
    start_step: int
    shuffle_buffer: int
    cache: bool
    autoaugment_probability: float = 1.0
    scale_range: tuple[float, float] | None = None
    repeat_factor_threshold: float | None = None

    def labelled(self, directory: Path, stream: int) -> tf.data.Dataset:
        """Endless shuffled batches {"image", "label"} of a labelled set, repeated by `repeat_factor_threshold`."""
        return self.batches(directory, ("image", "label"), stream, self.repeat_factor_threshold)

    @AS_WRITTEN
    def batches(
        self, directory: Path, fields: Sequence[str], stream: int, repeat_factor_threshold: float | None = None
    ) -> tf.data.Dataset:
        """Endless shuffled batches of decoded records.

        Args:
          directory: a set of role "training".
          fields: see `records.read`.
          stream: tells apart the sets that one pipeline reads, so that their orders differ.
          repeat_factor_threshold: as the attribute; None for sets without labels.
        """
        examples, manifest = records.read(directory, purpose="training", fields=fields, cache=self.cache)
        factors, most = None, manifest.count  # images a pass
        if repeat_factor_threshold is not None:
            factors = repeat_factors.of_set(directory, manifest, repeat_factor_threshold)
            most = int(np.ceil(factors).sum())
        buffer = min(most, self.shuffle_buffer)
        first = (self.seed * 1_000 + stream) << 20  # the seed of the first pass; each pass has its own

        def one_pass(number: tf.Tensor) -> tf.data.Dataset:
            seed = first + number
            images = examples if factors is None else repeat_factors.repeated(examples, factors, seed)
            # Reshuffling by TensorFlow would depend on how often the data set has been iterated before.
            return images.shuffle(buffer, seed=seed, reshuffle_each_iteration=False)

        order = tf.data.Dataset.counter().flat_map(one_pass)
        return order.skip(self.start_step * self.batch_size).batch(self.batch_size, drop_remainder=True)

    @AS_WRITTEN
    def augmented(self, batches: tf.data.Dataset, augmentation: Augmentation) -> tf.data.Dataset:
        """Maps `augmentation(batch, seed)` over batches, with a seed for each step, and runs ahead of training."""
        steps = tf.data.Dataset.counter(start=self.start_step, dtype=tf.int32)
        keyed = tf.data.Dataset.zip(batches, steps)
        augmented = keyed.map(
            lambda batch, step: augmentation(batch, tf.stack([self.seed, step])),
            num_parallel_calls=cores(),
        )
        return augmented.prefetch(AHEAD).with_options(UNTUNED)

    def augment_pair(self, batch: Batch, augmentation: str, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        """ "none", "flip" or "auto" (flip, then AutoAugment) of {"image", "label"}, after the random scale."""
        images, labels = batch["image"], batch["label"]
        if self.scale_range is not None:
            size = tuple(images.shape[1:3])
            images, labels, _ = random_scale_crop(images, labels, size, self.scale_range, _subseed(seed, 2))
        if augmentation != "none":
            images, labels, _ = random_flip(images, labels, _subseed(seed, 0))
        share = self.autoaugment_probability if augmentation == "auto" else 0.0
        augmented = _auto_augment({"image": images, "label": labels}, share, _subseed(seed, 1))
        return {"image": augmented.images, "label": augmented.labels}


def labelled(loading: Loading, directory: Path, augmentation: str) -> tf.data.Dataset:
    """Batches {"image", "label"} of one labelled set, for supervised training."""
    batches = loading.labelled(directory, stream=0)
    return loading.augmented(batches, lambda batch, seed: loading.augment_pair(batch, augmentation, seed))


def unpaired(loading: Loading, source: Path, target: Path, crop: tuple[int, int] | None) -> tf.data.Dataset:
    """Batches {"source", "target"} of image crops for CycleGAN; without a crop, of whole images."""

    def augmentation(batch: Batch, seed: tf.Tensor) -> Batch:
        crops = {}
        for number, (domain, part) in enumerate(batch.items()):
            images = random_flip(part["image"], None, _subseed(seed, 2 * number)).images
            if crop is not None:
                images = tf.image.stateless_random_crop(
                    images, (images.shape[0], *crop, 3), _subseed(seed, 2 * number + 1)
                )
            crops[domain] = images
        return crops

    batches = tf.data.Dataset.zip(
        {
            "source": loading.batches(source, ("image",), stream=0),
            "target": loading.batches(target, ("image",), stream=1),
        }
    )
    return loading.augmented(batches, augmentation)


def adaptation(
    loading: Loading,
    source: Path,
    target: Path,
    labelled_target: Path | None,
    augmentation: str,
    mixed_augmentation: str,
) -> tf.data.Dataset:
    """Batches {"source": {"image", "label"}, "target": {"image"}} for adversarial adaptation.

    With `labelled_target`, Domain CutMix batches take the place of the source's (docs/equations.md section 3).
    """
    parts = {
        "source": loading.labelled(source, stream=0),
        "target": loading.batches(target, ("image",), stream=1),
    }
    if labelled_target is not None:
        parts["labelled"] = loading.labelled(labelled_target, stream=2)

    def augment_batch(batch: Batch, seed: tf.Tensor) -> Batch:
        if labelled_target is None:
            source_pair = loading.augment_pair(batch["source"], augmentation, _subseed(seed, 0))
        else:
            mixed = mix(batch["source"], batch["labelled"], seed)
            source_pair = loading.augment_pair(mixed, mixed_augmentation, _subseed(seed, 0))
        images = batch["target"]["image"]
        if augmentation != "none":
            images = random_flip(images, None, _subseed(seed, 1)).images
        return {"source": source_pair, "target": {"image": images}}

    return loading.augmented(tf.data.Dataset.zip(parts), augment_batch)


def self_training(
    loading: Loading,
    source: Path,
    labelled_target: Path | None,
    pseudo_labelled: Path,
    thresholds: np.ndarray,
    mixed_augmentation: str,
    pseudo_augmentation: str,
    cutmix_pseudo: bool,
) -> tf.data.Dataset:
    """Batches for a student: {"labelled": {"image", "label", "clean", "transform"}, "pseudo": {"image", "label"}}.

    "labelled" is the Domain CutMix of labelled target and source (the source alone without labelled target), with
    the image before AutoAugment and the map between the two, which the consistency term needs. "pseudo" carries the
    pseudo-labels that reach their class's threshold (`confidence.class_thresholds`); with `cutmix_pseudo`, Domain
    CutMix puts a box of the labelled batch into it.
    """
    parts = {
        "source": loading.labelled(source, stream=0),
        "pseudo": loading.batches(pseudo_labelled, ("image", "label", "confidence"), stream=1),
    }
    if labelled_target is not None:
        parts["labelled"] = loading.labelled(labelled_target, stream=2)

    def augment_batch(batch: Batch, seed: tf.Tensor) -> Batch:
        clean = mix(batch["source"], batch["labelled"], seed) if labelled_target is not None else batch["source"]
        clean = loading.augment_pair(clean, "none" if mixed_augmentation == "none" else "flip", _subseed(seed, 0))
        mixed = _auto_augment(
            clean, loading.autoaugment_probability if mixed_augmentation == "auto" else 0.0, _subseed(seed, 1)
        )
        pseudo = batch["pseudo"]
        confident = {
            "image": pseudo["image"],
            "label": confidence.mask(pseudo["label"], pseudo["confidence"], thresholds),
        }
        if cutmix_pseudo:
            confident = mix(confident, clean, _subseed(seed, 3))
        return {
            "labelled": {
                "image": mixed.images,
                "label": mixed.labels,
                "clean": clean["image"],
                "transform": mixed.transforms,
            },
            "pseudo": loading.augment_pair(confident, pseudo_augmentation, _subseed(seed, 2)),
        }

    return loading.augmented(tf.data.Dataset.zip(parts), augment_batch)


def evaluation(directory: Path, batch_size: int, fields: Sequence[str]) -> tuple[tf.data.Dataset, Manifest]:
    """Batches of a set in its order, images uint8, the last one smaller; and the set's manifest."""
    examples, manifest = records.read(directory, purpose="evaluation", fields=fields)
    return examples.batch(batch_size).prefetch(AHEAD), manifest


def mix(around: Batch, inside: Batch, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Domain CutMix of two batches {"image", "label"}: the second inside the box, the first around it."""
    images, labels, _ = domain_cutmix(
        around["image"], around["label"], inside["image"], inside["label"], _subseed(seed, 7)
    )
    return {"image": images, "label": labels}


def _auto_augment(batch: Batch, share: float, seed: tf.Tensor) -> Augmented:
    """AutoAugment of each image with probability `share`; the others stay as they are."""
    count = batch["image"].shape[0]
    original = Augmented(batch["image"], batch["label"], geometry.identity(count))
    if share == 0.0:
        return original
    augmented = policy.auto_augment(batch["image"], batch["label"], seed)
    if share == 1.0:
        return augmented
    chosen = tf.random.stateless_uniform([count], _subseed(seed, 1)) < share
    return Augmented(
        *(
            tf.where(tf.reshape(chosen, [count] + [1] * (changed.shape.rank - 1)), changed, kept)
            for changed, kept in zip(augmented, original, strict=True)
        )
    )


def _subseed(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    """An independent seed for each purpose within a step."""
    return tf.random.experimental.stateless_fold_in(seed, purpose)
