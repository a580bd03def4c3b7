"""CycleGAN: unpaired translation of source images into the target's style and back (docs/equations.md section 1)."""

from __future__ import annotations

import keras
import tensorflow as tf

from udas_tf import inference
from udas_tf.losses import cycle
from udas_tf.losses.cycle import FAKE, REAL
from udas_tf.methods.method import Method, minimize, weighted_sum

# Each domain's images are made by the generator of this name from the other domain's.
GENERATORS = {"target": "G", "source": "F"}
OTHER = {"target": "source", "source": "target"}


class ImagePool(keras.layers.Layer):
    """The last translations, from which a discriminator is shown an older one half of the time [Shrivastava 2017].

    As CycleGAN's util/image_pool.py: while the pool fills, an image is stored and returned; then with probability
    one half it is returned as it is, otherwise it takes the place of a random stored one, which is returned.
    The pool is part of the checkpoint. Over several replicas it holds the first replica's images.

    Args:
      capacity: images; 0 returns every image as it is.
      image_shape: (height, width, 3), static.
      seed: of the draws.
    """

    def __init__(self, capacity: int, image_shape: tuple[int, int, int], seed: int, **kwargs):
        super().__init__(dtype="float32", **kwargs)
        self.capacity = capacity
        self.seed = seed
        state = {"trainable": False, "initializer": "zeros", "aggregation": "only_first_replica"}
        self.images = self.add_weight(shape=(max(capacity, 1), *image_shape), name="images", **state)
        self.built = True  # there is no `call` to build from

    def exchange(self, images: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """The images to show the discriminator in place of `images` [B, H, W, 3], static B, at a step, counted from 0.

        B stays the same from step to step.
        """
        if self.capacity == 0:
            return images
        batch, step = images.shape[0], tf.cast(step, tf.int32)
        before = tf.minimum(step, self.capacity) * batch  # images, up to where it no longer matters how many
        shown = [self._exchange_one(image, step, before + i, i) for i, image in enumerate(tf.unstack(images))]
        return tf.stack(shown)

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
    """L(G, F, D_s, D_t) = L_GAN(G, D_t) + L_GAN(F, D_s) + lambda_cyc * L_cyc(G, F) + identity + semantics.

    Args:
      generators: {"G": source -> target, "F": target -> source}, RGB in [0, 255] both ways.
      discriminators: {"source": D_s, "target": D_t}, RGB in [0, 255] -> list of one score map.
      generator_optimizer, discriminator_optimizer: built, each on both of its networks.
      pools: {"source": ImagePool of F's images, "target": of G's}.
      lambda_cyc, lambda_identity: weights of the reconstruction and the identity loss.
      segmenter: trained on the source, stays as it is; with it the translations are to keep its classes (CyCADA).
      weight_semantic: weight of that.
    """

    def __init__(
        self,
        generators: dict[str, keras.Model],
        discriminators: dict[str, keras.Model],
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        pools: dict[str, ImagePool],
        lambda_cyc: float,
        lambda_identity: float,
        segmenter: keras.Model | None = None,
        weight_semantic: float = 0.0,
    ):
        term_weights = {"L_GAN_G": 1.0, "L_GAN_F": 1.0, "L_cyc": lambda_cyc}
        if lambda_identity > 0.0:
            term_weights["L_identity"] = lambda_identity
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

    def generate(self, batch: dict) -> tuple[dict, dict]:
        """What the generators make of a batch, by domain: the other domain's images translated into it, and its own
        images, which ought to stay as they are (empty without the identity loss).

        A generator sees both in one pass: instance norm keeps images apart.
        """
        translated, same = {}, {}
        for domain, name in GENERATORS.items():
            others = batch[OTHER[domain]]
            if "L_identity" not in self.term_weights:
                translated[domain] = self.generators[name](others, training=True)
                continue
            both = self.generators[name](tf.concat([others, batch[domain]], 0), training=True)
            translated[domain], same[domain] = tf.split(both, [others.shape[0], batch[domain].shape[0]])
        return translated, same

    def loss_terms(self, batch: dict, translated: dict, same: dict) -> dict[str, tf.Tensor]:
        """Unweighted terms of the generators.

        Args:
          batch: {"source", "target"}: images float32 [B, H, W, 3].
          translated, same: of `generate`.
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

    def discriminator_terms(self, batch: dict, shown: dict) -> dict[str, tf.Tensor]:
        """Half of taking real images for REAL and half of taking `shown` for FAKE, by domain."""
        terms = {}
        for domain, network in self.discriminators.items():
            images = [batch[domain], tf.stop_gradient(shown[domain])]
            (scores,) = network(tf.concat(images, 0), training=True)
            real, fake = tf.split(scores, [part.shape[0] for part in images])
            terms[f"L_D_{domain}"] = 0.5 * (cycle.gan(real, REAL) + cycle.gan(fake, FAKE))
        return terms

    def train_step(self, batch: dict) -> dict[str, tf.Tensor]:
        batch = {domain: tf.cast(images, tf.float32) for domain, images in batch.items()}
        with tf.GradientTape() as tape:
            translated, same = self.generate(batch)
            terms = self.loss_terms(batch, translated, same)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.term_weights))
        shown = {
            domain: self.pools[domain].exchange(images, self.step) for domain, images in translated.items()
        }
        with tf.GradientTape() as discriminator_tape:
            judged = self.discriminator_terms(batch, shown)
            discriminator_loss = self.discriminator_optimizer.scale_loss(tf.add_n(list(judged.values())))
        for optimizer, total, used_tape, networks in (
            (self.optimizer, loss, tape, self.generators),
            (self.discriminator_optimizer, discriminator_loss, discriminator_tape, self.discriminators),
        ):
            variables = [v for network in networks.values() for v in network.trainable_variables]
            minimize(optimizer, total, used_tape, variables)
        return self.logged(terms | judged)
