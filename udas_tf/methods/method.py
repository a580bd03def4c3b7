"""What every training has in common: named loss terms, their weights, and their means over a logging interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import keras
import tensorflow as tf

from udas_tf.losses.reduction import sum_over_replicas


def weighted_sum(terms: Mapping[str, tf.Tensor], weights: Mapping[str, tf.Tensor | float]) -> tf.Tensor:
    """Sum of weight times term over the weights' names."""
    return tf.add_n([weight * terms[name] for name, weight in weights.items()])


class Method(keras.Model):
    """A training as a Keras model: `fit` runs its `train_step`.

    Subclasses set `segmenter` and `term_weights`, call `prepare`, and compute `loss_terms(batch)`: unweighted terms by
    their name in the paper, each this replica's share of the global mean (losses/reduction.py). Those that train
    against discriminators have a `train_step` of their own.
    """

    def __init__(self, names: Iterable[str], **kwargs):
        super().__init__(**kwargs)
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        # Optimisers do not count a step that float16 overflow made them skip; this does.
        self.step = self.add_weight(
            shape=(), dtype="int64", trainable=False, aggregation="only_first_replica", name="step"
        )
        self.built = True  # networks arrive built; there is no `call` to build from

    @property
    def metrics(self):
        """The running means, which Keras resets at each epoch: one logging interval."""
        return list(self.means.values())

    def prepare(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes the model ready for `fit`. Around the whole step XLA comes with `stages.fit.through_xla`."""
        self.compile(optimizer=optimizer, jit_compile=False, auto_scale_loss=False)

    def train_step(self, batch: dict) -> dict[str, tf.Tensor]:
        with tf.GradientTape() as tape:
            terms = self.loss_terms(batch)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.term_weights))
        minimize(self.optimizer, loss, tape, self.segmenter.trainable_variables)
        return self.logged(terms)

    def track(self, kind: str, parts: Mapping[str, keras.layers.Layer]) -> Mapping[str, keras.layers.Layer]:
        """Makes the values of a dictionary part of checkpoints, in which Keras's own dictionaries are left out."""
        for name, part in parts.items():
            setattr(self, f"{kind}_{name}", part)
        return parts

    def logged(self, terms: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Ends a step: counts it, adds its terms, summed over replicas, to their means, and returns the means."""
        self.step.assign_add(1)
        for name, term in terms.items():
            self.means[name].update_state(sum_over_replicas(term))
        return {name: mean.result() for name, mean in self.means.items()}


def minimize(
    optimizer: keras.optimizers.Optimizer, loss: tf.Tensor, tape: tf.GradientTape, variables: list
) -> None:
    """One step of `optimizer` on `variables` alone. `loss` must be `optimizer.scale_loss(...)` of the tape."""
    optimizer.apply(tape.gradient(loss, variables), variables)
