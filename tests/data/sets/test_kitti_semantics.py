"""The semantic segmentation benchmark of KITTI as data_semantics.zip holds it."""

import layout_files
import pytest
from layout_files import label_of, left_out

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import kitti_semantics


@pytest.mark.parametrize("inner", ["", "data_semantics/"])
def test_labels_hold_cityscapes_label_ids(tmp_path, inner):
    layout_files.image(tmp_path / f"{inner}training/image_2/000000_10.png")
    layout_files.ids(tmp_path / f"{inner}training/semantic/000000_10.png", 7, 26, 33, 4)
    layout_files.ids(tmp_path / f"{inner}training/semantic/000001_10.png", 7)
    layout_files.colours(tmp_path / f"{inner}training/semantic_rgb/000000_10.png", (128, 64, 128))
    layout_files.image(tmp_path / f"{inner}testing/image_2/000000_10.png")
    files = kitti_semantics.find(tmp_path, "train")
    assert label_of(files) == [0, 13, 18, 255]
    assert left_out(files) == [("000001_10.png", "is a label without an image")]
    assert [pair.labelled for pair in kitti_semantics.find(tmp_path, "test").pairs] == [False]
    assert kitti_semantics.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["kitti_semantics"]


def test_other_ids_are_refused(tmp_path):
    layout_files.image(tmp_path / "training/image_2/000000_10.png")
    layout_files.ids(tmp_path / "training/semantic/000000_10.png", 7, 34)
    with pytest.raises(Unusable, match="outside the map of its data set: 34"):
        label_of(kitti_semantics.find(tmp_path, "train"))
