"""BDD100K as doc.bdd100k.com describes it, and as it was published first."""

import layout_files
import pytest
from layout_files import label_of, left_out

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import bdd100k


@pytest.mark.parametrize("inner", ["", "bdd100k/"])
def test_masks_hold_train_ids(tmp_path, inner):
    layout_files.image(tmp_path / f"{inner}images/10k/train/0004a4c0-d4dff0ad.jpg")
    layout_files.image(tmp_path / f"{inner}images/10k/val/7d06fefd-f7be05a6.jpg")
    layout_files.image(tmp_path / f"{inner}images/10k/test/ac6d4f42-00000000.jpg")
    layout_files.ids(tmp_path / f"{inner}labels/sem_seg/masks/train/0004a4c0-d4dff0ad.png", 0, 13, 18, 255)
    layout_files.ids(tmp_path / f"{inner}labels/sem_seg/masks/val/7d06fefd-f7be05a6.png", 1, 2, 10, 255)
    layout_files.colours(
        tmp_path / f"{inner}labels/sem_seg/colormaps/train/0004a4c0-d4dff0ad.png", (128, 64, 128), (0, 0, 0)
    )
    assert label_of(bdd100k.find(tmp_path, "train")) == [0, 13, 18, 255]
    assert label_of(bdd100k.find(tmp_path, "val")) == [1, 2, 10, 255]
    (pair,) = bdd100k.find(tmp_path, "test").pairs
    assert (pair.name, pair.labelled) == ("ac6d4f42-00000000", False)
    assert recognition.recognise(tmp_path) == {"bdd100k": "images/10k/"}


def test_labels_of_2018_are_called_train_id(tmp_path):
    layout_files.image(tmp_path / "seg/images/train/0004a4c0-d4dff0ad.jpg")
    layout_files.ids(tmp_path / "seg/labels/train/0004a4c0-d4dff0ad_train_id.png", 0, 13, 18, 255)
    layout_files.ids(tmp_path / "seg/labels/train/00d79c0a_train_id.png", 0)
    files = bdd100k.find(tmp_path, "train")
    assert label_of(files) == [0, 13, 18, 255]
    assert left_out(files) == [("00d79c0a_train_id.png", "is a label without an image")]
    assert recognition.recognise(tmp_path) == {"bdd100k": "seg/labels/SPLIT/*_train_id.png"}


def test_other_values_are_refused(tmp_path):
    layout_files.image(tmp_path / "images/10k/train/a.jpg")
    layout_files.ids(tmp_path / "labels/sem_seg/masks/train/a.png", 0, 19)
    with pytest.raises(Unusable, match="holds label ids outside the map of its data set: 19"):
        label_of(bdd100k.find(tmp_path, "train"))
