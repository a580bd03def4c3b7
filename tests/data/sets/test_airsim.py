"""Recordings of AirSim 1.8, and images that scripts save, with the lists of object ids that users write."""

import json

import layout_files
import numpy as np
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import airsim
from udas_tf.errors import UserError

# docs/seg_rgbs.txt, object id -> colour: the first ones, some in between and the last ones.
COLOURS = {
    0: (0, 0, 0),
    1: (153, 108, 6),
    2: (112, 105, 191),
    20: (146, 52, 70),
    22: (151, 126, 171),
    42: (92, 31, 106),
    253: (147, 210, 11),
    254: (162, 203, 118),
    255: (255, 255, 255),
}
HEADER = "VehicleName\tTimeStamp\tPOS_X\tPOS_Y\tPOS_Z\tQ_W\tQ_X\tQ_Y\tQ_Z\tImageFile"


def recording(folder, lines):
    """airsim_rec.txt, and its images; those of type 5 are bands of 20, 42, 255 and 0."""
    rows = [HEADER]
    for time, names in enumerate(lines):
        rows.append("\t".join(["Car1", str(time), *["0.0"] * 7, ";".join(names)]))
        for name in names:
            if "_5_" in name:
                layout_files.colours(folder / "images" / name, *(COLOURS[number] for number in (20, 42, 255, 0)))
            else:
                layout_files.image(folder / "images" / name)
    (folder / "airsim_rec.txt").write_text("\n".join(rows) + "\n")


def test_the_colours_are_those_of_seg_rgbs_txt():
    palette = [tuple(bytes.fromhex(colour)) for colour in airsim.PALETTE.split()]
    assert len(set(palette)) == 256 and {number: palette[number] for number in COLOURS} == COLOURS


def test_a_recording_pairs_the_images_of_a_camera(tmp_path):
    recording(
        tmp_path,
        [
            ["img_Car1_0_0_100.png", "img_Car1_0_5_101.png", "img_Car1_front_center_0_102.png"],
            ["img_Car1_0_0_200.png", "img_Car1_0_5_201.png", "img_Car1_front_center_5_202.png"],
        ],
    )
    layout_files.image(tmp_path / "images/img_Car1_0_0_300.png")
    (tmp_path / "object_ids.txt").write_text(
        "# meshes\n20 Ground\nSkySphere: 42\n\n255\ttree[\\w]*\n0 null\n-1 Cloud\n"
    )
    own = airsim.own_classes(tmp_path)
    assert own.classes == ("Ground", "SkySphere", "tree")
    files = airsim.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("img_Car1_0_0_100", True),
        ("img_Car1_0_0_200", True),
        ("img_Car1_front_center_0_102", False),
    ]
    assert label_of(files, 0, own) == [0, 1, 2, 255]
    assert [(skipped.path, skipped.reason) for skipped in files.skipped] == [
        (str(tmp_path / "images/img_Car1_front_center_5_202.png"), "is a label without an image"),
        (str(tmp_path / "images/img_Car1_0_0_300.png"), "is named by no line of airsim_rec.txt"),
    ]
    assert airsim.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["airsim"]


def test_recordings_lie_in_folders_called_by_their_time(tmp_path):
    for name in ("2024-05-01-10-00-00", "2024-05-01-11-00-00"):
        recording(tmp_path / name, [["img_Car1_0_0_1.png", "img_Car1_0_5_2.png"]])
    (tmp_path / "object_ids.json").write_text(json.dumps({"20": "road", "42": "sky", "255": "car", "0": None}))
    files = airsim.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == [
        "2024-05-01-10-00-00/img_Car1_0_0_1",
        "2024-05-01-11-00-00/img_Car1_0_0_1",
    ]
    assert label_of(files, 1) == [0, 10, 13, 255]  # by name, among the classes of Cityscapes
    assert list(recognition.recognise(tmp_path)) == ["airsim"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("seg_ids.yaml", "20: road\n42: sky\n255: car\n0: null\n"),
        ("mesh_ids.yml", "road: 20\nsky: 42\ncar: 255\nnothing: 0\n"),
        ("seg_label_map.json", '{"name_map": {"road": 20, "sky": 42, "car": 255, "nothing": 0}}'),
        ("segmentation_ids.txt", "road,20\nsky = 42\n255;car\n0 nothing\n"),
        (
            "classes.yaml",
            "classes:\n- {name: road, colour: [1, 1, 1]}\n- {name: sky, colour: [2, 2, 2]}\n"
            "- {name: car, colour: [3, 3, 3]}\nids: {0: null, 20: road, 42: sky, 255: car}\n",
        ),
    ],
)
def test_lists_of_object_ids_come_in_several_forms(tmp_path, name, content):
    for split in ("train", "val"):
        layout_files.image(tmp_path / split / "rgb/0001.png")
        layout_files.colours(tmp_path / split / "seg/0001.png", *(COLOURS[number] for number in (20, 42, 255, 0)))
    (tmp_path / name).write_text(content)
    assert {"road", "sky", "car"} <= set(airsim.own_classes(tmp_path).classes)
    for split in ("train", "val"):
        files = airsim.find(tmp_path, split)
        assert [pair.name for pair in files.pairs] == ["0001"] and label_of(files) == [0, 10, 13, 255]
    assert airsim.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["airsim"]


