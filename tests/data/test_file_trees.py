"""Images and labels that share a part of their names, and what is left out."""

import layout_files
import pytest

from udas_tf.data import file_trees
from udas_tf.errors import UserError


def test_images_and_labels_share_a_subfolder_and_a_part_of_their_names(tmp_path):
    layout_files.image(tmp_path / "left/a/1_left.png")
    layout_files.image(tmp_path / "left/b/1_left.jpg")
    layout_files.ids(tmp_path / "right/a/1_ids.png", 0)
    layout_files.ids(tmp_path / "right/a/1_colour.png", 0)
    files = file_trees.matched(
        tmp_path / "left", tmp_path / "right", "*_left.png", "*_ids.png", None, beside=("*_colour",)
    )
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a/1", True), ("b/1", False)]
    assert files.pairs[0].label == tmp_path / "right/a/1_ids.png"
    assert files.pairs[1].label == tmp_path / "right/b/1_ids.png"
    assert files.skipped == () and files.warnings == ()


def test_every_other_file_is_listed(tmp_path):
    layout_files.image(tmp_path / "left/rgb_1.png")
    layout_files.image(tmp_path / "left/other.png")
    layout_files.ids(tmp_path / "right/ss_1.png", 0)
    layout_files.ids(tmp_path / "right/ss_2.png", 0)
    layout_files.ids(tmp_path / "right/ss_.png", 0)
    layout_files.ids(tmp_path / "right/ss_1.bmp", 0)
    (tmp_path / "right/notes.txt").write_text("")
    files = file_trees.matched(tmp_path / "left", tmp_path / "right", "rgb_*.png", "ss_*.png", None)
    assert [pair.name for pair in files.pairs] == ["1"]
    assert set(layout_files.left_out(files)) == {
        ("other.png", "is not read: its name is not like rgb_*.png"),
        ("ss_.png", "is not read: its name is not like ss_*.png"),
        ("ss_1.png", "is a label beside ss_1.bmp, which is read"),
        ("ss_2.png", "is a label without an image"),
    }
    assert files.warnings == (f"{tmp_path / 'right'}: files that are no images are not read: notes.txt",)


def test_two_images_of_one_name_are_refused(tmp_path):
    layout_files.image(tmp_path / "left/1_left.png")
    layout_files.image(tmp_path / "left/1_left.bmp")
    with pytest.raises(UserError, match=r"1_left.bmp and .*1_left.png have one name"):
        file_trees.matched(tmp_path / "left", tmp_path / "right", "*_left.png", "*_ids.png", None)


def test_files_of_several_folders_are_called_after_their_folder(tmp_path):
    for folder in ("fog", "rain"):
        layout_files.image(tmp_path / f"{folder}/1_left.png")
    parts = [
        (folder, file_trees.matched(tmp_path / folder, tmp_path / "ids", "*_left.png", "*_ids.png", None))
        for folder in ("fog", "rain")
    ]
    files = file_trees.joined(parts, None)
    assert [pair.name for pair in files.pairs] == ["fog/1", "rain/1"]
