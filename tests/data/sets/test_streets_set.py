import numpy as np
import pytest

from udas_tf.data.class_sets import CITYSCAPES, built_in
from udas_tf.data.sets import streets
from udas_tf.data.splits import Request
from udas_tf.errors import UserError

SIZE = (32, 64)
CAMVID = built_in()["camvid"]


def opened(domain, split, images=2, seed=0, classes=CITYSCAPES):
    return streets.open_split(Request(split, classes, SIZE, images=images, seed=seed, domain=domain))


def test_samples_follow_from_domain_split_index_and_seed():
    def image(domain="real", split="train", index=0, seed=0):
        return opened(domain, split, seed=seed).sample(index).image

    np.testing.assert_array_equal(image(), image())
    for other in ({"domain": "sim"}, {"split": "val"}, {"index": 1}, {"seed": 1}):
        assert np.any(image(**other) != image()), other


def test_streets_in_the_classes_of_camvid():
    nineteen, eleven = (opened("sim", "train", classes=classes).sample(0).label for classes in (CITYSCAPES, CAMVID))
    road, sky = nineteen == CITYSCAPES.id_of("road"), nineteen == CITYSCAPES.id_of("sky")
    assert road.any() and (eleven[road] == CAMVID.id_of("road")).all()
    assert (eleven[sky] == CAMVID.id_of("sky")).all()
    assert set(np.unique(eleven)) <= {*range(11), 255}


def test_all_of_a_set_without_an_end_is_refused():
    with pytest.raises(UserError, match="streets sim/train has no end: set the number of images"):
        opened("sim", "train", None)


def test_a_split_streets_does_not_have_is_refused():
    with pytest.raises(UserError, match="streets has no split 'train_extra'"):
        opened("real", "train_extra")
