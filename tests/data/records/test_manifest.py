import functools
import hashlib
import json

import numpy as np
import pytest
from small_set import SIZE, make_sample, read_all, write

from udas_tf.data import records
from udas_tf.data.sample import Sample, path_text
from udas_tf.errors import UserError


def test_the_manifest_counts(tmp_path):
    directory, manifest = tmp_path, write(tmp_path, made_by="test")
    assert manifest.schema == records.SCHEMA and manifest.role == "training"
    assert manifest.count == manifest.with_label == manifest.with_confidence == 7
    assert manifest.size == SIZE
    assert manifest.provenance == {"made_by": "test"}
    assert manifest.labelled_ids == [f"image_{index:03d}" for index in range(7)]
    pixels = sum(np.bincount(make_sample(index).label.ravel(), minlength=256) for index in range(7))
    assert manifest.class_pixels == pixels.tolist()
    assert sum(manifest.class_pixels) == 7 * 60
    # 7 images, 3 a shard: 3, 3 and 1.
    assert [shard.count for shard in manifest.shards] == [3, 3, 1]
    for shard in manifest.shards:
        data = (directory / shard.file).read_bytes()
        assert shard.bytes == len(data)
        assert shard.sha256 == hashlib.sha256(data).hexdigest()
    records.verify(directory)


def test_the_manifest_tells_the_classes_of_each_labelled_image(tmp_path):
    """From 0.1 % of the pixels on: one of a thousand counts, one of two thousand does not, 255 never."""
    labels = [np.full((20, 50), 7, np.uint8), None, np.full((20, 50), 255, np.uint8)]
    labels[0][3, 4], labels[0][5] = 12, 255

    def samples_of(indices, size=(20, 50), labels=labels):
        return (Sample(str(i), np.zeros((*size, 3), np.uint8), labels[i]) for i in indices)

    assert write(tmp_path / "one", samples_of, count=3, shard_images=2).labelled_classes == ["7 12", ""]
    label = np.full((40, 50), 2, np.uint8)
    label[0, 0] = 3
    large = functools.partial(samples_of, size=(40, 50), labels=[label])
    assert write(tmp_path / "two", large, count=1).labelled_classes == ["2"]


def test_partly_labelled_sets_are_counted_and_not_read_as_labelled(tmp_path):
    manifest = write(tmp_path, lambda indices: (make_sample(i, label=i in (1, 4), confidence=False) for i in indices))
    assert manifest.with_label == 2 and manifest.with_confidence == 0
    assert manifest.labelled_ids == ["image_001", "image_004"]
    assert sum(manifest.class_pixels) == 2 * 60
    with pytest.raises(UserError, match="label for 2 of its 7 records"):
        read_all(tmp_path, ("image", "label"))
    assert len(read_all(tmp_path, ("image", "id"))) == 7


@pytest.mark.parametrize("foreign", ['{"schema": "udas-records-0"}', "{}", '{"stage": "translate"}', "[]", "{"])
def test_a_foreign_or_damaged_manifest_is_named(tmp_path, foreign):
    (tmp_path / "manifest.json").write_text(foreign)
    with pytest.raises(UserError) as raised:
        read_all(tmp_path)
    assert str(tmp_path) in str(raised.value)


def changed(directory, change):
    """Changes the manifest of a set by hand."""
    path = directory / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda content: content.pop("class_pixels"), "class_pixels"),
        (lambda content: content.update(count="7"), "count"),
        (lambda content: content.update(role="secret"), "role"),
        (lambda content: content.update(size=[6]), "size"),
        (lambda content: content["shards"][1].pop("sha256"), "sha256"),
    ],
)
def test_a_missing_or_wrong_key_is_one_line_that_names_file_and_key(tmp_path, change, key):
    write(tmp_path)
    changed(tmp_path, change)
    with pytest.raises(UserError, match=f"manifest.json is damaged .*{key}.*; remove its directory and make") as raised:
        records.read_manifest(tmp_path)
    assert str(tmp_path / "manifest.json") in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("file", ["/etc/passwd", "../other.tfrecord", "a/b.tfrecord", "..", ".", "", "a\0b"])
def test_shards_are_files_in_the_directory_of_the_set(tmp_path, file):
    write(tmp_path)
    changed(tmp_path, lambda content: content["shards"][0].update(file=file))
    with pytest.raises(UserError, match="shard file .* is not a plain file name"):
        records.read_manifest(tmp_path)


def test_sets_of_older_versions_lack_the_classes_of_each_image(tmp_path):
    write(tmp_path)
    changed(tmp_path, lambda content: content.pop("labelled_classes"))
    assert records.read_manifest(tmp_path).labelled_classes is None


def test_paths_that_are_no_utf_8_have_a_text(tmp_path):
    path = tmp_path / "caf\udce9.png"  # Latin-1
    assert path_text(path) == f"{tmp_path}/caf\\xe9.png"
    assert path_text(tmp_path / "café.png") == f"{tmp_path}/café.png"
