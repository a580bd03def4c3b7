"""Roboflow's exports of semantic segmentation masks."""

import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import roboflow
from udas_tf.errors import UserError

CLASSES = "Pixel Value, Class\n0, background\n1, floor\n2, safety cone\n"


def export(root, split, *names, classes=CLASSES):
    for name in names:
        layout_files.image(root / split / f"{name}.jpg")
        layout_files.ids(root / split / f"{name}_mask.png", 1, 2, 0, 1)
    (root / split / "_classes.csv").write_text(classes)


def test_values_are_those_of_the_file_and_background_is_a_class(tmp_path):
    export(tmp_path, "train", "b_jpg.rf.0123", "a_jpg.rf.4567")
    export(tmp_path, "valid", "c_jpg.rf.89ab")
    own = roboflow.own_classes(tmp_path)
    assert own.classes == ("background", "floor", "safety cone")
    files = roboflow.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a_jpg.rf.4567", True), ("b_jpg.rf.0123", True)]
    assert files.skipped == () and files.labels.classes == own
    assert files.warnings == (
        "pixels that nobody has labelled are of the class background, as _classes.csv names it; they are ignored in "
        "runs whose config.classes lacks it",
    )
    assert label_of(files, 0, own) == [1, 2, 0, 1]
    assert [pair.name for pair in roboflow.find(tmp_path, "val").pairs] == ["c_jpg.rf.89ab"]
    assert roboflow.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["roboflow"]


def test_what_the_file_calls_unlabeled_is_ignored(tmp_path):
    export(tmp_path, ".", "a", classes="Pixel Value, Class\n0, unlabeled\n1, floor\n2, cone\n")
    files = roboflow.find(tmp_path, "train")
    assert roboflow.own_classes(tmp_path).classes == ("floor", "cone")
    assert label_of(files, 0, roboflow.own_classes(tmp_path)) == [0, 1, 255, 0]
    assert files.warnings == ("pixels that nobody has labelled are ignored: they train and count nothing",)
    assert list(recognition.recognise(tmp_path)) == ["roboflow"]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    export(tmp_path, "train", "a", "b", "c", "d")
    folder = tmp_path / "train"
    layout_files.ids(folder / "a_mask.png", 7, 0)
    (folder / "b_mask.png").write_bytes((folder / "b_mask.png").read_bytes()[:50])
    (folder / "c_mask.png").unlink()
    (folder / "d.jpg").unlink()
    files = roboflow.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", True), ("b", True), ("c", False)]
    assert [(skipped.path, skipped.reason) for skipped in files.skipped] == [
        (str(folder / "d_mask.png"), "is a label without an image")
    ]
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 7"):
        label_of(files, 0, files.labels.classes)
    with pytest.raises(Unusable, match="cannot be read"):
        label_of(files, 1, files.labels.classes)


@pytest.mark.parametrize(
    "classes, reason",
    [
        ("filename, floor\n", "does not begin with 'Pixel Value, Class'"),
        ("Pixel Value, Class\n300, floor\n", "'300, floor' is not like '1, floor'"),
        ("Pixel Value, Class\n1, floor\n1, cone\n", "'1, cone' is not like '1, floor'"),
        (CLASSES.replace("floor", "ground"), "1 is ground, and floor in the _classes.csv of another split"),
    ],
)
def test_a_class_file_of_another_form_is_an_error(tmp_path, classes, reason):
    export(tmp_path, "test", "a")
    export(tmp_path, "train", "a", classes=classes)
    with pytest.raises(UserError, match=reason):
        roboflow.find(tmp_path, "train")


def test_without_a_class_file_values_mean_nothing(tmp_path):
    export(tmp_path, "train", "a")
    (tmp_path / "train/_classes.csv").unlink()
    with pytest.raises(UserError, match=r"no _classes\.csv lies beside the masks"):
        roboflow.find(tmp_path, "train")
