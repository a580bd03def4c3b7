from pathlib import Path

import pytest

from udas_tf.data import class_file
from udas_tf.errors import UserError
from udas_tf.taxonomy import CAMVID, CITYSCAPES

WAREHOUSE = """
name: warehouse
classes:
  - {name: floor, colour: [128, 64, 128]}
  - {name: shelf, colour: [70, 70, 70]}
ids: {0: null, 7: floor, 300: shelf}
"""


def written(directory: Path, text: str) -> Path:
    path = directory / "classes.yaml"
    path.write_text(text)
    return path


def test_names_colours_and_ids(tmp_path):
    described = class_file.read(written(tmp_path, WAREHOUSE))
    assert described.classes.name == "warehouse"
    assert described.classes.classes == ("floor", "shelf")
    assert described.classes.colours == ((128, 64, 128), (70, 70, 70))
    assert described.ids == {0: None, 7: "floor", 300: "shelf"}


def test_without_ids_labels_hold_train_ids(tmp_path):
    text = WAREHOUSE.partition("ids:")[0].replace("name: warehouse", "")
    described = class_file.read(written(tmp_path, text))
    assert described.ids == {0: "floor", 1: "shelf", 255: None}
    assert described.classes.name == tmp_path.name


def test_ids_alone_with_a_built_in_class_set(tmp_path):
    described = class_file.read(written(tmp_path, "classes: cityscapes\nids: {7: road, 1: null}\n"))
    assert described.classes == CITYSCAPES
    assert described.ids == {7: "road", 1: None}


def test_the_class_set_of_a_config(tmp_path):
    assert class_file.class_set("camvid") == CAMVID
    assert class_file.class_set(str(written(tmp_path, WAREHOUSE))).classes == ("floor", "shelf")
    with pytest.raises(UserError, match="classes='streets' is unknown; expected cityscapes, camvid or"):
        class_file.class_set("streets")
    with pytest.raises(UserError, match="cannot read .*none.yaml"):
        class_file.class_set(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- a\n- b\n", "expected the keys"),
        ("ids: {1: road}\n", "expected the keys"),
        ("classes: cityscapes\ncolours: []\n", "expected the keys"),
        ("classes: streets\n", "'streets' is no class set"),
        ("classes: [{name: a, colour: [0, 0, 0]}]\n", "2 to 254"),
        ("classes: [{name: a, colour: [0, 0, 0]}, {name: b}]\n", "is not like"),
        ("classes: [{name: a, colour: [0, 0, 0]}, {name: b, colour: [0, 0, 256]}]\n", "is not like"),
        ("classes: [{name: a, colour: [0, 0, 0]}, {name: a, colour: [1, 0, 0]}]\n", "same name"),
        ("classes: cityscapes\nids: [road]\n", "expected a map"),
        ("classes: cityscapes\nids: {a: road}\n", "'a' is not an integer"),
        ("classes: cityscapes\nids: {-1: road}\n", "-1 is not an integer"),
        ("classes: cityscapes\nids: {7: tram}\n", "'tram', which is none of road"),
        ("classes: {\n", "classes.yaml"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(tmp_path, text, reason):
    path = written(tmp_path, text)
    with pytest.raises(UserError, match=reason) as raised:
        class_file.read(path)
    assert str(path) in str(raised.value)