def test_another_palette_lies_in_the_root(tmp_path):
    layout_files.image(tmp_path / "images/a.png")
    layout_files.colours(tmp_path / "segmentation/a.png", (1, 2, 3), (4, 5, 6))
    (tmp_path / "seg_rgbs.txt").write_text("7\t[1, 2, 3]\n8\t[4, 5, 6]\n")
    (tmp_path / "object_ids.txt").write_text("7 road\n8 car\n")
    assert label_of(airsim.find(tmp_path, "train")) == [0, 0, 13, 13]
    assert list(recognition.recognise(tmp_path)) == ["airsim"]
    (tmp_path / "seg_rgbs.txt").write_text("7: 1, 2\n")
    with pytest.raises(UserError, match=r"seg_rgbs\.txt: '7: 1, 2' is not like '20 \[r, g, b\]'"):
        airsim.find(tmp_path, "train")


def test_without_a_list_the_error_says_what_to_write(tmp_path):
    recording(tmp_path, [["img_Car1_0_0_100.png", "img_Car1_0_5_101.png"]])
    for what in (lambda: airsim.find(tmp_path, "train"), lambda: airsim.own_classes(tmp_path)):
        with pytest.raises(UserError, match=r"into .*object_ids\.txt, one line for each, such as '20 Ground'"):
            what()
    unlabelled = tmp_path / "photographs"
    recording(unlabelled, [["img_Car1_0_0_100.png"]])
    assert [pair.labelled for pair in airsim.find(unlabelled, "train").pairs] == [False]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("20 Ground\n20 Floor\n", "object id 20 has two names, Ground and Floor; give it one"),
        ("300 Ground\n", "300 is no object id; expected 0 to 255"),
        ("Ground\n", "'Ground' is not like '20 Ground' or 'Ground 20'"),
    ],
)
def test_lists_that_are_wrong_are_refused(tmp_path, content, reason):
    recording(tmp_path, [["img_Car1_0_0_100.png", "img_Car1_0_5_101.png"]])
    (tmp_path / "object_ids.txt").write_text(content)
    with pytest.raises(UserError, match=reason):
        airsim.find(tmp_path, "train")


def test_two_lists_are_refused(tmp_path):
    recording(tmp_path, [["img_Car1_0_0_100.png", "img_Car1_0_5_101.png"]])
    for name in ("object_ids.txt", "seg_ids.json"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=r"holds object_ids\.txt and seg_ids\.json; remove all but one"):
        airsim.find(tmp_path, "train")


def test_what_has_no_name_or_no_object_id_is_refused_with_the_value(tmp_path):
    lines = [[f"img_Car1_0_0_{time}.png", f"img_Car1_0_5_{time}.png"] for time in (1, 2, 3, 4)]
    recording(tmp_path, lines)
    (tmp_path / "object_ids.txt").write_text("20 Ground\n255 Sky\n0 null\n")
    layout_files.colours(tmp_path / "images/img_Car1_0_5_2.png", COLOURS[20], (1, 2, 3))
    (tmp_path / "images/img_Car1_0_5_3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "images/img_Car1_0_5_4.png").unlink()
    files = airsim.find(tmp_path, "train")
    assert [pair.labelled for pair in files.pairs] == [True, True, True, False]
    for index, reason in enumerate(
        ["ids outside the map of its data set: 42", r"no file gives a class: \(1, 2, 3\)", "cannot be read"]
    ):
        with pytest.raises(Unusable, match=reason):
            label_of(files, index, files.labels.classes)
    (tmp_path / "airsim_rec.txt").write_text("VehicleName\tTimeStamp\n")
    files = airsim.find(tmp_path, "train")
    assert not files.pairs and [skipped.reason for skipped in files.skipped] == ["has no column ImageFile"]


def test_ids_may_lie_in_one_channel(tmp_path):
    layout_files.image(tmp_path / "rgb/a.png")
    layout_files.ids(tmp_path / "seg/a.png", 20, 42, 255, 0)
    (tmp_path / "object_ids.txt").write_text("20 road\n42 sky\n255 car\n0 null\n")
    files = airsim.find(tmp_path, "train")
    assert label_of(files) == [0, 10, 13, 255]
    assert files.labels.read(files.pairs[0]).values.dtype == np.uint8
