import os
from pathlib import Path

import layout_files
import numpy as np
import pytest
from PIL import Image

from udas_tf.data import class_file, datasets, sets
from udas_tf.data.class_sets import CITYSCAPES, built_in
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.data.sample import NEAREST_COLOURS
from udas_tf.data.sets import folder
from udas_tf.data.split_files import SplitFiles
from udas_tf.data.splits import Request
from udas_tf.errors import UserError

SIZE = (32, 64)
CAMVID = built_in()["camvid"]


def opened(name, root, split="train", classes=CITYSCAPES, size=SIZE, need_labels=None):
    return datasets.open_split(name, Request(split, classes, size, root, need_labels))


def test_gta5_with_damage(tmp_path):
    layout_files.gta5(tmp_path)
    layout_files.palette_png(tmp_path / "labels/00002.png", 7, size=(9, 16))  # the odd frame
    (tmp_path / "labels/00003.png").unlink()
    split = opened("gta5", tmp_path)
    assert (split.count, list(split.labelled)) == (2, [0, 1])
    (skipped,) = split.skipped
    assert skipped.path == str(tmp_path / "images/00003.png")
    assert skipped.reason == f"has no label; expected {tmp_path / 'labels/00003.png'}"
    (warning,) = split.warnings
    assert warning == f"gta5 train is published with 24966 images; {tmp_path} has 3"
    sample = split.sample(0)
    assert sample.id == "00001" and sample.image.shape == (*SIZE, 3)
    assert np.unique(sample.label).tolist() == [0, 13, 255]
    origin = {"dataset": "gta5", "split": "train", "file": "00001.png"}
    assert sample.provenance == origin | {"original_size": [8, 16]}
    odd = split.sample(1)
    assert (odd.path, odd.reason) == (str(tmp_path / "labels/00002.png"), "is 9x16, its image 8x16")
    assert np.unique(opened("gta5", tmp_path, classes=CAMVID).sample(0).label).tolist() == [3, 8, 255]


def test_images_are_resized_and_their_labels_too(tmp_path):
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = (10, 20, 30)
    (tmp_path / "train/images").mkdir(parents=True)
    Image.fromarray(image).save(tmp_path / "train/images/a.png")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 0, 1, 255, size=(4, 8))
    sample = opened("folder", tmp_path, size=(2, 4)).sample(0)
    np.testing.assert_array_equal(sample.label, [[0, 0, 1, 255]] * 2)
    np.testing.assert_array_equal(sample.image[:, 3], [[10, 20, 30]] * 2)


def test_classes_that_the_run_lacks_are_named(tmp_path):
    classes = "classes: [{name: road, colour: [1, 2, 3]}, {name: shelf, colour: [4, 5, 6]}]"
    (tmp_path / "classes.yaml").write_text(f"name: depot\n{classes}\n")
    layout_files.image(tmp_path / "train/images/a.png")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 1, 255)
    (warning,) = opened("folder", tmp_path).warnings
    assert warning.startswith("shelf of depot are no classes of cityscapes, the run's, and are ignored;")
    own = class_file.class_set(str(tmp_path / "classes.yaml"))
    assert opened("folder", tmp_path, classes=own).warnings == ()


def test_published_counts_are_compared(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "aachen", range(2))
    layout_files.cityscapes(tmp_path, "val", "lindau", range(2), ending=None)
    train = opened("cityscapes", tmp_path)
    assert train.warnings == (f"cityscapes train is published with 2975 images; {tmp_path} has 2",)
    val = opened("cityscapes", tmp_path, "val")
    assert val.count == 2 and not val.labelled
    assert val.warnings[1] == f"cityscapes val in {tmp_path} has no labels, and is taken as unlabelled"
    assert opened("cityscapes", tmp_path, "train_extra") is None


def test_an_unknown_data_set_is_named_with_the_nearest():
    with pytest.raises(UserError, match="dataset='gta' is unknown; expected one of .*camvid, .*mean gta5"):
        opened("gta", None)


def test_a_folder_has_the_classes_of_its_classes_yaml_else_those_of_cityscapes(tmp_path):
    dataset = sets.declared("folder", "dataset")
    assert datasets.own_classes(dataset, tmp_path) == CITYSCAPES
    (tmp_path / "classes.yaml").write_text(
        "name: depot\nclasses: [{name: a, colour: [1, 2, 3]}, {name: b, colour: [4, 5, 6]}]"
    )
    assert datasets.own_classes(dataset, tmp_path).classes == ("a", "b")
    assert datasets.own_classes(sets.declared("camvid", "dataset"), tmp_path) == CAMVID


