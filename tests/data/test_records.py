import functools
import hashlib
import json
import os
import weakref

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from udas_tf.data import records
from udas_tf.data.in_order import MOST_WORKERS, in_order
from udas_tf.errors import UserError
from udas_tf.run_dir import is_finished

SIZE = (6, 10)
FIELDS = ("image", "label", "confidence", "id")


def make_sample(index, label=True, confidence=True, size=SIZE):
    rng = np.random.default_rng(index)
    return records.Sample(
        f"image_{index:03d}",
        rng.integers(0, 256, (*size, 3), np.uint8),
        rng.choice(np.array([0, 7, 18, 255], np.uint8), size) if label else None,
        rng.integers(0, 256, size, np.uint8) if confidence else None,
        {"dataset": "test", "index": index},
    )


def samples(indices):
    return (make_sample(index) for index in indices)


def write(
    directory,
    samples_of=samples,
    role="training",
    count=7,
    shard_images=3,
    skipped=(),
    strict=False,
    **provenance,
):
    return records.write(
        directory,
        role,
        count,
        samples_of,
        shard_images=shard_images,
        provenance=provenance,
        label="test",
        skipped=skipped,
        strict=strict,
    )


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def read_all(directory, fields=FIELDS, purpose="training", **options):
    dataset, _ = records.read(directory, purpose=purpose, fields=fields, **options)
    return list(dataset.as_numpy_iterator())


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    directory = tmp_path_factory.mktemp("records") / "set"
    return directory, write(directory, made_by="test")


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.text(max_size=20))
@settings(max_examples=25)
def test_encode_and_decode_give_the_same(height, width, seed, id_):
    sample = make_sample(seed, size=(height, width))
    sample = records.Sample(id_, sample.image, sample.label, sample.confidence)
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
        records.encode(records.Sample("x", **parts))


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


def test_the_manifest_counts(written):
    directory, manifest = written
    assert manifest["schema"] == records.SCHEMA and manifest["role"] == "training"
    assert manifest["count"] == manifest["with_label"] == manifest["with_confidence"] == 7
    assert manifest["size"] == list(SIZE)
    assert manifest["provenance"] == {"made_by": "test"}
    assert manifest["labelled_ids"] == [f"image_{index:03d}" for index in range(7)]
    pixels = sum(np.bincount(make_sample(index).label.ravel(), minlength=256) for index in range(7))
    assert manifest["class_pixels"] == pixels.tolist()
    assert sum(manifest["class_pixels"]) == 7 * 60
    # 7 images, 3 a shard: 3, 3 and 1.
    assert [shard["count"] for shard in manifest["shards"]] == [3, 3, 1]
    for shard in manifest["shards"]:
        data = (directory / shard["file"]).read_bytes()
        assert shard["bytes"] == len(data)
        assert shard["sha256"] == hashlib.sha256(data).hexdigest()
    records.verify(directory)


def test_the_manifest_tells_the_classes_of_each_labelled_image(tmp_path):
    """From 0.1 % of the pixels on: one of a thousand counts, one of two thousand does not, 255 never."""
    labels = [np.full((20, 50), 7, np.uint8), None, np.full((20, 50), 255, np.uint8)]
    labels[0][3, 4], labels[0][5] = 12, 255

    def samples_of(indices, size=(20, 50), labels=labels):
        return (records.Sample(str(i), np.zeros((*size, 3), np.uint8), labels[i]) for i in indices)

    assert write(tmp_path / "one", samples_of, count=3, shard_images=2)["labelled_classes"] == ["7 12", ""]
    label = np.full((40, 50), 2, np.uint8)
    label[0, 0] = 3
    large = functools.partial(samples_of, size=(40, 50), labels=[label])
    assert write(tmp_path / "two", large, count=1)["labelled_classes"] == ["2"]


def test_partly_labelled_sets_are_counted_and_not_read_as_labelled(tmp_path):
    manifest = write(
        tmp_path, lambda indices: (make_sample(i, label=i in (1, 4), confidence=False) for i in indices)
    )
    assert manifest["with_label"] == 2 and manifest["with_confidence"] == 0
    assert manifest["labelled_ids"] == ["image_001", "image_004"]
    assert sum(manifest["class_pixels"]) == 2 * 60
    with pytest.raises(UserError, match="label for 2 of its 7 records"):
        read_all(tmp_path, ("image", "label"))
    assert len(read_all(tmp_path, ("image", "id"))) == 7


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


