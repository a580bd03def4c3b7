"""IDDA as its archives are laid out: a folder for each scenario."""

import layout_files
import numpy as np
import pytest
from layout_files import bands, label_of, left_out
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import idda


def red(path, *tags):
    """A label as CARLA writes it: tags in the red channel of an RGBA image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tags = bands(*tags)
    pixels = np.dstack([tags, np.zeros_like(tags), np.zeros_like(tags), np.full_like(tags, 255)])
    Image.fromarray(pixels, "RGBA").save(path)


def test_tags_are_in_the_red_channel(tmp_path):
    for scenario in ("T01_ClearNoon_Audi", "T07_RainNoon_Bus"):
        layout_files.image(tmp_path / scenario / "RGB/000001.jpg")
    red(tmp_path / "T01_ClearNoon_Audi/Semantic/000001.png", 7, 10, 20, 0)
    layout_files.ids(tmp_path / "T07_RainNoon_Bus/Semantic/000001.png", 16, 17, 13, 19)
    layout_files.ids(tmp_path / "T07_RainNoon_Bus/Semantic/000002.png", 0)
    files = idda.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == ["T01_ClearNoon_Audi/000001", "T07_RainNoon_Bus/000001"]
    assert label_of(files) == [0, 13, 10, 255] and label_of(files, 1) == [18, 17, 6, 9]
    assert left_out(files) == [("000002.png", "is a label without an image")]
    assert idda.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["idda"]


def test_other_tags_are_refused(tmp_path):
    layout_files.image(tmp_path / "T01/RGB/1.jpg")
    red(tmp_path / "T01/Semantic/1.png", 7, 24)
    with pytest.raises(Unusable, match="outside the map of its data set: 24"):
        label_of(idda.find(tmp_path, "train"))