def test_a_set_may_read_images_and_labels_in_its_own_way(tmp_path, monkeypatch):
    """Frames of one file, as of a video; each label has a legend of its own; one frame has none, one cannot be read."""
    frames = tmp_path / "frames.bin"
    pairs = [Pair(f"frame_{number}", frames, frames, number != 1) for number in range(3)]

    def read_image(pair, size):
        if pair.name == "frame_2":
            raise Unusable(frames, "ends early")
        return np.full((*size, 3), int(pair.name[-1]), np.uint8), (4, 8)

    def read_label(pair):
        return RawLabel(np.full((4, 8), 1_000), Legend({1_000: "car" if pair.name == "frame_0" else "sky"}))

    files = SplitFiles(pairs, Labels(CITYSCAPES, read_label), read_image=read_image)
    monkeypatch.setattr(folder, "find", lambda root, split: files)
    split = opened("folder", tmp_path)
    assert split.count == 3 and list(split.labelled) == [0, 2]
    assert (split.sample(0).label == CITYSCAPES.id_of("car")).all() and split.sample(0).image.max() == 0
    assert split.sample(1).label is None and split.sample(1).image.min() == 1
    assert (split.sample(2).path, split.sample(2).reason) == (str(frames), "ends early")


def test_images_whose_set_has_no_labels_are_named_without_a_place(tmp_path, monkeypatch):
    pairs = [Pair("a", tmp_path / "a.png", labelled=True), Pair("b", tmp_path / "b.png")]
    monkeypatch.setattr(folder, "find", lambda root, split: SplitFiles(pairs))
    (skipped,) = opened("folder", tmp_path, need_labels=True).skipped
    assert (skipped.path, skipped.reason) == (str(tmp_path / "b.png"), "has no label")
    monkeypatch.setattr(folder, "find", lambda root, split: SplitFiles(pairs[1:]))
    with pytest.raises(UserError, match="no image has a label where all need one$"):
        opened("folder", tmp_path, need_labels=True)


def test_a_photograph_and_its_upright_label_are_the_same_way_up(tmp_path):
    """Sky above, road below, taken with the camera upside down and lying on its side."""
    upright = np.zeros((64, 48, 3), np.uint8)
    upright[:32] = (60, 120, 240)
    for name, orientation, stored in (("a", 3, upright[::-1, ::-1]), ("b", 6, upright.swapaxes(0, 1)[::-1])):
        exif = Image.Exif()
        exif[274] = orientation
        (tmp_path / "train/images").mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"train/images/{name}.jpg", exif=exif, quality=95)
        (tmp_path / "train/labels").mkdir(exist_ok=True)
        Image.fromarray(np.where(upright[..., 2] > 0, 10, 0).astype(np.uint8)).save(
            tmp_path / f"train/labels/{name}.png"
        )
    split = opened("folder", tmp_path, size=(64, 48))
    for sample in map(split.sample, range(2)):
        assert sample.provenance["original_size"] == [64, 48]
        assert sample.image[:28, :, 2].min() > 200 and sample.image[36:, :, 2].max() < 50
        assert (sample.label[:32] == 10).all() and (sample.label[32:] == 0).all()


def test_names_that_are_no_utf8_reach_the_records(tmp_path):
    layout_files.image(tmp_path / "train/images/a.png")
    (tmp_path / "train/images/a.png").rename(tmp_path / "train/images" / os.fsdecode(b"stra\xdfe.png"))
    sample = opened("folder", tmp_path).sample(0)
    assert sample.id == "stra\\xdfe" and sample.provenance["file"] == "stra\\xdfe.png"


def test_pixels_between_the_colours_of_two_classes_are_counted(tmp_path):
    (tmp_path / "classes.yaml").write_text(
        "classes: [{name: a, colour: [10, 0, 0]}, {name: b, colour: [250, 0, 0]}]\nbetween: nearest\n"
    )
    layout_files.image(tmp_path / "train/images/a.png")
    layout_files.colours(tmp_path / "train/labels/a.png", (10, 0, 0), (11, 0, 0), (249, 1, 0), (250, 0, 0))
    own = class_file.class_set(str(tmp_path / "classes.yaml"))
    split = opened("folder", tmp_path, classes=own, size=(8, 16))
    assert split.warnings == ("labels: in those looked at, 50.00% of the pixels have no class's colour; see `between`",)
    sample = split.sample(0)
    assert sample.label[0, ::4].tolist() == [0, 0, 1, 1] and sample.provenance[NEAREST_COLOURS] == 64


def test_one_doubtful_label_file_is_named_and_the_others_are_read(tmp_path):
    for name in "abcd":
        layout_files.image(tmp_path / f"train/images/{name}.png")
    layout_files.ids(tmp_path / "train/labels/a.PNG", 0, 1)
    layout_files.colours(tmp_path / "train/labels/b.jpg", (128, 64, 128), (0, 0, 142))
    layout_files.ids(tmp_path / "train/labels/c.png", 0, 1, size=(4, 8))
    (tmp_path / "train/labels/d.png").touch()
    split = opened("folder", tmp_path)
    samples = [split.sample(index) for index in range(4)]
    assert samples[0].label[0, [0, -1]].tolist() == [0, 1]
    assert [(Path(sample.path).name, sample.reason) for sample in samples[1:]] == [
        ("b.jpg", "is a label saved as JPEG, which does not keep its values; save it as PNG"),
        ("c.png", "is 4x8, its image 8x16"),
        ("d.png", "is empty, 0 bytes"),
    ]
