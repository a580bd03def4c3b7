import numpy as np
import pytest
from PIL import Image

from udas_tf.config import base_config, override
from udas_tf.data import datasets
from udas_tf.errors import UserError
from udas_tf.taxonomy import CITYSCAPES, ClassSet

SIZE = (32, 64)


@pytest.fixture
def config():
    return override(
        base_config(),
        {
            "seed": "5",
            "data.size": "32,64",
            "data.source.images": "3",
            "data.target.images": "4",
            "data.target.val_images": "2",
        },
    )


@pytest.mark.parametrize(
    ("make", "name", "count"),
    [
        (datasets.source_train, "sim_train", 3),
        (datasets.target_train, "real_train", 4),
        (datasets.target_val, "real_val", 2),
    ],
)
def test_splits_of_a_config(config, make, name, count):
    split = make(config, CITYSCAPES)
    assert split.count == count
    assert split.provenance["dataset"] == "streets" and split.provenance["seed"] == 5
    assert split.provenance["split"] == name.replace("_", "/") and split.provenance["size"] == list(SIZE)
    sample = split.sample(1)
    assert sample.id == f"{name}_000001"
    assert sample.image.shape == (*SIZE, 3) and sample.image.dtype == np.uint8
    assert sample.label.shape == SIZE and sample.label.dtype == np.uint8
    assert set(np.unique(sample.label)) <= {*range(19), 255}
    assert sample.confidence is None
    assert sample.provenance == split.provenance


def test_samples_follow_from_domain_split_index_and_seed():
    def image(domain="real", split="train", index=0, seed=0):
        return datasets.streets_split(domain, split, 2, SIZE, seed).sample(index).image

    np.testing.assert_array_equal(image(), image())
    for other in ({"domain": "sim"}, {"split": "val"}, {"index": 1}, {"seed": 1}):
        assert np.any(image(**other) != image()), other


@pytest.mark.parametrize("count", [0, -1])
def test_a_split_without_images_is_refused(count):
    with pytest.raises(UserError, match=f"streets sim/train: {count} images asked for"):
        datasets.streets_split("sim", "train", count, SIZE, 0)


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("data.source.dataset", datasets.source_train),
        ("data.target.dataset", datasets.target_train),
        ("data.target.dataset", datasets.target_val),
    ],
)
def test_an_unknown_data_set_is_named(config, key, make):
    with pytest.raises(UserError, match=f"{key}='gta5' is unknown; expected 'streets' or 'folder'"):
        make(override(config, {key: "gta5"}), CITYSCAPES)


TWO_CLASSES = ClassSet("two", ("road", "car"), ((128, 64, 128), (0, 0, 142)))


@pytest.fixture
def folder(tmp_path):
    """Two 4x8 images, "a" with a label and "b" without."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = (10, 20, 30)
    Image.fromarray(image).save(tmp_path / "images/b.png")
    Image.fromarray(image).save(tmp_path / "images/a.png")
    write_label(tmp_path, [[0, 0, 0, 0, 1, 1, 255, 255]] * 4)
    return tmp_path


def write_label(directory, ids):
    Image.fromarray(np.array(ids, np.uint8)).save(directory / "labels/a.png")


def test_a_folder_holds_images_some_with_labels(folder):
    split = datasets.folder_split(folder, 0, (2, 4), TWO_CLASSES)
    assert split.count == 2 and list(split.labelled) == [0]
    first, second = split.sample(0), split.sample(1)
    assert (first.id, second.id) == ("a", "b")
    np.testing.assert_array_equal(first.label, [[0, 0, 1, 255]] * 2)
    np.testing.assert_array_equal(first.image[:, 3], [[10, 20, 30]] * 2)
    assert second.label is None


def test_a_folder_can_be_used_in_part(folder):
    assert datasets.folder_split(folder, 1, (2, 4), TWO_CLASSES).count == 1


def test_ids_outside_the_class_set_are_named(folder):
    write_label(folder, [[0, 0, 0, 0, 7, 7, 255, 255]] * 4)
    with pytest.raises(UserError, match=r"a.png holds ids \[7\]; expected train ids 0 to 1 of two"):
        datasets.folder_split(folder, 0, (2, 4), TWO_CLASSES).sample(0)


def test_a_label_of_another_size_is_named(folder):
    write_label(folder, [[0, 1]])
    with pytest.raises(UserError, match="a.png is .2, 1. wide and high, its image .8, 4."):
        datasets.folder_split(folder, 0, (2, 4), TWO_CLASSES).sample(0)


def test_a_damaged_image_is_named(folder):
    (folder / "images/b.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match="b.png cannot be read"):
        datasets.folder_split(folder, 0, (2, 4), TWO_CLASSES).sample(1)


def test_two_images_of_one_name_are_refused(folder):
    Image.fromarray(np.zeros((4, 8, 3), np.uint8)).save(folder / "images/a.jpg")
    with pytest.raises(UserError, match="a.jpg and .*a.png have one name"):
        datasets.folder_split(folder, 0, (2, 4), TWO_CLASSES)


def test_a_folder_without_images_is_named(tmp_path):
    with pytest.raises(UserError, match="no images in"):
        datasets.folder_split(tmp_path, 0, (2, 4), TWO_CLASSES)
