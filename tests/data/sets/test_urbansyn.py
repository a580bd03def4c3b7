"""UrbanSyn as its README describes it."""

import layout_files
import pytest
from layout_files import label_of, left_out

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import urbansyn


def test_labels_hold_train_ids_and_nineteen(tmp_path):
    layout_files.image(tmp_path / "rgb/rgb_0001.png")
    layout_files.image(tmp_path / "rgb/rgb_0002.png")
    layout_files.ids(tmp_path / "ss/ss_0001.png", 0, 13, 18, 19)
    layout_files.ids(tmp_path / "ss/ss_0003.png", 0)
    layout_files.colours(tmp_path / "ss_colour/ss_colour_0001.png", (128, 64, 128))
    files = urbansyn.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("0001", True), ("0002", False)]
    assert label_of(files) == [0, 13, 18, 255]
    assert left_out(files) == [("ss_0003.png", "is a label without an image")]
    assert urbansyn.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["urbansyn"]


def test_other_values_are_refused(tmp_path):
    layout_files.image(tmp_path / "rgb/rgb_0001.png")
    layout_files.ids(tmp_path / "ss/ss_0001.png", 0, 20)
    with pytest.raises(Unusable, match="outside the map of its data set: 20"):
        label_of(urbansyn.find(tmp_path, "train"))
