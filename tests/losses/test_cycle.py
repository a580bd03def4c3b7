import math

import numpy as np
import tensorflow as tf

from udas_tf.losses.cycle import FAKE, REAL, gan, reconstruction, semantic


def test_gan_by_hand():
    # Scores 0.5 and 3. REAL: (0.25 + 4) / 2; FAKE: (0.25 + 9) / 2. Gradient (s - target) * 2 / 2.
    scores = tf.constant([[[[0.5], [3.0]]]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(scores)
        real, fake = gan(scores, REAL), gan(scores, FAKE)
    assert real.numpy() == 2.125 and fake.numpy() == 4.625
    np.testing.assert_array_equal(tape.gradient(real, scores), [[[[-0.5], [2.0]]]])
    np.testing.assert_array_equal(tape.gradient(fake, scores), [[[[0.5], [3.0]]]])


def test_gan_reads_half_precision_in_float32():
    # 300^2 = 90 000 is beyond float16.
    assert gan(tf.constant([300.0], tf.float16), FAKE).numpy() == 90_000.0


def test_reconstruction_is_in_units_of_half_the_range():
    # |0 - 127.5| / 127.5 = 1, |255 - 0| / 127.5 = 2, no difference at the third channel: (1 + 2 + 0) / 3 = 1.
    # Gradient for the reconstruction: sign / 127.5 / 3.
    images = tf.constant([[[[0.0, 255.0, 9.0]]]])
    reconstructed = tf.constant([[[[127.5, 0.0, 9.0]]]])
    with tf.GradientTape() as tape:
        tape.watch(reconstructed)
        loss = reconstruction(images, reconstructed)
    np.testing.assert_allclose(loss, 1.0, rtol=1e-6)
    expected = [[[[1 / 382.5, -1 / 382.5, 0.0]]]]
    np.testing.assert_allclose(tape.gradient(loss, reconstructed), expected, rtol=1e-6)


def test_reconstruction_of_bytes_does_not_wrap_around():
    # 10 - 20 = -10, not 246: 10 / 127.5 = 0.0784314
    images, reconstructed = tf.fill([1, 2, 2, 3], tf.constant(10, tf.uint8)), tf.fill([1, 2, 2, 3], 20.0)
    np.testing.assert_allclose(reconstruction(images, reconstructed), 0.0784314, rtol=1e-5)


def test_semantic_by_hand():
    # The original is of class 0 at both pixels; the translation is given it with 1/5 and 3/4:
    # (ln 5 + ln 4/3) / 2 = (1.609438 + 0.287682) / 2. Gradient (f - one_hot) / 2; none for the original.
    original = tf.constant([[[[2.0, 1.0], [9.0, -9.0]]]])
    translated = tf.constant([[[[0.0, math.log(4)], [math.log(3), 0.0]]]])
    with tf.GradientTape() as tape:
        tape.watch([original, translated])
        value = semantic(original, translated)
    gradients = tape.gradient(value, [original, translated])
    np.testing.assert_allclose(value, 0.948560, rtol=1e-5)
    assert gradients[0] is None
    np.testing.assert_allclose(gradients[1], [[[[-0.4, 0.4], [-0.125, 0.125]]]], rtol=1e-5)