def test_an_unknown_role_is_refused(tmp_path):
    with pytest.raises(ValueError, match="role 'secret'"):
        write(tmp_path / "set", role="secret")
    assert not (tmp_path / "set").exists()


class Killed(Exception):
    pass


def killed_at(index, made=None):
    def samples_of(indices):
        for i in indices:
            if i == index:
                raise Killed
            if made is not None:
                made.append(i)
            yield make_sample(i)

    return samples_of


def test_a_killed_writing_goes_on_at_its_last_whole_shard(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    manifest = write(whole)
    with pytest.raises(Killed):
        write(broken, killed_at(4))
    assert not is_finished(broken)
    with pytest.raises(UserError, match="no finished set of records"):
        read_all(broken)
    made = []
    assert write(broken, killed_at(None, made)) == manifest
    assert made == [3, 4, 5, 6]
    assert content(broken) == content(whole)


def test_a_shard_whose_summary_was_not_written_is_made_again(tmp_path):
    manifest = write(tmp_path)
    before = content(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "00001-of-00003.json").unlink()
    made = []
    assert write(tmp_path, killed_at(None, made)) == manifest
    assert made == [3, 4, 5]
    assert content(tmp_path) == before


def test_killed_before_the_manifest_nothing_is_made_again(tmp_path):
    manifest = write(tmp_path)
    (tmp_path / "manifest.json").unlink()
    assert not is_finished(tmp_path)
    assert write(tmp_path, killed_at(0)) == manifest


@pytest.mark.parametrize(
    "other", [{"role": "hidden"}, {"count": 8}, {"shard_images": 4}, {"made_by": "another"}]
)
def test_an_unfinished_set_of_other_settings_is_refused(tmp_path, other):
    with pytest.raises(Killed):
        write(tmp_path, killed_at(4), made_by="one")
    before = content(tmp_path)
    with pytest.raises(UserError, match="other settings") as raised:
        write(tmp_path, **({"made_by": "one"} | other))
    assert str(tmp_path) in str(raised.value)
    assert content(tmp_path) == before


def test_an_unfinished_set_of_an_older_version_is_refused(tmp_path):
    """The summaries of its shards lack what the manifest counts now."""
    with pytest.raises(Killed):
        write(tmp_path, killed_at(4))
    mark = json.loads((tmp_path / "writing.json").read_text())
    del mark["shown_share"]
    (tmp_path / "writing.json").write_text(json.dumps(mark))
    with pytest.raises(UserError, match="unfinished set made with other settings; remove it"):
        write(tmp_path)


def test_sizes_do_not_mix(tmp_path):
    for name, odd in (("in_a_shard", 1), ("between_shards", 3)):
        directory = tmp_path / name
        with pytest.raises(ValueError, match="size"):
            write(
                directory,
                lambda indices, odd=odd: (make_sample(i, size=(6, 9) if i == odd else SIZE) for i in indices),
                count=4,
            )
        assert not is_finished(directory)


def test_a_set_with_fewer_samples_than_declared_is_never_finished(tmp_path):
    with pytest.raises(ValueError):
        write(tmp_path, lambda indices: samples(list(indices)[:-1]))
    assert not is_finished(tmp_path)


def skipping(*missing, made=None, killed_at=None):
    """Samples in which the indices `missing` cannot be made."""

    def samples_of(indices):
        for index in indices:
            if index == killed_at:
                raise Killed
            if made is not None:
                made.append(index)
            yield records.Skipped(f"{index}.png", "is damaged") if index in missing else make_sample(index)

    return samples_of


def test_skipped_files_are_listed_and_the_others_written(tmp_path):
    manifest = write(tmp_path, skipping(0, 4), skipped=[records.Skipped("lone.png", "has no label")])
    assert manifest["count"] == manifest["with_label"] == 5
    assert [shard["count"] for shard in manifest["shards"]] == [2, 2, 1]
    assert manifest["skipped"] == [
        {"path": "lone.png", "reason": "has no label"},
        {"path": "0.png", "reason": "is damaged"},
        {"path": "4.png", "reason": "is damaged"},
    ]
    assert [record["id"].decode() for record in read_all(tmp_path)] == [
        f"image_{index:03d}" for index in (1, 2, 3, 5, 6)
    ]


def test_a_whole_shard_may_be_skipped(tmp_path):
    manifest = write(tmp_path, skipping(3, 4, 5))
    assert [shard["count"] for shard in manifest["shards"]] == [3, 0, 1]
    assert len(read_all(tmp_path)) == 4
    records.verify(tmp_path)


def test_with_skipped_files_a_resumed_set_is_the_unbroken_one(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    manifest = write(whole, skipping(1, 5))
    with pytest.raises(Killed):
        write(broken, skipping(1, 5, killed_at=6))
    made = []
    assert write(broken, skipping(1, 5, made=made)) == manifest
    assert made == [6]
    assert content(broken) == content(whole)


def test_nothing_left_is_an_error_that_names_the_first_file(tmp_path):
    with pytest.raises(UserError, match="7 files were skipped; the first: 0.png is damaged"):
        write(tmp_path, skipping(*range(7)))
    assert not is_finished(tmp_path)


def test_strict_stops_at_the_first_file_and_leaves_nothing_half_written(tmp_path):
    made = []
    with pytest.raises(UserError, match="4.png is damaged"):
        write(tmp_path / "a", skipping(4, 5, made=made), count=1000, shard_images=1000, strict=True)
    assert len(made) < 200
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["writing.json"]
    with pytest.raises(UserError, match="lone.png has no label"):
        write(tmp_path / "b", skipped=[records.Skipped("lone.png", "has no label")], strict=True)
    # Also what was skipped before, without strict.
    with pytest.raises(Killed):
        write(tmp_path / "c", skipping(1, killed_at=5))
    with pytest.raises(UserError, match="1.png is damaged"):
        write(tmp_path / "c", strict=True)


def test_what_dies_leaves_no_half_shard(tmp_path):
    with pytest.raises(Killed):
        write(tmp_path, killed_at(5))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "00000-of-00003.json",
        "00000-of-00003.tfrecord",
        "writing.json",
    ]


def test_few_samples_are_in_memory_at_a_time(tmp_path):
    """However many a shard holds; each of the two stages, making and encoding, has at most two a worker."""
    alive, most = set(), []

    def sample(index):
        made = make_sample(index)
        alive.add(index)
        weakref.finalize(made, alive.discard, index)
        most.append(len(alive))
        return made

    write(tmp_path, functools.partial(in_order, sample), count=300, shard_images=300)
    workers = min(len(os.sched_getaffinity(0)), MOST_WORKERS)
    assert len(most) == 300 and max(most) <= 4 * workers + 2


def test_a_linked_set_has_the_records_of_another_and_a_role_of_its_own(tmp_path):
    manifest = write(tmp_path / "one")
    linked = records.link(tmp_path / "other", tmp_path / "one", "validation", {"labelled": 2})
    changed = {"role": "validation", "provenance": {"labelled": 2}}
    assert linked == manifest | changed == records.read_manifest(tmp_path / "other")
    records.verify(tmp_path / "other")
    assert len(read_all(tmp_path / "other", purpose="evaluation")) == 7
    assert len(read_all(tmp_path / "one")) == 7
    with pytest.raises(UserError, match="validation records, which training may not open"):
        read_all(tmp_path / "other")
    assert all(path.is_symlink() for path in (tmp_path / "other").glob("*.tfrecord"))


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


@pytest.mark.parametrize(
    "foreign", ['{"schema": "udas-records-0"}', "{}", '{"stage": "translate"}', "[]", "{"]
)
def test_a_foreign_or_damaged_manifest_is_named(tmp_path, foreign):
    (tmp_path / "manifest.json").write_text(foreign)
    with pytest.raises(UserError) as raised:
        read_all(tmp_path)
    assert str(tmp_path) in str(raised.value)


def test_damage_met_while_reading_is_named(tmp_path):
    """TensorFlow reports a broken record without its file; the checksums find it."""
    directory = tmp_path / "set"
    image = np.zeros((2, 3, 3), np.uint8)
    records.write(
        directory,
        "training",
        2,
        lambda indices: (records.Sample(str(i), image) for i in indices),
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
