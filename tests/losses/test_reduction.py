import numpy as np
import tensorflow as tf

from udas_tf.losses.reduction import share_of_mean, sum_over_replicas


def test_one_replica_gives_the_plain_mean():
    # (1 + 2 + 3 + 6) / 4 = 3
    mean = share_of_mean(tf.constant([[1.0, 2.0], [3.0, 6.0]]))
    assert mean.dtype == tf.float32 and mean.shape == ()
    assert mean.numpy() == 3.0


def test_only_valid_elements_count():
    # (1 + 6) / 2 = 3.5, and each of the two has a gradient of 1/2.
    values = tf.constant([[1.0, 2.0], [3.0, 6.0]])
    with tf.GradientTape() as tape:
        tape.watch(values)
        mean = share_of_mean(values, tf.constant([[True, False], [False, True]]))
    assert mean.numpy() == 3.5
    np.testing.assert_array_equal(tape.gradient(mean, values), [[0.5, 0.0], [0.0, 0.5]])


def test_nothing_valid_gives_zero_and_no_gradient():
    values = tf.constant([1.0, np.inf, np.nan])
    with tf.GradientTape() as tape:
        tape.watch(values)
        mean = share_of_mean(values, tf.zeros(3, tf.bool))
    assert mean.numpy() == 0.0
    np.testing.assert_array_equal(tape.gradient(mean, values), [0.0, 0.0, 0.0])


def test_a_value_that_is_no_number_does_not_spread_from_where_it_does_not_count():
    mean = share_of_mean(tf.constant([4.0, np.inf, np.nan]), tf.constant([True, False, False]))
    assert mean.numpy() == 4.0


def test_half_precision_is_summed_in_float32():
    # 4096 values of 1 sum to 4096, past float16's whole numbers; their squares' sum would overflow it.
    mean = share_of_mean(tf.fill([4096], tf.constant(60_000.0, tf.float16)))
    assert mean.dtype == tf.float32
    np.testing.assert_allclose(mean, np.float16(60_000.0), rtol=1e-6)


def test_sum_over_one_replica_is_the_value():
    assert sum_over_replicas(tf.constant(2.5)).numpy() == 2.5
