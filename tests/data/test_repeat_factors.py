"""Repeat factors against values worked out by hand, and the draws against them."""

import numpy as np
import pytest
import tensorflow as tf

from udas_tf.config import base_config, override
from udas_tf.data import repeat_factors
from udas_tf.errors import UserError

# Of five images all show a, two b, one c, and one nothing but what is ignored.
SHOWN = [["a", "b", "c"], ["a", "b"], ["a"], ["a"], []]


def test_factors_by_hand():
    """f_a = 4/5, f_b = 2/5, f_c = 1/5; with t = 0.45: sqrt(0.45 / 0.2) = 1.5, sqrt(0.45 / 0.4) = 1.0607."""
    factors = repeat_factors.repeat_factors(SHOWN, 0.45)
    assert factors.dtype == np.float64
    np.testing.assert_allclose(factors, [1.5, 1.06066, 1, 1, 1], rtol=1e-5)


def test_factors_of_common_classes_are_one():
    np.testing.assert_array_equal(repeat_factors.repeat_factors(SHOWN, 0.2), np.ones(5))


@pytest.mark.parametrize("threshold", [-0.1, 0.0, 1.5])
def test_a_threshold_that_is_no_share_of_the_images_is_refused(threshold):
    with pytest.raises(UserError, match="data.repeat_factor_threshold"):
        override(base_config(), {"data.repeat_factor_threshold": threshold})


def passes(factors, count):
    """How often each example comes in each of `count` passes, int [count, examples]; copies follow each other."""
    examples = tf.data.Dataset.range(len(factors)).map(lambda index: {"id": index})
    drawn = tf.data.Dataset.range(count).flat_map(
        lambda number: repeat_factors.repeated(examples, factors, number).map(lambda one: (number, one["id"]))
    )
    places = np.concatenate([np.stack(batch, 1) for batch in drawn.batch(1_000).as_numpy_iterator()])
    np.testing.assert_array_equal(places, sorted(places.tolist()))
    counts = np.zeros((count, len(factors)), int)
    np.add.at(counts, tuple(places.T), 1)
    return counts


def test_whole_factors_are_met_in_every_pass():
    np.testing.assert_array_equal(passes(np.array([1.0, 2.0, 1.0, 5.0]), 4), [[1, 2, 1, 5]] * 4)


def test_the_rest_of_a_factor_is_a_probability():
    """Deviations of 3.5 standard errors would come once in two thousand, and the draws are always the same."""
    factors = np.tile([1.0, 1.1, 1.5, 2.9], 200)
    drawn = passes(factors, 5)
    assert np.all((drawn == np.floor(factors)) | (drawn == np.ceil(factors)))
    np.testing.assert_array_equal(drawn, passes(factors, 5))
    rest = factors[:4] % 1
    found = drawn.reshape(-1, 4)
    assert np.all(np.abs(found.mean(axis=0) - factors[:4]) <= 3.5 * np.sqrt(rest * (1 - rest) / len(found)))
    # Neither do neighbours draw alike nor passes.
    for rows in (found[:, 1:].T, drawn[:, 2::4]):
        assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 3.5 / np.sqrt(rows.shape[1])
