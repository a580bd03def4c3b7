"""Translation of unpaired source images into the target's style: CycleGAN (docs/equations.md section 1)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf import inference, schema
from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.losses import cycle
from udas_tf.losses.cycle import FAKE, REAL
from udas_tf.models import discriminators, generators
from udas_tf.taxonomy import ClassSet
from udas_tf.training.checks import check_training
from udas_tf.training.method import Method, minimize, weighted_sum
from udas_tf.training.optimizers import ConstantThenLinear, TorchAdam, built, trainable
from udas_tf.training.task import Task

READS = ("plain_source", "target")
NETWORKS = ("generator", "image_discriminator")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(schema.Training):
    """Section `translate`."""

    crop: schema.Size | None = (256, 256)  # height, width of training crops, pixels; None = whole images
    width: schema.Positive = 64  # filters of the generators' first convolution
    blocks: schema.Positive = 9  # residual blocks of a generator
    upsampling: Literal["transposed", "resize"] = "transposed"  # convolutions; resize leaves no checkerboard
    residual: bool = False  # generators compute a change that is added to the image; the paper's compute the image
    discriminator_width: schema.Positive = 64  # filters of the discriminators' first convolution
    discriminator_layers: schema.Positive = 3  # strided convolutions; 3 = the 70x70 PatchGAN
    learning_rate: float = 2e-4  # learning rate of Adam, for generators and discriminators
    beta_1: schema.Share = 0.5  # beta_1 of Adam
    decay_start: schema.Share = 0.5  # fraction of the steps after which the rate falls linearly to 0
    weight_cycle: schema.Weight = 10.0  # weight of L_cyc, lambda_cyc
    weight_identity: schema.Weight = 5.0  # weight of L_identity; 0 = off
    weight_semantic: schema.Weight = 0.0  # weight of L_semantic, CyCADA's semantic consistency; 0 = off
    judge: str = "no_adaptation"  # row whose network decides which classes an image shows, in L_semantic and the check
    pool_size: schema.Count = 50  # earlier translations kept to train each discriminator


# Domain -> the generator that makes its images from those of the other domain.
GENERATORS = {"target": "G", "source": "F"}
OTHER = {"target": "source", "source": "target"}

Images = dict[str, tf.Tensor]  # by domain


class ImagePool(keras.layers.Layer):
    """Earlier translations, which a discriminator sees half of the time in place of new ones [Shrivastava 2017].

    As CycleGAN's util/image_pool.py: while the pool fills, it stores and returns each image. Then it returns an image
    as it is with probability one half; otherwise the image takes the place of a random stored one, which is returned.
    The pool is part of the checkpoint. With several replicas it holds the first replica's images.

    Args:
      capacity: images; 0 = every image is returned as it is.
      image_shape: (height, width, 3), static.
      seed: of the draws.
    """

    def __init__(self, capacity: int, image_shape: tuple[int, int, int], seed: int, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.capacity = capacity
        self.seed = seed
        state = {"trainable": False, "initializer": "zeros", "aggregation": "only_first_replica"}
        self.images = self.add_weight(shape=(max(capacity, 1), *image_shape), name="images", **state)
        self.built = True  # there is no `call` to build from

    def exchange(self, images: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """The images that the discriminator sees in place of `images`.

        Args:
          images: float32 [B, H, W, 3], with a static B that is the same at every step.
          step: integer scalar, from 0.
        """
        if self.capacity == 0:
            return images
        batch, step = images.shape[0], tf.cast(step, tf.int32)
        before = tf.minimum(step, self.capacity) * batch  # images so far, exact until the pool is full
        returned = [self._exchange_one(image, step, before + i, i) for i, image in enumerate(tf.unstack(images))]
        return tf.stack(returned)

    def _exchange_one(self, image: tf.Tensor, step: tf.Tensor, stored: tf.Tensor, number: int) -> tf.Tensor:
        seed = tf.random.experimental.stateless_fold_in(tf.stack([self.seed, step]), number)
        filling = stored < self.capacity
        swap = filling | (tf.random.stateless_uniform([], seed) < 0.5)
        random_place = tf.random.stateless_uniform([], seed + 1, maxval=self.capacity, dtype=tf.int32)
        place = tf.where(filling, stored, random_place)
        old = tf.gather(self.images, place)
        kept = tf.where(swap, image, old)
        self.images.assign(tf.tensor_scatter_nd_update(self.images, [[place]], kept[tf.newaxis]))
        return tf.where(filling | ~swap, image, old)


class ImageTranslation(Method):
    """Trains two generators against two discriminators.

    The generators' loss is L_GAN_G + L_GAN_F + weight_cycle * L_cyc + weight_identity * L_identity + weight_semantic *
    L_semantic; the last two are optional.

    Args:
      generators: {"G": source -> target, "F": target -> source}, RGB in [0, 255] both ways.
      discriminators: {"source": D_s, "target": D_t}, RGB in [0, 255] -> list of one score map.
      generator_optimizer, discriminator_optimizer: built, each on the variables of both networks.
      pools: {"source": ImagePool of F's images, "target": ImagePool of G's}.
      weight_cycle, weight_identity: of L_cyc and L_identity; without the second's weight it is not computed.
      segmenter: trained on the source; it stays as it is. None = without L_semantic.
      weight_semantic: of L_semantic.
    """

    def __init__(
        self,
        generators: dict[str, keras.Model],
        discriminators: dict[str, keras.Model],
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        pools: dict[str, ImagePool],
        weight_cycle: float,
        weight_identity: float,
        segmenter: keras.Model | None = None,
        weight_semantic: float = 0.0,
    ) -> None:
        term_weights = {"L_GAN_G": 1.0, "L_GAN_F": 1.0, "L_cyc": weight_cycle}
        if weight_identity > 0.0:
            term_weights["L_identity"] = weight_identity
        if segmenter is not None:
            term_weights["L_semantic"] = weight_semantic
            segmenter.trainable = False
        super().__init__([*term_weights, "L_D_source", "L_D_target"])
        self.generators = self.track("generator", generators)
        self.discriminators = self.track("discriminator", discriminators)
        self.discriminator_optimizer = discriminator_optimizer
        self.pools = self.track("pool", pools)
        self.segmenter = segmenter
        self.term_weights = term_weights
        self.prepare(generator_optimizer)

    WEIGHTS = "generator.weights.h5"

    @property
    def product(self) -> keras.Model:
        return self.generators["G"]

    def generate(self, batch: Images) -> tuple[Images, Images]:
        """What the generators make of a batch, by domain.

        Returns:
          The other domain's images translated into this domain; and this domain's own images after the generator that
          should leave them as they are, without L_identity an empty dictionary. One pass makes both: instance norm
          does not mix images.
        """
        translated: Images = {}
        same: Images = {}
        for domain, name in GENERATORS.items():
            others = batch[OTHER[domain]]
            if "L_identity" not in self.term_weights:
                translated[domain] = self.generators[name](others, training=True)
                continue
            both = self.generators[name](tf.concat([others, batch[domain]], 0), training=True)
            translated[domain], same[domain] = tf.split(both, [others.shape[0], batch[domain].shape[0]])
        return translated, same

    def loss_terms(self, batch: Images, translated: Images, same: Images) -> dict[str, tf.Tensor]:
        """Unweighted terms of the generators.

        Args:
          batch: {"source", "target"}, float32 [B, H, W, 3].
          translated, same: what `generate` returns.
        """
        terms = {"L_cyc": 0.0, "L_identity": 0.0, "L_semantic": 0.0}
        for domain, name in GENERATORS.items():
            back = self.generators[GENERATORS[OTHER[domain]]]
            (scores,) = self.discriminators[domain](translated[domain], training=False)
            terms[f"L_GAN_{name}"] = cycle.gan(scores, REAL)
            reconstructed = back(translated[domain], training=True)
            terms["L_cyc"] += cycle.reconstruction(batch[OTHER[domain]], reconstructed)
            if domain in same:
                terms["L_identity"] += cycle.reconstruction(batch[domain], same[domain])
            if self.segmenter is not None:
                both = (batch[OTHER[domain]], translated[domain])
                logits = (inference.logits(self.segmenter, images)["primary"] for images in both)
                terms["L_semantic"] += cycle.semantic(*logits)
        return {name: terms[name] for name in self.term_weights}

    def discriminator_terms(self, batch: Images, fakes: Images) -> dict[str, tf.Tensor]:
        """Loss of each discriminator: half that of real images against REAL, half that of `fakes` against FAKE.

        Args:
          batch, fakes: {"source", "target"}, float32 [B, H, W, 3]. No gradient flows to `fakes`.
        """
        terms = {}
        for domain, network in self.discriminators.items():
            images = [batch[domain], tf.stop_gradient(fakes[domain])]
            (scores,) = network(tf.concat(images, 0), training=True)
            real, fake = tf.split(scores, [part.shape[0] for part in images])
            terms[f"L_D_{domain}"] = 0.5 * (cycle.gan(real, REAL) + cycle.gan(fake, FAKE))
        return terms

    def train_step(self, batch: Images) -> dict[str, tf.Tensor]:
        batch = {domain: tf.cast(images, tf.float32) for domain, images in batch.items()}
        with tf.GradientTape() as tape:
            translated, same = self.generate(batch)
            terms = self.loss_terms(batch, translated, same)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.term_weights))
        fakes = {domain: self.pools[domain].exchange(images, self.step) for domain, images in translated.items()}
        with tf.GradientTape() as discriminator_tape:
            discriminator_terms = self.discriminator_terms(batch, fakes)
            discriminator_loss = self.discriminator_optimizer.scale_loss(tf.add_n(list(discriminator_terms.values())))
        minimize(self.optimizer, loss, tape, trainable(self.generators.values()))
        discriminators = trainable(self.discriminators.values())
        minimize(self.discriminator_optimizer, discriminator_loss, discriminator_tape, discriminators)
        return self.logged(terms | discriminator_terms)


def check(config: ConfigDict) -> None:
    """UserError for settings that do not go together."""
    check_training(config, "translate")
    crop, size = config.translate.crop, tuple(config.data.size)
    if crop is not None and not (crop[0] <= size[0] and crop[1] <= size[1]):
        raise UserError(
            f"translate.crop={tuple(crop)} is larger than data.size={size}; expected at most that, or none for whole "
            "images"
        )


def build(task: Task) -> ImageTranslation:
    """The method with its networks; with the judge's where weight_semantic is not 0."""
    section = task.section
    judge = task.network("judge") if section.weight_semantic else None
    generator_pair = {name: generator(section) for name in ("G", "F")}
    discriminator_pair = {domain: image_discriminator(section) for domain in ("source", "target")}
    generator_optimizer = _optimizer(section, generator_pair.values())
    discriminator_optimizer = _optimizer(section, discriminator_pair.values())
    size = tuple(section.crop or task.config.data.size)
    pools = {
        domain: ImagePool(section.pool_size, (*size, 3), seed=2 * task.config.seed + number)
        for number, domain in enumerate(discriminator_pair)
    }
    return ImageTranslation(
        generator_pair,
        discriminator_pair,
        generator_optimizer,
        discriminator_optimizer,
        pools,
        section.weight_cycle,
        section.weight_identity,
        judge,
        section.weight_semantic,
    )


