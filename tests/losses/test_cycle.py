import numpy as np
import tensorflow as tf

from udas_tf.losses.cycle import FAKE, REAL, gan, reconstruction


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
