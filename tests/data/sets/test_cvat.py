"""Exports of CVAT 2 in the format Segmentation mask 1.1."""

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH, label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import cvat
from udas_tf.errors import UserError

LABEL_MAP = """# label:color_rgb:parts:actions
background:0,0,0::
floor:128,64,128::
safety cone:250,170,30::
"""
NOTHING, FLOOR, CONE = (0, 0, 0), (128, 64, 128), (250, 170, 30)


def export(root, names, label_map=LABEL_MAP, lists=None):
    """As CVAT writes it: masks of classes and of instances in RGB; each mask is floor, cone, nothing, floor."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "labelmap.txt").write_text(label_map)
    for name in names:
        layout_files.image(root / f"JPEGImages/{name}.jpg")
        layout_files.colours(root / f"SegmentationClass/{name}.png", FLOOR, CONE, NOTHING, FLOOR)
        layout_files.colours(root / f"SegmentationObject/{name}.png", (128, 0, 0), (0, 128, 0), NOTHING, (128, 128, 0))
    for stem, listed in (lists or {"default": names}).items():
        path = root / f"ImageSets/Segmentation/{stem}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{name}\n" for name in listed))
    return root


def test_colours_are_those_of_the_label_map_and_background_is_a_class(tmp_path):
    export(tmp_path, ["frame_000000", "frame_000001"])
    own = cvat.own_classes(tmp_path)
    assert own.classes == ("background", "floor", "safety cone") and own.colours == (NOTHING, FLOOR, CONE)
    files = cvat.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("frame_000000", True), ("frame_000001", True)]
    assert files.skipped == () and files.labels.classes == own
    assert files.warnings == (
        "pixels that nobody has labelled are of the class background, as labelmap.txt names it; they are ignored in "
        "runs whose config.classes lacks it",
    )
    assert label_of(files, 0, own) == [1, 2, 0, 1]
    assert cvat.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["cvat"]


def test_without_a_black_label_black_is_ignored(tmp_path):
    export(tmp_path, ["a"], LABEL_MAP.replace("background:0,0,0::\n", ""))
    files = cvat.find(tmp_path, "train")
    assert label_of(files, 0, cvat.own_classes(tmp_path)) == [0, 1, 255, 0]
    assert files.warnings == ("pixels that nobody has labelled are ignored: they train and count nothing",)


def test_masks_of_one_channel_hold_numbers_of_lines(tmp_path):
    export(tmp_path, ["a"])
    layout_files.ids(tmp_path / "SegmentationClass/a.png", 2, 1, 0, 2)
    assert label_of(cvat.find(tmp_path, "train"), 0, cvat.own_classes(tmp_path)) == [2, 1, 0, 2]


def test_the_lists_of_a_project_are_splits(tmp_path):
    names = ["a", "b", "c 1", "d", "e"]
    export(tmp_path, names, lists={"Train": ["a", '"c 1"'], "Validation": ["b", "gone"], "Test": ["d"]})
    (tmp_path / "SegmentationClass/a.png").unlink()
    layout_files.ids(tmp_path / "SegmentationClass/lonely.png", 0)
    train, val, test = (cvat.find(tmp_path, split) for split in ("train", "val", "test"))
    assert [(pair.name, pair.labelled) for pair in train.pairs] == [("a", False), ("c 1", True)]
    assert [pair.name for pair in val.pairs] == ["b"] and [pair.name for pair in test.pairs] == ["d"]
    assert [(skipped.path, skipped.reason) for skipped in train.skipped] == [
        (str(tmp_path / "SegmentationClass/lonely.png"), "is a label without an image"),
        (str(tmp_path / "JPEGImages/e.jpg"), "is named by no list in ImageSets/Segmentation/"),
    ]
    assert [(skipped.path, skipped.reason) for skipped in val.skipped] == [
        (str(tmp_path / "ImageSets/Segmentation/Validation.txt"), "names gone, which is no image in JPEGImages/")
    ]
    assert test.skipped == ()


def test_colours_that_the_label_map_lacks_and_damaged_masks_are_refused(tmp_path):
    export(tmp_path, ["a", "b"])
    layout_files.colours(tmp_path / "SegmentationClass/a.png", FLOOR, (224, 224, 192))
    (tmp_path / "SegmentationClass/b.png").write_bytes((tmp_path / "SegmentationClass/b.png").read_bytes()[:60])
    files = cvat.find(tmp_path, "train")
    with pytest.raises(Unusable, match="colours outside the map of its data set: #e0e0c0"):
        label_of(files, 0, files.labels.classes)
    with pytest.raises(Unusable, match="cannot be read"):
        label_of(files, 1, files.labels.classes)


@pytest.mark.parametrize(
    "label_map, reason",
    [
        ("floor;1,2,3", "'floor;1,2,3' is not like 'road:128,64,128::'"),
        ("floor:1,2,300::", "is not like"),
        ("a:1,2,3::\nb:1,2,3::", "'b:1,2,3::' has the name or the colour of a line before"),
        ("", "has 0 labels"),
    ],
)
def test_a_label_map_of_another_form_is_an_error(tmp_path, label_map, reason):
    export(tmp_path, ["a"], label_map)
    with pytest.raises(UserError, match=reason):
        cvat.find(tmp_path, "train")


def test_without_a_label_map_colours_mean_nothing(tmp_path):
    export(tmp_path, ["a"])
    (tmp_path / "labelmap.txt").unlink()
    assert cvat.recognise(tmp_path) is None
    with pytest.raises(UserError, match=r"labelmap\.txt is missing"):
        cvat.find(tmp_path, "train")


def test_a_label_has_the_size_of_its_mask(tmp_path):
    export(tmp_path, ["a"])
    files = cvat.find(tmp_path, "train")
    label = files.labels.reader(files.labels.classes)(files.pairs[0])
    expected = np.repeat([1, 2, 0, 1], WIDTH // 4)
    assert label.shape == (HEIGHT, WIDTH) and (label == expected).all()
    assert Image.open(files.pairs[0].image).size == (WIDTH, HEIGHT)