def batches(task: Task, start: int) -> tf.data.Dataset:
    """Batches {"source", "target"}: uint8 crops [B, h, w, 3], from the one of step `start` on."""
    crop = task.section.crop and tuple(task.section.crop)
    return pipeline.unpaired(task.loader(start), task.sets["plain_source"], task.sets["target"], crop)


def generator(section: ConfigDict) -> keras.Model:
    """A new generator, as section `translate` asks for."""
    return generators.resnet_generator(section.width, section.blocks, section.upsampling, section.residual)


def image_discriminator(section: ConfigDict) -> keras.Model:
    """A new discriminator of images, as section `translate` asks for."""
    return discriminators.patch_gan(width=section.discriminator_width, num_layers=section.discriminator_layers)


def network(name: str, config: ConfigDict, classes: ClassSet) -> keras.Model:
    """A new network by its name in NETWORKS, for weights to be imported into."""
    return {"generator": generator, "image_discriminator": image_discriminator}[name](config.translate)


def _optimizer(section: ConfigDict, networks: Iterable[keras.Model]) -> keras.optimizers.Optimizer:
    """Adam on the variables of all `networks`: a constant rate, then linearly to 0."""
    schedule = ConstantThenLinear(section.learning_rate, round(section.decay_start * section.steps), section.steps)
    return built(TorchAdam(schedule, beta_1=section.beta_1, beta_2=0.999), trainable(networks))
