"""Multi-level adversarial adaptation in output space, with the symmetric KL term (METHOD.md section 2)."""

from __future__ import annotations

import keras
import tensorflow as tf

from udas_tf import inference
from udas_tf.inference import LEVELS
from udas_tf.losses import adversarial
from udas_tf.losses.adversarial import SOURCE
from udas_tf.losses.segmentation import cross_entropy, symmetric_divergence
from udas_tf.methods.method import Method, minimize, weighted_sum


class OutputAdaptation(Method):
    """L_total = L_seg + L_adv + L_kl for the segmenter, against one discriminator a level.

    A network with the primary classifier alone has neither auxiliary terms nor L_kl.

    The source batch is the source, its translation, or its Domain CutMix with labelled target: the method does not
    see the difference.

    Args:
      segmenter: a network with outputs {"primary", "auxiliary"}, or {"primary"} alone.
      discriminators: of each of these levels: softmax maps [B, H, W, C] -> list of score maps.
      segmenter_optimizer, discriminator_optimizer: built; the second on all discriminators.
      term_weights: of L_seg_p and L_adv_p; with two levels of L_seg_a, L_adv_a and L_kl too.
      adversarial_loss: a key of losses.adversarial.LOSSES.
      kl_from_step: L_kl is switched on at this step.
    """

    def __init__(
        self,
        segmenter: keras.Model,
        discriminators: dict[str, keras.Model],
        segmenter_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        term_weights: dict[str, float],
        adversarial_loss: str,
        kl_from_step: int,
    ):
        discriminator_names = [
            f"{kind}_{LEVELS[level]}" for kind in ("L_D", "D_accuracy") for level in discriminators
        ]
        super().__init__([*term_weights, *discriminator_names])
        self.segmenter = segmenter
        self.discriminators = self.track("discriminator", discriminators)
        self.discriminator_optimizer = discriminator_optimizer
        self.term_weights = dict(term_weights)
        self.adversarial_loss = adversarial_loss
        self.kl_from_step = kl_from_step
        self.prepare(segmenter_optimizer)

    def loss_terms(self, batch: dict, source: dict, target: dict) -> dict[str, tf.Tensor]:
        """Unweighted terms of the segmenter.

        Args:
          batch: {"source": {"image", "label"}, "target": {"image"}}.
          source, target: logits at image size, by level.
        """
        terms = {}
        for level, discriminator in self.discriminators.items():
            short = LEVELS[level]
            terms[f"L_seg_{short}"] = cross_entropy(batch["source"]["label"], source[level])
            scores = discriminator(tf.nn.softmax(target[level]), training=False)
            terms[f"L_adv_{short}"] = adversarial.adversarial(scores, SOURCE, self.adversarial_loss)
        if "auxiliary" in target:
            terms["L_kl"] = symmetric_divergence(target["primary"], target["auxiliary"])
        return terms

    def discriminator_terms(self, source: dict, target: dict) -> dict[str, tf.Tensor]:
        """Loss and accuracy of each discriminator on the classifiers' outputs, which get no gradient."""
        terms = {}
        for level, discriminator in self.discriminators.items():
            short = LEVELS[level]
            source_scores, target_scores = (
                discriminator(tf.stop_gradient(tf.nn.softmax(logits[level])), training=True)
                for logits in (source, target)
            )
            judged = (source_scores, target_scores, self.adversarial_loss)
            terms[f"L_D_{short}"] = adversarial.discriminator(*judged)
            terms[f"D_accuracy_{short}"] = adversarial.accuracy(*judged)
        return terms

    def train_step(self, batch: dict) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            source, target = inference.joint_logits(
                self.segmenter, batch["source"]["image"], batch["target"]["image"]
            )
            terms = self.loss_terms(batch, source, target)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.current_weights()))
        with tf.GradientTape() as discriminator_tape:
            judged = self.discriminator_terms(source, target)
            total = tf.add_n([judged[f"L_D_{LEVELS[level]}"] for level in self.discriminators])
            discriminator_loss = self.discriminator_optimizer.scale_loss(total)
        discriminator_variables = [v for d in self.discriminators.values() for v in d.trainable_variables]
        minimize(self.optimizer, loss, tape, self.segmenter.trainable_variables)
        minimize(
            self.discriminator_optimizer, discriminator_loss, discriminator_tape, discriminator_variables
        )
        return self.logged(terms | judged)

    def current_weights(self) -> dict[str, tf.Tensor | float]:
        """The term weights of this step: L_kl has none before its warm-up is over."""
        if "L_kl" not in self.term_weights:
            return self.term_weights
        on = tf.cast(self.step >= self.kl_from_step, tf.float32)
        return self.term_weights | {"L_kl": on * self.term_weights["L_kl"]}
