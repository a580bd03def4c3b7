"""ACDC as its archives are laid out."""

import layout_files
import pytest
from layout_files import label_of, left_out

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import acdc


def frame(root, condition, split, name, *values):
    sequence = name.partition("_")[0]
    layout_files.image(root / f"rgb_anon/{condition}/{split}/{sequence}/{name}_rgb_anon.png")
    if values:
        folder = root / f"gt/{condition}/{split}/{sequence}"
        layout_files.ids(folder / f"{name}_gt_labelTrainIds.png", *values)
        layout_files.ids(folder / f"{name}_gt_labelIds.png", 7)
        layout_files.colours(folder / f"{name}_gt_labelColor.png", (128, 64, 128))
        layout_files.ids(folder / f"{name}_gt_invIds.png", 7)


def test_the_conditions_of_a_split_are_one(tmp_path):
    frame(tmp_path, "snow", "train", "GOPR0606_frame_000142", 1, 2, 10, 255)
    frame(tmp_path, "fog", "train", "GOPR0475_frame_000041", 0, 13, 18, 255)
    frame(tmp_path, "fog", "train_ref", "GOPR0475_frame_000041")
    frame(tmp_path, "night", "val", "GOPR0376_frame_000159", 0)
    frame(tmp_path, "rain", "test", "GOPR0572_frame_000145")
    files = acdc.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == [
        "fog/GOPR0475/GOPR0475_frame_000041",
        "snow/GOPR0606/GOPR0606_frame_000142",
    ]
    assert label_of(files) == [0, 13, 18, 255] and label_of(files, 1) == [1, 2, 10, 255]
    assert files.skipped == ()
    assert files.warnings == ("images in good weather are not read: rgb_anon/fog/train_ref",)
    assert len(acdc.find(tmp_path, "val").pairs) == 1
    assert [pair.labelled for pair in acdc.find(tmp_path, "test").pairs] == [False]
    assert list(recognition.recognise(tmp_path)) == ["acdc"]


def test_what_is_left_out_is_listed(tmp_path):
    frame(tmp_path, "rain", "val", "GOPR0402_frame_000150", 0, 19)
    (tmp_path / "rgb_anon/rain/val/GOPR0402/notes.png").write_bytes(b"")
    layout_files.ids(tmp_path / "gt/rain/val/GOPR0402/GOPR0402_frame_000999_gt_labelTrainIds.png", 0)
    files = acdc.find(tmp_path, "val")
    assert left_out(files) == [
        ("notes.png", "is not read: its name is not like *_rgb_anon.png"),
        ("GOPR0402_frame_000999_gt_labelTrainIds.png", "is a label without an image"),
    ]
    with pytest.raises(Unusable, match="outside the map of its data set: 19"):
        label_of(files)
