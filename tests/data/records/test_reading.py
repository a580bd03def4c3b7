import numpy as np
import pytest
import tensorflow as tf
from small_set import FIELDS, SIZE, make_sample, read_all, write

from udas_tf.data import records
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("records") / "set"
    return directory, write(directory, made_by="test")


@pytest.mark.parametrize("cache", [False, True])
def test_a_set_is_read_as_it_was_written(written, cache):
    directory, manifest = written
    dataset, read_manifest = records.read(directory, purpose="training", fields=FIELDS, cache=cache)
    assert read_manifest == manifest
    assert dataset.cardinality() == 7
    assert dataset.element_spec["image"].shape == (*SIZE, 3)
    for _ in range(2):
        found = list(dataset.as_numpy_iterator())
        assert [record["id"].decode() for record in found] == [f"image_{index:03d}" for index in range(7)]
        for index, record in enumerate(found):
            for field in ("image", "label", "confidence"):
                np.testing.assert_array_equal(record[field], getattr(make_sample(index), field))


def test_only_the_fields_asked_for_are_decoded(written):
    assert set(read_all(written[0], ("label",))[0]) == {"label"}


@pytest.mark.parametrize("field", ["label", "confidence"])
def test_what_a_set_does_not_have_cannot_be_asked_for(tmp_path, field):
    write(tmp_path, lambda indices: (make_sample(i, label=False, confidence=False) for i in indices))
    with pytest.raises(UserError, match=f"{field} for 0 of its 7 records") as raised:
        read_all(tmp_path, ("image", field))
    assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize("role", ["hidden", "validation"])
def test_the_label_guard(tmp_path, role):
    write(tmp_path, role=role)
    for fields in (("image",), ("image", "label"), ("label",)):
        with pytest.raises(UserError, match=f"{role} records, which training may not open"):
            read_all(tmp_path, fields)
    assert len(read_all(tmp_path, ("image", "label"), purpose="evaluation")) == 7


def test_the_label_guard_knows_two_purposes_only(tmp_path):
    """A misspelt "training" must not open what training may not."""
    write(tmp_path, role="hidden")
    with pytest.raises(ValueError, match="purpose"):
        read_all(tmp_path, ("label",), purpose="train")


def test_a_truncated_shard_is_named(tmp_path):
    write(tmp_path)
    shard = tmp_path / "00001-of-00003.tfrecord"
    whole = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-5])
    for check in (read_all, records.verify):
        with pytest.raises(UserError) as raised:
            check(tmp_path)
        assert str(shard) in str(raised.value)
    with pytest.raises(UserError, match=f"has {whole - 5} bytes where its manifest says {whole} bytes"):
        read_all(tmp_path)


def test_a_missing_shard_is_named(tmp_path):
    write(tmp_path)
    shard = tmp_path / "00002-of-00003.tfrecord"
    shard.unlink()
    for check in (read_all, records.verify):
        with pytest.raises(UserError, match="no file") as raised:
            check(tmp_path)
        assert str(shard) in str(raised.value)


def test_a_flipped_bit_is_noticed_and_named(tmp_path):
    write(tmp_path)
    shard = tmp_path / "00000-of-00003.tfrecord"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    with pytest.raises(UserError, match="damaged or foreign") as raised:
        records.verify(tmp_path)
    assert str(shard) in str(raised.value)
    with pytest.raises(tf.errors.DataLossError):
        read_all(tmp_path)


def test_a_foreign_shard_is_named(tmp_path):
    write(tmp_path / "one")
    write(tmp_path / "two", lambda indices: (make_sample(i + 100) for i in indices))
    name = "00000-of-00003.tfrecord"
    (tmp_path / "one" / name).write_bytes((tmp_path / "two" / name).read_bytes())
    with pytest.raises(UserError, match="damaged or foreign") as raised:
        records.verify(tmp_path / "one")
    assert str(tmp_path / "one" / name) in str(raised.value)


def test_damage_met_while_reading_is_named(tmp_path):
    """TensorFlow reports a broken record without its file; the checksums find it."""
    directory = tmp_path / "set"
    image = np.zeros((2, 3, 3), np.uint8)
    records.write(
        directory,
        "training",
        2,
        lambda indices: (Sample(str(i), image) for i in indices),
        shard_images=2,
        provenance={},
        label="test",
    )
    (shard,) = directory.glob("*.tfrecord")
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1  # the size stays, so that opening the set notices nothing
    shard.write_bytes(content)
    examples, _ = records.read(directory, purpose="training", fields=("image",))
    with (
        pytest.raises(UserError, match=f"{shard.name} is damaged or foreign"),
        records.naming_damage(directory),
    ):
        list(examples)
