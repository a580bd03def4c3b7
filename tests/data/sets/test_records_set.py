import numpy as np
import pytest

from udas_tf.data import records
from udas_tf.data.class_sets import CITYSCAPES, built_in
from udas_tf.data.sample import Sample
from udas_tf.data.sets import records as prepared
from udas_tf.data.splits import Request
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

CAMVID = built_in()["camvid"]

SIZE = (6, 10)
PROVENANCE = {"dataset": "gta5", "class_set": "cityscapes", "classes": list(CITYSCAPES.classes)}


def sample(index, labelled=True):
    rng = np.random.default_rng(index)
    image = rng.integers(0, 256, (*SIZE, 3), np.uint8)
    label = rng.choice(np.array([0, 2, 13, 255], np.uint8), SIZE) if labelled else None
    return Sample(f"image_{index}", image, label, provenance={"file": f"{index}.png"})


def write(root, labelled=lambda index: True, provenance=PROVENANCE):
    return records.write(
        root / "train",
        "training",
        7,
        lambda indices: (sample(index, labelled(index)) for index in indices),
        shard_images=3,
        provenance=provenance,
        label="test",
    )


def opened(root, classes=CITYSCAPES, need_labels=True, size=SIZE):
    return prepared.open_split(Request("train", classes, size, root, need_labels))


def test_samples_come_back_by_index(tmp_path):
    write(tmp_path)
    split = opened(tmp_path)
    assert split.count == 7 and list(split.labelled) == list(range(7))
    for index in (6, 0, 3):
        found, expected = split.sample(index), sample(index)
        assert (found.id, found.provenance) == (expected.id, expected.provenance)
        np.testing.assert_array_equal(found.image, expected.image)
        np.testing.assert_array_equal(found.label, expected.label)
    assert split.without_labels().sample(3).label is None
    assert split.provenance["dataset"] == "gta5"


def test_classes_are_mapped_on_the_way(tmp_path):
    write(tmp_path)
    split = opened(tmp_path, CAMVID)
    into = {0: 3, 2: 1, 13: 8, 255: 255}
    np.testing.assert_array_equal(split.sample(1).label, np.vectorize(into.get)(sample(1).label))
    assert split.provenance["class_set"] == "camvid" and split.provenance["classes"] == list(CAMVID.classes)


def test_only_the_whole_set_in_its_own_classes_is_the_set_itself(tmp_path):
    write(tmp_path)
    split = opened(tmp_path)
    assert split.whole == tmp_path / "train"
    assert split.part(range(7), note=1).whole == tmp_path / "train"
    for other in (split.part([0, 1]), split.without_labels(), split.joined(split), opened(tmp_path, CAMVID)):
        assert other.whole is None


def test_a_set_labelled_in_part(tmp_path):
    write(tmp_path, labelled=lambda index: index in (1, 5))
    split = opened(tmp_path, need_labels=False)
    assert list(split.labelled) == [1, 5] and split.sample(0).label is None
    with pytest.raises(UserError, match="5 of the 7 records in .* have no label"):
        opened(tmp_path)


def test_an_unlabelled_set(tmp_path):
    write(tmp_path, labelled=lambda index: False)
    split = opened(tmp_path, need_labels=False)
    assert list(split.labelled) == [] and split.without_labels().whole == tmp_path / "train"


def test_a_set_of_another_size_or_origin_is_refused(tmp_path):
    write(tmp_path / "set")
    with pytest.raises(UserError, match="was prepared at 6x10 and data.size is 6x12"):
        opened(tmp_path / "set", size=(6, 12))
    with pytest.raises(UserError, match="no class in common"):
        opened(tmp_path / "set", ClassSet("mine", ("a", "b"), ((0, 0, 0), (1, 1, 1))))
    write(tmp_path / "other", provenance={"dataset": "streets"})
    with pytest.raises(UserError, match="not written by `udas data prepare --dataset`"):
        opened(tmp_path / "other")
    with pytest.raises(UserError, match="no finished set of records"):
        opened(tmp_path / "none")


def test_damage_is_told(tmp_path):
    manifest = write(tmp_path)
    shard = tmp_path / "train" / manifest.shards[1].file
    data = bytearray(shard.read_bytes())
    data[data.index(sample(3).image.tobytes()) + 20] ^= 1
    shard.write_bytes(data)
    split = opened(tmp_path)
    assert split.sample(2).id == "image_2"
    with pytest.raises(UserError, match=f"{shard.name} is damaged or foreign"):
        split.sample(4)
    shard.write_bytes(data[:-1])
    with pytest.raises(UserError, match="missing or truncated"):
        opened(tmp_path)
