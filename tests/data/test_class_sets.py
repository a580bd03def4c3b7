import numpy as np
import pytest

from udas_tf.data.class_sets import CITYSCAPES, built_in, class_maps, train_ids
from udas_tf.errors import UserError
from udas_tf.taxonomy import IGNORE, ClassSet

CAMVID = built_in()["camvid"]


def test_class_sets_are_those_that_data_sets_declare():
    assert list(built_in()) == ["camvid", "cityscapes"]
    assert (len(CAMVID), len(CITYSCAPES)) == (11, 19)
    assert CITYSCAPES.name == "cityscapes" and CITYSCAPES.colours[13] == (0, 0, 142)


def test_class_maps_lead_from_every_class_to_one_of_the_other_set():
    for (here, there), into in class_maps().items():
        assert set(into) == set(built_in()[here].classes)
        assert set(into.values()) <= {*built_in()[there].classes, None}


def test_the_nineteen_go_into_the_eleven():
    table = train_ids(CITYSCAPES, CAMVID)
    assert table.dtype == np.uint8 and table.shape == (256,)
    #                    road walk bldg wall fence pole light sign veg terr sky pers rider car truck bus train moto bike
    assert table[:19].tolist() == [3, 4, 1, 1, 7, 2, 6, 6, 5, 5, 0, 9, 10, 8, 8, 8, 8, 10, 10]
    assert (table[19:] == IGNORE).all()


@pytest.mark.parametrize("classes", [CITYSCAPES, CAMVID], ids=lambda classes: classes.name)
def test_a_class_set_goes_into_itself_unchanged(classes):
    table = train_ids(classes, classes)
    assert table[: len(classes)].tolist() == list(range(len(classes)))
    assert (table[len(classes) :] == IGNORE).all()


def test_what_a_class_set_does_not_divide_cannot_be_told_apart():
    with pytest.raises(UserError, match="11 classes of camvid cannot .* 19 of cityscapes; .* to 'camvid'"):
        train_ids(CAMVID, CITYSCAPES)


def test_class_maps_go_by_the_classes_not_by_names_and_colours_of_sets():
    grey = ClassSet("prepared", CITYSCAPES.classes, ((0, 0, 0),) * 19)
    np.testing.assert_array_equal(train_ids(grey, CAMVID), train_ids(CITYSCAPES, CAMVID))
    mine = ClassSet("cityscapes", ("car", "shelf"), ((1, 0, 0), (2, 0, 0)))
    assert train_ids(mine, CAMVID)[:2].tolist() == [8, IGNORE]


def test_classes_of_ones_own_go_by_their_names():
    mine = ClassSet("mine", ("shelf", "person", "road"), ((1, 0, 0), (2, 0, 0), (3, 0, 0)))
    assert train_ids(mine, CITYSCAPES)[:4].tolist() == [IGNORE, 11, 0, IGNORE]
    other = ClassSet("other", ("floor", "rack"), ((1, 0, 0), (2, 0, 0)))
    with pytest.raises(UserError, match="no class in common"):
        train_ids(mine, other)
