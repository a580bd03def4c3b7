"""What the BasicWriter of Replicator writes."""

import json

import cv2
import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH, label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import isaac_sim
from udas_tf.taxonomy import ClassSet

RESERVED = {"(0, 0, 0, 0)": {"class": "BACKGROUND"}, "(0, 0, 0, 255)": {"class": "UNLABELLED"}}


def colours(folder, number, labels, prefix=""):
    """A frame in colours: bands of the keys of `labels`, after those of the background and of what has no label."""
    every = RESERVED | labels
    values = np.array([json.loads(f"[{key[1:-1]}]") for key in every], np.uint8)
    pixels = np.tile(np.repeat(values, WIDTH // len(values), axis=0), (HEIGHT, 1, 1))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels, "RGBA").save(folder / f"{prefix}semantic_segmentation_{number}.png")
    (folder / f"{prefix}semantic_segmentation_labels_{number}.json").write_text(json.dumps(every))


def test_each_frame_says_what_its_colours_mean(tmp_path):
    car, road = (140, 25, 255, 255), (255, 197, 25, 255)
    layout_files.image(tmp_path / "rgb_0000.png")
    layout_files.image(tmp_path / "rgb_0001.png")
    colours(tmp_path, "0000", {str(car): {"class": "car"}, str(road): {"class": "road"}})
    colours(tmp_path, "0001", {str(car): {"class": "road"}, str(road): {"class": "tree"}})
    (tmp_path / "metadata.txt").write_text("")
    own = isaac_sim.own_classes(tmp_path)
    assert own.classes == ("car", "road", "tree") and len(set(own.colours)) == 3
    files = isaac_sim.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("rgb_0000", True), ("rgb_0001", True)]
    assert files.labels.classes == own and files.skipped == files.warnings == ()
    assert label_of(files, 0, own) == [255, 255, 0, 1]
    assert label_of(files, 1, own) == [255, 255, 1, 2]
    assert label_of(files, 0) == [255, 255, 13, 0]  # by name, among the classes of Cityscapes
    assert isaac_sim.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["isaac_sim"]


def test_ids_of_sixteen_bits_differ_from_frame_to_frame(tmp_path):
    meanings = {
        "0": {"class": "BACKGROUND"},
        "1": {"class": "UNLABELLED"},
        "3": {"class": "car"},
        "40000": {"class": "road"},
    }
    layout_files.image(tmp_path / "rgb_0007.jpg")
    cv2.imwrite(str(tmp_path / "semantic_segmentation_0007.png"), layout_files.bands(0, 1, 3, 40000, dtype=np.uint16))
    (tmp_path / "semantic_segmentation_labels_0007.json").write_text(json.dumps(meanings))
    own = isaac_sim.own_classes(tmp_path)
    assert label_of(isaac_sim.find(tmp_path, "train"), classes=own) == [255, 255, 0, 1]


def test_several_labels_are_a_class_unless_a_classes_yaml_names_one(tmp_path):
    labels = {"(140, 25, 255, 255)": {"class": "car,vehicle"}, "(255, 197, 25, 255)": {"class": "tree"}}
    layout_files.image(tmp_path / "rgb_0000.png")
    colours(tmp_path, "0000", labels)
    files = isaac_sim.find(tmp_path, "train")
    assert files.labels.classes.classes == ("car,vehicle", "tree")
    assert label_of(files, classes=files.labels.classes) == [255, 255, 0, 1]
    (warning,) = files.warnings
    assert "car,vehicle" in warning and "classes.yaml" in warning

    (tmp_path / "classes.yaml").write_text(
        "classes: [{name: road, colour: [1, 2, 3]}, {name: car, colour: [4, 5, 6]}]\n"
    )
    files, own = isaac_sim.find(tmp_path, "train"), isaac_sim.own_classes(tmp_path)
    assert isinstance(own, ClassSet) and own.classes == ("road", "car") and files.labels.classes == own
    assert label_of(files, classes=own) == [255, 255, 1, 255]
    assert files.warnings == ("tree are not in classes.yaml, and are ignored",)

    (tmp_path / "classes.yaml").write_text(
        "classes: [{name: vehicle, colour: [1, 2, 3]}, {name: car, colour: [4, 5, 6]}]\n"
    )
    with pytest.raises(Unusable, match=r"'car,vehicle', of which classes\.yaml names car and vehicle"):
        label_of(isaac_sim.find(tmp_path, "train"))


def test_several_cameras_and_triggers_have_folders_or_prefixes(tmp_path):
    apart, common = tmp_path / "apart", tmp_path / "common"
    labels = {"(9, 9, 9, 255)": {"class": "car"}, "(8, 8, 8, 255)": {"class": "road"}}
    for camera in ("Left", "Right"):
        layout_files.image(apart / f"{camera}/rgb/rgb_0000.png")
        colours(apart / f"{camera}/semantic_segmentation", "0000", labels)
        layout_files.image(common / f"rgb/{camera}_rgb_1_0000.png")
        colours(common / "semantic_segmentation", "1_0000", labels, prefix=f"{camera}_")
    for root, names in (
        (apart, ["Left/rgb_0000", "Right/rgb_0000"]),
        (common, ["Left_rgb_1_0000", "Right_rgb_1_0000"]),
    ):
        files = isaac_sim.find(root, "train")
        assert [pair.name for pair in files.pairs] == names
        assert label_of(files, 1, isaac_sim.own_classes(root)) == [255, 255, 0, 1]
        assert list(recognition.recognise(root)) == ["isaac_sim"]


def test_splits_are_folders(tmp_path):
    for split, number in (("train", "0000"), ("val", "0001")):
        layout_files.image(tmp_path / split / f"rgb_{number}.png")
        colours(tmp_path / split, number, {"(9, 9, 9, 255)": {"class": split}, "(8, 8, 8, 255)": {"class": "road"}})
    assert isaac_sim.own_classes(tmp_path).classes == ("road", "train", "val")
    files = isaac_sim.find(tmp_path, "val")
    assert [pair.name for pair in files.pairs] == ["rgb_0001"]
    assert label_of(files, classes=isaac_sim.own_classes(tmp_path)) == [255, 255, 2, 0]
    assert isaac_sim.find(tmp_path, "test").pairs == []


def test_what_is_incomplete_is_listed_with_its_reason(tmp_path):
    labels = {"(9, 9, 9, 255)": {"class": "car"}, "(8, 8, 8, 255)": {"class": "road"}}
    for number in ("0000", "0001", "0002", "0003"):
        layout_files.image(tmp_path / f"rgb_{number}.png")
        colours(tmp_path, number, labels)
    layout_files.image(tmp_path / "rgb_0004.png")
    colours(tmp_path, "0005", labels)
    (tmp_path / "semantic_segmentation_labels_0000.json").unlink()
    (tmp_path / "semantic_segmentation_labels_0001.json").write_text('{"(9, 9, 9, 255)": {"class": "car"}, "(8')
    (tmp_path / "semantic_segmentation_labels_0002.json").write_text(
        json.dumps(RESERVED | {"(9, 9, 9, 255)": {"class": "car"}})
    )
    (tmp_path / "semantic_segmentation_labels_0003.json").write_text('{"3": {"class": "car"}}')
    files = isaac_sim.find(tmp_path, "train")
    assert [pair.labelled for pair in files.pairs] == [True] * 4 + [False]
    assert [(skipped.path, skipped.reason) for skipped in files.skipped] == [
        (str(tmp_path / "semantic_segmentation_0005.png"), "is a label without an image")
    ]
    for index, (name, reason) in enumerate(
        [
            ("labels_0000.json", "does not exist; it says what the label's values mean"),
            ("labels_0001.json", "cannot be read: "),
            ("0002.png", r"holds colours that no file gives a class: \(8, 8, 8\)"),
            ("0003.png", "and semantic_segmentation_labels_0003.json differ: one has colours, the other ids"),
        ]
    ):
        with pytest.raises(Unusable, match=reason) as raised:
            label_of(files, index)
        assert raised.value.path.name == f"semantic_segmentation_{name}"
    (tmp_path / "semantic_segmentation_labels_0003.json").write_text('{"(9, 9, 9, 255)": {"shape": "cube"}}')
    with pytest.raises(Unusable, match=r"expected {\"class\": ...}; found {'shape': 'cube'}"):
        label_of(files, 3)
