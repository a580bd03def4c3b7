import numpy as np
import tensorflow as tf

from udas_tf.data.augment.seeded import seeded_uniform, split_seed


def test_compiled_or_not_the_same_numbers():
    seed = tf.constant([5, -6])
    for function in (lambda: seeded_uniform([500], seed), lambda: tf.stack(split_seed(seed, 3))):
        np.testing.assert_array_equal(function(), tf.function(function, jit_compile=True)())


def test_uniform():
    numbers = seeded_uniform([20_000], tf.constant([1, 2])).numpy()
    assert numbers.min() >= 0 and numbers.max() < 1
    counts = np.bincount((numbers * 20).astype(int), minlength=20)
    assert np.sum((counts - 1000) ** 2 / 1000) < 43.82  # chi-square, 19 degrees of freedom, p = 0.001


def test_split_seeds_differ():
    first, second = split_seed(tf.constant([0, 0]), 2)
    assert np.any(first.numpy() != second.numpy())
