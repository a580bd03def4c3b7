import math

import numpy as np
import tensorflow as tf

from udas_tf.losses.self_training import consistency

LN3 = math.log(3)
# Five pixels: right and far from the student, right and near, wrong, not seen, ignored.
LABELS = tf.constant([[[0, 0, 1, 0, 255]]], tf.uint8)
TEACHER = tf.constant([[[[0.8, 0.2], [0.8, 0.2], [0.6, 0.4], [0.0, 0.0], [0.9, 0.1]]]])
STUDENT = tf.constant([[[[0.0, 0.0], [LN3, 0.0], [1.0, 5.0], [3.0, 1.0], [2.0, 2.0]]]])


def value_and_gradients(labels, teacher, student):
    with tf.GradientTape() as tape:
        tape.watch([teacher, student])
        value = consistency(labels, teacher, student)
    return value.numpy(), tape.gradient(value, [teacher, student])


def test_by_hand():
    # KL((0.8, 0.2) || (1/2, 1/2)) = 0.8 ln 1.6 + 0.2 ln 0.4 = 0.376003 - 0.183258 = 0.192745
    # KL((0.8, 0.2) || (3/4, 1/4)) = 0.8 ln 1.0666667 + 0.2 ln 0.8 = 0.0516308 - 0.0446287 = 0.0070021
    # Mean over the two pixels that count 0.0998736; gradient (student - teacher) / 2 at both.
    value, (_, gradient) = value_and_gradients(LABELS, TEACHER, STUDENT)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, 0.0998736, rtol=1e-5)
    expected = [[[[-0.15, 0.15], [-0.025, 0.025], [0, 0], [0, 0], [0, 0]]]]
    np.testing.assert_allclose(gradient, expected, atol=1e-6)


def test_no_gradient_reaches_the_teacher():
    _, (gradient, _) = value_and_gradients(LABELS, TEACHER, STUDENT)
    assert gradient is None


def test_wrong_unseen_and_ignored_pixels_alone_cost_nothing():
    for place in (slice(2, 3), slice(3, 4), slice(4, 5), slice(2, 5)):
        value, (_, gradient) = value_and_gradients(LABELS[..., place], TEACHER[..., place, :], STUDENT[..., place, :])
        assert value == 0.0
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


def test_an_unseen_pixel_labelled_with_the_first_class_does_not_count():
    # argmax of an all-zero distribution is 0, the label: only the pixel seen may enter the mean.
    value, _ = value_and_gradients(LABELS[..., 3::-3], TEACHER[..., 3::-3, :], STUDENT[..., 3::-3, :])
    np.testing.assert_allclose(value, 0.192745, rtol=1e-5)


def test_a_sure_teacher_gives_the_cross_entropy_of_its_class():
    # 0 log 0 = 0: KL((1, 0) || (3/4, 1/4)) = ln 4/3 = 0.287682, gradient (-1/4, 1/4).
    teacher, student = tf.constant([[[[1.0, 0.0]]]]), tf.constant([[[[LN3, 0.0]]]])
    value, (_, gradient) = value_and_gradients(tf.constant([[[0]]], tf.uint8), teacher, student)
    np.testing.assert_allclose(value, 0.287682, rtol=1e-5)
    np.testing.assert_allclose(gradient, [[[[-0.25, 0.25]]]], rtol=1e-5)


def test_an_agreeing_student_pays_nothing():
    teacher = tf.nn.softmax(STUDENT)
    labels = tf.argmax(teacher, -1, output_type=tf.int32)
    value, (_, gradient) = value_and_gradients(labels, teacher, STUDENT)
    np.testing.assert_allclose(value, 0.0, atol=1e-6)
    np.testing.assert_allclose(gradient, np.zeros(STUDENT.shape), atol=1e-6)
