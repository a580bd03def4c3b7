"""Mapillary Vistas v1.2 and v2.0 as their archives are laid out."""

import json

import layout_files
import pytest
from layout_files import bands, label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import mapillary_vistas
from udas_tf.errors import UserError

V1 = ["construction--barrier--curb", "construction--flat--road", "object--vehicle--car", "object--billboard"]
V2 = [
    "construction--flat--road",
    "marking--discrete--stop-line",
    "human--person--individual",
    "object--traffic-sign--back",
    "object--traffic-sign--front",
]


def config(path, names):
    labels = [
        {"color": [7 * n, 0, 0], "instances": False, "readable": name, "name": name, "evaluate": True}
        for n, name in enumerate(names)
    ]
    path.write_text(json.dumps({"labels": labels, "version": "1.1", "mapping": "public", "folder_structure": "x"}))


def palette(path, *values):
    """Labels are palette images whose indices are the values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    label = Image.fromarray(bands(*values))
    label.putpalette([(7 * index) % 256 if part == 0 else 0 for index in range(256) for part in range(3)])
    label.save(path)


def test_values_are_positions_in_the_config_of_v1(tmp_path):
    config(tmp_path / "config.json", V1)
    layout_files.image(tmp_path / "training/images/_0JOyp.jpg")
    palette(tmp_path / "training/labels/_0JOyp.png", 0, 1, 2, 3)
    layout_files.ids(tmp_path / "training/instances/_0JOyp.png", 0)
    files = mapillary_vistas.find(tmp_path, "train")
    assert label_of(files) == [1, 0, 13, 255]
    assert files.skipped == ()
    assert recognition.recognise(tmp_path) == {"mapillary_vistas": "training/images and config.json"}


def test_of_both_versions_the_second_is_read(tmp_path):
    config(tmp_path / "config_v1.2.json", V1)
    config(tmp_path / "config_v2.0.json", V2)
    layout_files.image(tmp_path / "validation/images/a.jpg")
    layout_files.image(tmp_path / "testing/images/b.jpg")
    palette(tmp_path / "validation/v1.2/labels/a.png", 3, 3, 3, 3)
    palette(tmp_path / "validation/v2.0/labels/a.png", 1, 2, 3, 4)
    assert label_of(mapillary_vistas.find(tmp_path, "val")) == [0, 11, 255, 7]
    assert [(pair.name, pair.labelled) for pair in mapillary_vistas.find(tmp_path, "test").pairs] == [("b", False)]
    (tmp_path / "config_v2.0.json").unlink()
    with pytest.raises(UserError, match=r"lacks config_v2.0.json, which says what the labels in v2.0/labels mean"):
        mapillary_vistas.find(tmp_path, "val")


def test_values_of_unknown_classes_are_refused(tmp_path):
    config(tmp_path / "config.json", [*V1, "object--spaceship"])
    layout_files.image(tmp_path / "training/images/a.jpg")
    palette(tmp_path / "training/labels/a.png", 1, 4, 5, 1)
    with pytest.raises(Unusable, match="outside the map of its data set: 4, 5"):
        label_of(mapillary_vistas.find(tmp_path, "train"))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"config.json does not list labels with their names"):
        mapillary_vistas.find(tmp_path, "train")


def test_every_class_of_the_map_is_one_of_cityscapes():
    assert set(mapillary_vistas.CLASS_OF.values()) == set(CITYSCAPES.classes)
    assert not set(mapillary_vistas.CLASS_OF) & mapillary_vistas.IGNORED
