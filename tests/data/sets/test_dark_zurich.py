"""Dark Zurich as its archives are laid out."""

import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import dark_zurich


def image(root, split, time, name):
    layout_files.image(root / f"rgb_anon/{split}/{time}/{name.partition('_')[0]}/{name}_rgb_anon.png")


def test_the_photographs_of_the_night_are_read(tmp_path):
    image(tmp_path, "train", "night", "GOPR0351_frame_000001")
    image(tmp_path, "train", "twilight", "GOPR0348_frame_000001")
    image(tmp_path, "train", "day", "GOPR0345_frame_000001")
    image(tmp_path, "val", "night", "GOPR0356_frame_000324")
    image(tmp_path, "val_ref", "day", "GP020397_frame_000001")
    folder = tmp_path / "gt/val/night/GOPR0356"
    layout_files.ids(folder / "GOPR0356_frame_000324_gt_labelTrainIds.png", 0, 2, 18, 255)
    layout_files.ids(folder / "GOPR0356_frame_000324_gt_labelIds.png", 7)
    layout_files.ids(folder / "GOPR0356_frame_000324_gt_invGray.png", 0)
    train = dark_zurich.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in train.pairs] == [("night/GOPR0351/GOPR0351_frame_000001", False)]
    assert train.warnings == (
        "images that are not of the night are not read: rgb_anon/train/twilight, rgb_anon/train/day",
    )
    val = dark_zurich.find(tmp_path, "val")
    assert label_of(val) == [0, 2, 18, 255] and val.skipped == ()
    assert val.warnings == ("images that are not of the night are not read: rgb_anon/val_ref/day",)
    assert list(recognition.recognise(tmp_path)) == ["dark_zurich"]


def test_each_archive_may_lie_in_a_folder_of_its_own(tmp_path):
    image(tmp_path / "Dark_Zurich_train_anon", "train", "night", "GOPR0351_frame_000001")
    image(tmp_path / "Dark_Zurich_test_anon", "test", "night", "GOPR0364_frame_000001")
    assert [len(dark_zurich.find(tmp_path, split).pairs) for split in ("train", "val", "test")] == [1, 0, 1]
    assert list(recognition.recognise(tmp_path)) == ["dark_zurich"]


def test_other_values_are_refused(tmp_path):
    image(tmp_path, "val", "night", "GOPR0356_frame_000324")
    layout_files.ids(tmp_path / "gt/val/night/GOPR0356/GOPR0356_frame_000324_gt_labelTrainIds.png", 0, 33)
    with pytest.raises(Unusable, match="outside the map of its data set: 33"):
        label_of(dark_zurich.find(tmp_path, "val"))
