"""Multi-level adversarial adaptation, with agreement of the classifiers (docs/equations.md section 2).

AdaptSegNet, AdvEnt, MinEnt, the first stage of Seg-Uncertainty and the second of CyCADA are choices of its arguments
(configs/methods).
"""

from __future__ import annotations

import keras
import tensorflow as tf

from udas_tf import inference
from udas_tf.inference import LEVELS
from udas_tf.losses import adversarial, entropy
from udas_tf.losses.adversarial import SOURCE
from udas_tf.losses.reduction import sum_over_replicas
from udas_tf.losses.segmentation import AGREEMENTS, cross_entropy
from udas_tf.methods.method import Method, minimize, weighted_sum

# What the discriminators see of a classifier's logits; "features" are what the classifier itself reads.
VIEWS = {"softmax": tf.nn.softmax, "self_information": entropy.self_information}
ADVERSARIES = (*VIEWS, "features")
FOLLOWED_STEPS = 100  # over which the discriminators' accuracy is followed, as CyCADA's code does


def classifier_features(segmenter: keras.Model, level: str) -> keras.KerasTensor:
    """What the classifier of a level reads; networks of models/deeplab_v2.py and models/seg_uncertainty.py."""
    return segmenter.get_layer(f"{level}_classifier_0").input


class OutputAdaptation(Method):
    """L_total = L_seg + L_adv + L_kl for the segmenter, against one discriminator a level; or L_seg + L_ent.

    The terms are those that `term_weights` names. A network with the primary classifier alone has neither auxiliary
    terms nor L_kl.

    The source batch is the source, its translation, or its Domain CutMix with labelled target: the method does not
    see the difference.

    Args:
      segmenter: a network with outputs {"primary", "auxiliary"}, or {"primary"} alone.
      discriminators: of each of these levels, or of some, or none: float32 [B, H, W, channels] -> list of score maps.
      segmenter_optimizer, discriminator_optimizer: built; the second on all discriminators, None without any.
      term_weights: of L_seg_p, L_adv_p and L_ent_p, the same in _a with two levels, and of L_kl between them.
        L_adv goes with the discriminator of its level.
      adversarial_loss: a key of losses.adversarial.LOSSES.
      kl_from_step: L_kl is switched on at this step.
      kl: a key of losses.segmentation.AGREEMENTS, of what L_kl is.
      adversary: one of ADVERSARIES, what the discriminators see: the classifiers' probabilities or weighted
        self-information [B, H, W, C] at image size, or the features [B, h, w, channels] that they read.
      adversary_above: L_adv has no weight while the discriminators' mean accuracy is not above this; 0 = it always has.
    """

    def __init__(
        self,
        segmenter: keras.Model,
        discriminators: dict[str, keras.Model],
        segmenter_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer | None,
        term_weights: dict[str, float],
        adversarial_loss: str,
        kl_from_step: int,
        kl: str = "symmetric",
        adversary: str = "softmax",
        adversary_above: float = 0.0,
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
        self.agreement = AGREEMENTS[kl]
        self.adversary = adversary
        self.network = self._with_features() if adversary == "features" else segmenter
        self.adversary_above = adversary_above
        if adversary_above > 0.0:
            self.followed_accuracy = self.add_weight(
                shape=(),
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
                name="accuracy",
            )
        self.prepare(segmenter_optimizer)

    def loss_terms(self, batch: dict, source: dict, target: dict) -> dict[str, tf.Tensor]:
        """Unweighted terms of the segmenter.

        Args:
          batch: {"source": {"image", "label"}, "target": {"image"}}.
          source, target: logits at image size by level, and `self.network`'s features.
        """
        terms = {}
        for level, short in inference.levels(self.segmenter).items():
            terms[f"L_seg_{short}"] = cross_entropy(batch["source"]["label"], source[level])
            terms[f"L_ent_{short}"] = entropy.entropy(target[level])
        for level, discriminator in self.discriminators.items():
            scores = discriminator(self.seen(target, level), training=False)
            terms[f"L_adv_{LEVELS[level]}"] = adversarial.adversarial(scores, SOURCE, self.adversarial_loss)
        if "auxiliary" in target:
            terms["L_kl"] = self.agreement(target["primary"], target["auxiliary"])
        return {name: terms[name] for name in self.term_weights}  # a graph computes no more than these

    def discriminator_terms(self, source: dict, target: dict) -> dict[str, tf.Tensor]:
        """Loss and accuracy of each discriminator on the classifiers' outputs, which get no gradient."""
        terms = {}
        for level, discriminator in self.discriminators.items():
            short = LEVELS[level]
            source_scores, target_scores = (
                discriminator(tf.stop_gradient(self.seen(outputs, level)), training=True)
                for outputs in (source, target)
            )
            judged = (source_scores, target_scores, self.adversarial_loss)
            terms[f"L_D_{short}"] = adversarial.discriminator(*judged)
            terms[f"D_accuracy_{short}"] = adversarial.accuracy(*judged)
        return terms

    def train_step(self, batch: dict) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            source, target = inference.joint_logits(
                self.network, batch["source"]["image"], batch["target"]["image"]
            )
            terms = self.loss_terms(batch, source, target)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.current_weights()))
        if self.discriminators:
            terms |= self.train_discriminators(source, target)
        minimize(self.optimizer, loss, tape, self.segmenter.trainable_variables)
        return self.logged(terms)

    def train_discriminators(self, source: dict, target: dict) -> dict[str, tf.Tensor]:
        """One step of all discriminators; `discriminator_terms` before it."""
        with tf.GradientTape() as tape:
            terms = self.discriminator_terms(source, target)
            total = tf.add_n([terms[f"L_D_{LEVELS[level]}"] for level in self.discriminators])
            loss = self.discriminator_optimizer.scale_loss(total)
        variables = [v for d in self.discriminators.values() for v in d.trainable_variables]
        minimize(self.discriminator_optimizer, loss, tape, variables)
        if self.adversary_above > 0.0:
            self._follow([terms[f"D_accuracy_{LEVELS[level]}"] for level in self.discriminators])
        return terms

    def current_weights(self) -> dict[str, tf.Tensor | float]:
        """The term weights of this step: L_kl has none before its warm-up is over, L_adv none below its accuracy."""
        on = {"L_kl": self.step >= self.kl_from_step}
        if self.adversary_above > 0.0:
            good = self.followed_accuracy > self.adversary_above
            on |= {f"L_adv_{LEVELS[level]}": good for level in self.discriminators}
        return self.term_weights | {
            name: tf.cast(switch, tf.float32) * self.term_weights[name]
            for name, switch in on.items()
            if name in self.term_weights
        }

    def seen(self, outputs: dict, level: str) -> tf.Tensor:
        """What the discriminator of a level is shown of the network's outputs."""
        if self.adversary == "features":
            return tf.cast(outputs[f"{level}_features"], tf.float32)
        return VIEWS[self.adversary](outputs[level])

    def _with_features(self) -> keras.Model:
        """The segmenter, returning what its judged classifiers read, too."""
        features = {
            f"{level}_features": classifier_features(self.segmenter, level) for level in self.discriminators
        }
        return type(self.segmenter)(self.segmenter.input, self.segmenter.output | features)

    def _follow(self, accuracies: list[tf.Tensor]) -> None:
        """Adds a step to the mean accuracy, in which steps weigh less and less the longer ago they were."""
        accuracy = sum_over_replicas(tf.add_n(accuracies)) / len(accuracies)
        share = tf.maximum(1.0 / (tf.cast(self.step, tf.float32) + 1.0), 1.0 / FOLLOWED_STEPS)
        self.followed_accuracy.assign_add(share * (accuracy - self.followed_accuracy))
