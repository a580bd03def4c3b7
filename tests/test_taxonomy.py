import numpy as np
import pytest

from udas_tf import taxonomy
from udas_tf.errors import UserError
from udas_tf.taxonomy import CAMVID, CITYSCAPES, IGNORE, ClassSet, train_ids


def test_the_nineteen_classes_of_cityscapes_in_the_order_of_its_train_ids():
    assert len(CITYSCAPES) == 19 == len(CITYSCAPES.classes) == len(CITYSCAPES.colours)
    assert CITYSCAPES.classes == (
        *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"),
        *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train"),
        *("motorcycle", "bicycle"),
    )


def test_the_eleven_classes_of_camvid_in_segnets_order():
    assert CAMVID.classes == (
        *("sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car"),
        *("pedestrian", "bicyclist"),
    )
    assert len(set(CAMVID.colours)) == 11


def test_ids_by_name():
    assert [CITYSCAPES.id_of(name) for name in ("road", "sky", "bicycle")] == [0, 10, 18]
    with pytest.raises(ValueError):
        CITYSCAPES.id_of("tram")


def test_palette_colours_classes_and_leaves_everything_else_black():
    palette = CITYSCAPES.palette()
    assert palette.shape == (256, 3) and palette.dtype == np.uint8
    # cityscapesScripts, helpers/labels.py
    assert palette[0].tolist() == [128, 64, 128]
    assert palette[13].tolist() == [0, 0, 142]
    assert palette[18].tolist() == [119, 11, 32]
    assert IGNORE == 255 and not palette[19:].any()
    assert len({tuple(colour) for colour in palette[:19].tolist()}) == 19


def test_synthia_is_scored_on_sixteen_and_thirteen_classes():
    sixteen, thirteen = taxonomy.SYNTHIA_SUBSETS[16], taxonomy.SYNTHIA_SUBSETS[13]
    assert (len(sixteen), len(thirteen)) == (16, 13)
    assert set(CITYSCAPES.classes) - set(sixteen) == {"terrain", "truck", "train"}
    assert set(sixteen) - set(thirteen) == {"wall", "fence", "pole"}


def test_label_ids_of_cityscapes_and_gta5():
    """cityscapesScripts, helpers/labels.py: 34 ids, of which these nineteen are evaluated, in train id order."""
    evaluated = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    ids = taxonomy.CITYSCAPES_LABEL_IDS
    assert list(ids) == list(range(34))
    assert [ids[id_] for id_ in evaluated] == list(CITYSCAPES.classes)
    assert sum(name is None for name in ids.values()) == 34 - 19
    assert {**ids, 34: None} == taxonomy.GTA5_IDS


def test_ids_of_synthia():
    """README.txt of SYNTHIA-RAND-CITYSCAPES."""
    ids = taxonomy.SYNTHIA_IDS
    assert len(ids) == 23
    known = {
        1: "sky",
        3: "road",
        8: "car",
        10: "person",
        15: "traffic light",
        17: "rider",
        19: "bus",
        21: "wall",
    }
    assert {id_: ids[id_] for id_ in known} == known
    assert {id_ for id_, name in ids.items() if name is None} == {0, 13, 14, 22}
    assert {name for name in ids.values() if name} == set(CITYSCAPES.classes)


def test_colours_of_camvid():
    colours = taxonomy.CAMVID_COLOURS
    assert len(colours) == 32
    assert {name for name in colours.values() if name} == set(CAMVID.classes)
    assert [colour for colour, name in colours.items() if name is None] == [(0, 0, 0)]
    # Each class contains the one of the 32 whose colour it has.
    assert all(colours[colour] == name for name, colour in zip(CAMVID.classes, CAMVID.colours, strict=True))
    assert colours[192, 128, 192] == "car" and colours[0, 0, 64] == "pole"  # Truck_Bus, TrafficCone


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
    with pytest.raises(UserError, match="config.classes to 'camvid'"):
        train_ids(CAMVID, CITYSCAPES)


def test_classes_of_ones_own_go_by_their_names():
    mine = ClassSet("mine", ("shelf", "person", "road"), ((1, 0, 0), (2, 0, 0), (3, 0, 0)))
    assert train_ids(mine, CITYSCAPES)[:4].tolist() == [IGNORE, 11, 0, IGNORE]
    other = ClassSet("other", ("floor", "rack"), ((1, 0, 0), (2, 0, 0)))
    with pytest.raises(UserError, match="no class in common"):
        train_ids(mine, other)
