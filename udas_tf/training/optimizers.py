"""Optimizers of segmenters, generators and discriminators, with their schedules.

Keras computes an update in a dozen operations a variable. Here one kernel of TensorFlow passes over each variable once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from udas_tf.losses.reduction import sum_over_replicas
from udas_tf.models.segmenter import classifier_variables

LearningRate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule
Variables: TypeAlias = Sequence[keras.Variable]
Gradients: TypeAlias = Sequence[tf.Tensor | None]


class SegmenterSGD(keras.optimizers.SGD):
    """SGD as PyTorch's: L2 decay enters the gradient, momentum accumulates gradients, classifiers learn faster.

    v <- momentum * v + (g + l2 * w),  w <- w - factor * learning_rate * v.
    Keras's own keeps learning_rate inside v, and decays weights beside the gradient.
    AdaptSegNet, train_gta2cityscapes_multi.py and model/deeplab_multi.py (optim_parameters): factor 10 on the
    classifiers.

    Args:
      learning_rate: number or schedule.
      momentum: 0 = none.
      l2: the decay.
      factors: path of a variable -> its factor; 1 where it is missing.
    """

    def __init__(
        self,
        learning_rate: LearningRate,
        momentum: float,
        l2: float,
        factors: Mapping[str, float],
        name: str = "segmenter_sgd",
    ) -> None:
        super().__init__(learning_rate, momentum=momentum, name=name)
        self.l2 = l2
        self.factors = factors

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        index = self._get_variable_index(variable)
        rate = keras.ops.cast(learning_rate, variable.dtype) * self.factors.get(self._paths[index], 1.0)
        # Decay waits for the gradient. Otherwise TensorFlow computes the decay of all variables when a step begins,
        # and keeps it in memory.
        with tf.control_dependencies([gradient]):
            gradient = keras.ops.cast(gradient, variable.dtype) + self.l2 * variable
        if not self.momentum:
            self.assign_sub(variable, rate * gradient)
            return
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=self.momentums[index].value.handle,
            lr=rate,
            grad=gradient,
            momentum=self.momentum,
        )

    def build(self, variables: Variables) -> None:
        super().build(variables)
        self._paths = [variable.path for variable in variables]


class TorchAdam(keras.optimizers.Adam):
    """Adam as PyTorch's: epsilon joins the root of the corrected second moment [Kingma 2015, algorithm 1].

    w <- w - factor * learning_rate * m_t / (sqrt(v_t) + epsilon), m_t and v_t divided by 1 - beta^t; with `decay`
    w <- w - factor * learning_rate * decay * w before it [Loshchilov 2019].
    Keras's own adds epsilon, 1e-7, before that correction: at the first step of beta_2 = 0.99 it weighs a
    hundred times as much, and discriminators of softmax maps have gradients of 1e-5 and less.

    Args:
      learning_rate: number or schedule.
      beta_1, beta_2: of the moments.
      epsilon: in the denominator.
      decay: of the weights (AdamW); None = none.
      factors: path of a variable -> its factor; 1 where it is missing.
    """

    def __init__(
        self,
        learning_rate: LearningRate,
        beta_1: float,
        beta_2: float,
        epsilon: float = 1e-8,
        decay: float | None = None,
        factors: Mapping[str, float] | None = None,
        name: str = "torch_adam",
    ) -> None:
        super().__init__(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=epsilon, name=name)
        self.decay = decay
        self.factors = dict(factors or {})

    def apply(self, grads: Gradients, trainable_variables: Variables | None = None) -> None:
        # Once for all variables: one by one they were a quarter of the graph. Two attributes rather than a tuple,
        # which Keras would track as a part of the state.
        step = tf.cast(self.iterations + 1, tf.float32)
        self._power_1, self._power_2 = self.beta_1**step, self.beta_2**step
        # TensorFlow's epsilon joins the root before the correction.
        self._root_epsilon = self.epsilon * tf.sqrt(1.0 - self._power_2)
        super().apply(grads, trainable_variables)

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        index = self._get_variable_index(variable)
        rate = keras.ops.cast(learning_rate, variable.dtype) * self.factors.get(self._paths[index], 1.0)
        if self.decay:
            with tf.control_dependencies([gradient]):  # as in SegmenterSGD
                self.assign_sub(variable, rate * self.decay * variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=self._power_1,
            beta2_power=self._power_2,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self._root_epsilon,
            grad=keras.ops.cast(gradient, variable.dtype),
        )

    def build(self, variables: Variables) -> None:
        super().build(variables)
        self._paths = [variable.path for variable in variables]


class LossScale(keras.optimizers.LossScaleOptimizer):
    """Keras's dynamic loss scaling, mended for several replicas.

    Keras looks for overflow in the gradients of the first replica alone, and applies what has overflowed on another.
    """

    def apply(self, grads: Gradients, trainable_variables: Variables | None = None) -> None:
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            finite = [tf.reduce_all(tf.math.is_finite(one)) for one in grads if one is not None]
            overflows = sum_over_replicas(tf.cast(~tf.reduce_all(finite), tf.float32))
            lost = tf.where(overflows > 0.0, float("nan"), 0.0)
            grads = [one if one is None else one + tf.cast(lost, one.dtype) for one in grads]
        super().apply(grads, trainable_variables)


def poly(learning_rate: float, steps: int, power: float) -> keras.optimizers.schedules.LearningRateSchedule:
    """learning_rate * (1 - step / steps) ** power."""
    return keras.optimizers.schedules.PolynomialDecay(learning_rate, steps, end_learning_rate=0.0, power=power)


def segmenter_optimizer(section: ConfigDict, segmenter: keras.Model) -> keras.optimizers.Optimizer:
    """The optimizer of a section (schema.SegmenterTraining), built for a segmenter."""
    schedule = poly(section.learning_rate, section.decay_steps or section.steps, section.poly_power)
    classifiers = classifier_variables(segmenter)
    factors = {variable.path: section.head_lr_multiplier for variable in classifiers}
    if section.optimizer == "sgd":
        optimizer = SegmenterSGD(schedule, section.momentum, section.weight_decay, factors)
    else:
        optimizer = TorchAdam(schedule, 0.9, 0.999, decay=section.weight_decay, factors=factors)
    return built(optimizer, segmenter.trainable_variables)


def built(optimizer: keras.optimizers.Optimizer, variables: Variables) -> keras.optimizers.Optimizer:
    """The optimizer with its variables created, under loss scaling where the dtype policy is mixed_float16.

    Each optimizer scales its own loss: two optimizers in one step must not share one scale.
    """
    if keras.config.dtype_policy().name == "mixed_float16":
        optimizer = LossScale(optimizer)
    optimizer.build(variables)
    return optimizer


def current_learning_rate(optimizer: keras.optimizers.Optimizer) -> tf.Tensor:
    """The learning rate of the next step."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return tf.convert_to_tensor(inner.learning_rate)


@keras.saving.register_keras_serializable("udas_tf")
class ConstantThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """CycleGAN's schedule: constant, then linearly to 0.

    Args:
      learning_rate: of the constant part.
      constant_steps: length of the constant part.
      steps: when the rate reaches 0.
    """

    def __init__(self, learning_rate: float, constant_steps: int, steps: int) -> None:
        self.learning_rate = learning_rate
        self.constant_steps = constant_steps
        self.steps = steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        left = (self.steps - tf.cast(step, tf.float32)) / max(self.steps - self.constant_steps, 1)
        return self.learning_rate * tf.clip_by_value(left, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        return {
            "learning_rate": self.learning_rate,
            "constant_steps": self.constant_steps,
            "steps": self.steps,
        }


def trainable(models: Iterable[keras.Model]) -> list[keras.Variable]:
    """The trainable variables of several networks, one after the other."""
    return [variable for model in models for variable in model.trainable_variables]
