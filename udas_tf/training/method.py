"""The base of all methods: named loss terms, their weights, and their means over a logging interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import tensorflow as tf

from udas_tf.losses.reduction import sum_over_replicas


def weighted_sum(terms: Mapping[str, tf.Tensor], weights: Mapping[str, tf.Tensor | float]) -> tf.Tensor:
    """Sum of weight * term, over the names in `weights`."""
    return tf.add_n([weight * terms[name] for name, weight in weights.items()])


class Method(keras.Model):
    """A training as a Keras model: `fit` runs its `train_step`.

    Subclasses set `segmenter` and `term_weights`, call `prepare`, and compute `loss_terms(batch)`: unweighted terms by
    their name in the paper, each this replica's share of the global mean (losses/reduction.py). Those that train
    against discriminators have a `train_step` of their own.

    A module of udas_tf/methods has such a class, and besides it
      Config       dataclass of the keys of its section, see udas_tf/schema.py
      READS        roles of the sets that it reads: source, mixed (labelled target images, of rows that mix them in),
                   labelled, target, pseudo_labels, plain_source
      LEARNS       words for what its rows learn from, with {source} and {teacher}; without it, it trains no segmenter
      COLOUR       of its bars in the report, where it trains segmenters
      ALSO         other sections of the config that its training follows from, where there are any
      check        (config) raises UserError for a config that cannot be trained
      build        (task) -> the Method, with networks, optimizers and term weights
      batches      (task, start) -> endless tf.data.Dataset whose first batch is that of step `start`
      NETWORKS     names of its own networks that weights can be imported into, and `network(name, config, classes)`
    """

    WEIGHTS = "segmenter.weights.h5"  # file of the network that the training is for

    # Subclasses have these.
    segmenter: keras.Model
    term_weights: dict[str, float]
    loss_terms: Callable[..., dict[str, tf.Tensor]]

    def __init__(self, names: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.means = {name: keras.metrics.Mean(name=name) for name in names}
        # Counts also the steps that optimizers skip because float16 overflowed.
        self.step = self.add_weight(
            shape=(), dtype="int64", trainable=False, aggregation="only_first_replica", name="step"
        )
        self.built = True  # the networks are built already, and there is no `call`

    @property
    def product(self) -> keras.Model:
        """The network that the training is for."""
        return self.segmenter

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """The means of the terms. Keras resets them at each epoch, which is a logging interval."""
        return list(self.means.values())

    def prepare(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Makes the model ready for `fit`. `training.loop` sets `jit_compile` afterwards."""
        self.compile(optimizer=optimizer, jit_compile=False, auto_scale_loss=False)

    def train_step(self, batch: dict[str, Any]) -> dict[str, tf.Tensor]:
        """One step of the optimizer; returns the means of the terms."""
        with tf.GradientTape() as tape:
            terms = self.loss_terms(batch)
            loss = self.optimizer.scale_loss(weighted_sum(terms, self.term_weights))
        minimize(self.optimizer, loss, tape, self.segmenter.trainable_variables)
        return self.logged(terms)

    def track(self, kind: str, parts: Mapping[str, keras.layers.Layer]) -> Mapping[str, keras.layers.Layer]:
        """Makes the values of a dictionary part of checkpoints, which leave out Keras's own dictionaries."""
        for name, part in parts.items():
            setattr(self, f"{kind}_{name}", part)
        return parts

    def logged(self, terms: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Ends a step: counts it, adds its terms, summed over replicas, to the means, and returns the means."""
        self.step.assign_add(1)
        for name, term in terms.items():
            self.means[name].update_state(sum_over_replicas(term))
        return {name: mean.result() for name, mean in self.means.items()}


def minimize(
    optimizer: keras.optimizers.Optimizer, loss: tf.Tensor, tape: tf.GradientTape, variables: list[keras.Variable]
) -> None:
    """One step of `optimizer` on `variables` alone.

    Args:
      loss: `optimizer.scale_loss(...)`, recorded by `tape`.
    """
    optimizer.apply(tape.gradient(loss, variables), variables)
