import numpy as np
import pytest

from udas_tf.config import base_config, override
from udas_tf.data import datasets
from udas_tf.errors import UserError

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
    split = make(config)
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
    with pytest.raises(UserError, match=f"{key}='gta5' is unknown; expected 'streets'"):
        make(override(config, {key: "gta5"}))
