"""The student's consistency with its teacher on images that have labels."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean


def consistency(labels: tf.Tensor, teacher: tf.Tensor, student_logits: tf.Tensor) -> tf.Tensor:
    """KL(teacher || student), mean over the labelled pixels where the teacher is right.

    docs/equations.md section 4. Where the teacher saw nothing its distribution is all zero: such a pixel does not count.

    Args:
      labels: integer train ids [B, H, W]; 255 = ignored.
      teacher: float32 [B, H, W, C], the teacher's maximum-confidence distribution; no gradient flows to it.
      student_logits: float [B, H, W, C].

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    teacher = tf.stop_gradient(teacher)
    seen = tf.reduce_max(teacher, axis=-1) > 0.0
    # An ignored pixel's label, 255, is no class the teacher can choose, so it is never right there.
    right = tf.equal(tf.argmax(teacher, axis=-1, output_type=tf.int32), tf.cast(labels, tf.int32))
    student = tf.nn.log_softmax(tf.cast(student_logits, tf.float32))
    divergence = tf.reduce_sum(tf.math.xlogy(teacher, teacher) - teacher * student, axis=-1)
    return share_of_mean(divergence, seen & right)
