import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.sets import folder
from udas_tf.errors import UserError

CLASSES = """
classes: [{name: road, colour: [128, 64, 128]}, {name: shelf, colour: [1, 2, 3]}]
ids: {0: null, 100: road, 200: shelf}
"""


def test_images_and_labels_lie_side_by_side(tmp_path):
    layout_files.image(tmp_path / "train/images/a.jpg")
    layout_files.image(tmp_path / "train/images/b.png")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 100, 200, 100)
    layout_files.image(tmp_path / "val/images/c.png")
    files = folder.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", True), ("b", False)]
    assert files.labels is None and folder.own_classes(tmp_path) is None
    assert [pair.name for pair in folder.find(tmp_path, "val").pairs] == ["c"]
    assert folder.find(tmp_path, "test").pairs == []


@pytest.mark.parametrize("name", ["classes.yaml", "classes.yml", "Classes.YAML"])
def test_classes_yaml_says_what_labels_mean(tmp_path, name):
    layout_files.image(tmp_path / "train/images/a.jpg")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 100, 200, 100)
    (tmp_path / name).write_text(CLASSES)
    files = folder.find(tmp_path, "train")
    own = folder.own_classes(tmp_path)
    assert own == files.labels.classes and own.classes == ("road", "shelf")
    assert label_of(files, classes=own) == [255, 0, 1, 0]
    assert label_of(files) == [255, 0, 255, 0]
    layout_files.colours(tmp_path / "train/labels/a.png", (1, 2, 3), (0, 0, 0), (128, 64, 128), (1, 2, 3))
    assert label_of(files, classes=own) == [1, 255, 0, 1]


@pytest.mark.parametrize("place", ["", "images", "train", "train/images"])
def test_an_unlabelled_target_is_a_folder_of_images(tmp_path, place):
    layout_files.image(tmp_path / place / "a.png")
    layout_files.image(tmp_path / place / "b.jpg")
    (tmp_path / "notes.txt").write_text("not an image")
    files = folder.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", False), ("b", False)]
    assert folder.find(tmp_path, "val").pairs == [] and files.skipped == ()


def test_two_images_of_one_name_are_refused(tmp_path):
    layout_files.image(tmp_path / "images/a.jpg")
    layout_files.image(tmp_path / "images/a.png")
    with pytest.raises(UserError, match="a.jpg and .*a.png have one name"):
        folder.find(tmp_path, "train")


def test_images_alone_do_not_lie_in_subfolders(tmp_path):
    """Where there is no images/, a folder in it may be one of labels."""
    for name in ("a.png", "masks/a.png", "labels/a.png", "val/b.png"):
        layout_files.image(tmp_path / name)
    files = folder.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", True)]
    (skipped,) = files.skipped
    assert skipped.path == str(tmp_path / "masks") and skipped.reason.startswith("holds 1 image; subfolders")
    layout_files.image(tmp_path / "test/one/a.png")
    with pytest.raises(UserError, match=r"test/one holds 1 image; .*; move the subfolders into .*test/images"):
        folder.find(tmp_path, "test")


def test_folders_that_look_like_splits_are_named(tmp_path):
    for place in ("train", "val", "valid", ""):
        layout_files.image(tmp_path / place / "images/a.png")
    assert folder.find(tmp_path, "train").warnings == (
        f"{tmp_path / 'valid'} holds images/ and is not read; the splits are called train, val, test, train_extra",
        f"{tmp_path / 'images'} is not read, as {tmp_path / 'train'} holds the split train",
    )
    assert folder.find(tmp_path, "val").warnings == ()


def test_a_folder_is_recognised_by_its_images(tmp_path):
    assert folder.recognise(tmp_path) is None
    layout_files.image(tmp_path / "val/images/drive/a.webp")
    assert recognition.recognise(tmp_path) == {"folder": "images for val"}
