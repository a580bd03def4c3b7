import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from small_set import FIELDS, SIZE, make_sample

from udas_tf.data import records
from udas_tf.data.sample import Sample


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.text(max_size=20))
@settings(max_examples=25)
def test_encode_and_decode_give_the_same(height, width, seed, id_):
    sample = make_sample(seed, size=(height, width))
    sample = Sample(id_, sample.image, sample.label, sample.confidence)
    decoded = records.decode(tf.constant(records.encode(sample)), (height, width), FIELDS)
    assert decoded["id"].numpy().decode() == id_
    for field in ("image", "label", "confidence"):
        assert decoded[field].dtype == tf.uint8
        np.testing.assert_array_equal(decoded[field], getattr(sample, field))


def test_a_record_holds_size_and_provenance():
    example = tf.train.Example.FromString(records.encode(make_sample(3, label=False, confidence=False)))
    feature = example.features.feature
    assert set(feature) == {"image", "label", "confidence", "height", "width", "id", "provenance"}
    assert feature["label"].bytes_list.value == [b""] == feature["confidence"].bytes_list.value
    assert [feature["height"].int64_list.value[0], feature["width"].int64_list.value[0]] == list(SIZE)
    assert json.loads(feature["provenance"].bytes_list.value[0]) == {"dataset": "test", "index": 3}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", np.zeros((*SIZE, 3), np.float32)),
        ("image", np.zeros((*SIZE, 4), np.uint8)),
        ("label", np.zeros(SIZE, np.int32)),
        ("label", np.zeros((6, 9), np.uint8)),
        ("confidence", np.zeros((*SIZE, 1), np.uint8)),
    ],
)
def test_arrays_that_are_not_of_the_schema_are_refused(field, value):
    parts = {"image": np.zeros((*SIZE, 3), np.uint8)} | {field: value}
    with pytest.raises(ValueError, match=f"{field} is"):
        records.encode(Sample("x", **parts))
