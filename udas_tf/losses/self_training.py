"""Consistency of a student with its teacher on labelled images."""

from __future__ import annotations

import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean


def consistency(labels: tf.Tensor, teacher: tf.Tensor, student_logits: tf.Tensor) -> tf.Tensor:
    """L_consistency: mean of KL(teacher || student) over the labelled pixels where the teacher is right.

    docs/equations.md section 4. A pixel that no view of the teacher shows has an all-zero distribution and does not
    count. No gradient flows to the teacher.

    Args:
      labels: integer train ids [B, H, W]; 255 = ignored.
      teacher: float32 [B, H, W, C], the teacher's maximum-confidence distribution.
      student_logits: float [B, H, W, C].

    Returns:
      float32 scalar, this replica's share of the mean.
    """
    teacher = tf.stop_gradient(teacher)
    seen = tf.reduce_max(teacher, axis=-1) > 0.0
    # The teacher cannot choose class 255, so it is never right at an ignored pixel.
    right = tf.equal(tf.argmax(teacher, axis=-1, output_type=tf.int32), tf.cast(labels, tf.int32))
    student = tf.nn.log_softmax(tf.cast(student_logits, tf.float32))
    divergence = tf.reduce_sum(tf.math.xlogy(teacher, teacher) - teacher * student, axis=-1)
    return share_of_mean(divergence, seen & right)
