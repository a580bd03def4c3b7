"""CARLA in the forms of its versions, examples and of the Lyft challenge."""

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH, label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import carla
from udas_tf.errors import UserError

NAMES = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation"),
    *("terrain", "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"),
)
# docs of 0.9.13 and 0.9.15, "Sensors reference": tag -> name there, colour, name in Cityscapes.
UP_TO_0_9_13 = [
    ("Unlabeled", (0, 0, 0), None),
    ("Building", (70, 70, 70), "building"),
    ("Fence", (100, 40, 40), "fence"),
    ("Other", (55, 90, 80), None),
    ("Pedestrian", (220, 20, 60), "person"),
    ("Pole", (153, 153, 153), "pole"),
    ("RoadLine", (157, 234, 50), "road"),
    ("Road", (128, 64, 128), "road"),
    ("SideWalk", (244, 35, 232), "sidewalk"),
    ("Vegetation", (107, 142, 35), "vegetation"),
    ("Vehicles", (0, 0, 142), "car"),
    ("Wall", (102, 102, 156), "wall"),
    ("TrafficSign", (220, 220, 0), "traffic sign"),
    ("Sky", (70, 130, 180), "sky"),
    ("Ground", (81, 0, 81), None),
    ("Bridge", (150, 100, 100), None),
    ("RailTrack", (230, 150, 140), None),
    ("GuardRail", (180, 165, 180), None),
    ("TrafficLight", (250, 170, 30), "traffic light"),
    ("Static", (110, 190, 160), None),
    ("Dynamic", (170, 120, 50), None),
    ("Water", (45, 60, 150), None),
    ("Terrain", (145, 170, 100), "terrain"),
]
FROM_0_9_14 = [
    ("Unlabeled", (0, 0, 0), None),
    ("Roads", (128, 64, 128), "road"),
    ("SideWalks", (244, 35, 232), "sidewalk"),
    ("Building", (70, 70, 70), "building"),
    ("Wall", (102, 102, 156), "wall"),
    ("Fence", (190, 153, 153), "fence"),
    ("Pole", (153, 153, 153), "pole"),
    ("TrafficLight", (250, 170, 30), "traffic light"),
    ("TrafficSign", (220, 220, 0), "traffic sign"),
    ("Vegetation", (107, 142, 35), "vegetation"),
    ("Terrain", (152, 251, 152), "terrain"),
    ("Sky", (70, 130, 180), "sky"),
    ("Pedestrian", (220, 20, 60), "person"),
    ("Rider", (255, 0, 0), "rider"),
    ("Car", (0, 0, 142), "car"),
    ("Truck", (0, 0, 70), "truck"),
    ("Bus", (0, 60, 100), "bus"),
    ("Train", (0, 80, 100), "train"),
    ("Motorcycle", (0, 0, 230), "motorcycle"),
    ("Bicycle", (119, 11, 32), "bicycle"),
    ("Static", (110, 190, 160), None),
    ("Dynamic", (170, 120, 50), None),
    ("Other", (55, 90, 80), None),
    ("Water", (45, 60, 150), None),
    ("RoadLine", (157, 234, 50), "road"),
    ("Ground", (81, 0, 81), None),
    ("Bridge", (150, 100, 100), None),
    ("RailTrack", (230, 150, 140), None),
    ("GuardRail", (180, 165, 180), None),
]


def train_ids(table):
    return [255 if name is None else NAMES.index(name) for _, _, name in table]


def saved(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)


def red_channel(path, tags):
    """As `save_to_disk` of a raw image writes it: tags in red, green and blue 0, alpha 255."""
    pixels = np.zeros((*np.shape(tags), 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = tags, 255
    saved(path, pixels)


def three_equal_channels(path, tags):
    saved(path, np.repeat(np.asarray(tags)[..., None], 3, axis=-1))


def every_tag(table, sky, road):
    """The tags 0, 1, 2, ... in a row, below a row of sky and above one of road: [3, w]."""
    return np.stack([np.full(len(table), sky), np.arange(len(table)), np.full(len(table), road)])


def scene(sky, road):
    return np.repeat([sky, road], HEIGHT // 2)[:, None].repeat(WIDTH, 1)


def decoded(files, index=0):
    return files.labels.reader(layout_files.CITYSCAPES)(files.pairs[index])


@pytest.mark.parametrize(
    ("table", "sky", "road", "version"), [(UP_TO_0_9_13, 13, 7, "up to 0.9.13"), (FROM_0_9_14, 11, 1, "from 0.9.14")]
)
@pytest.mark.parametrize("write", [red_channel, saved, three_equal_channels])
def test_tags_of_both_versions_are_told_apart_by_their_content(tmp_path, table, sky, road, version, write):
    layout_files.image(tmp_path / "rgb/000001.png", size=(3, len(table)))
    write(tmp_path / "semantic_segmentation/000001.png", every_tag(table, sky, road))
    files = carla.find(tmp_path, "train")
    assert decoded(files)[1].tolist() == train_ids(table)
    assert (decoded(files)[0] == NAMES.index("sky")).all() and (decoded(files)[2] == NAMES.index("road")).all()
    (warning,) = files.warnings
    assert f"CARLA {version}" in warning and "carla_version.txt" in warning
    assert list(recognition.recognise(tmp_path)) == ["carla"]
    assert carla.find(tmp_path, "val").pairs == []


@pytest.mark.parametrize(
    ("table", "version"), [(UP_TO_0_9_13, "0.9.12"), (FROM_0_9_14, "0.9.15"), (FROM_0_9_14, "0.10.0")]
)
def test_a_version_that_is_stated_counts_whatever_the_content_says(tmp_path, table, version):
    # Tags up to 12 look the same in both, and the version says what they are.
    layout_files.image(tmp_path / "rgb/000001.png", size=(1, 13))
    red_channel(tmp_path / "semantic_segmentation/000001.png", np.arange(13)[None])
    (tmp_path / "carla_version.txt").write_text(f"{version}\n")
    files = carla.find(tmp_path, "train")
    assert decoded(files)[0].tolist() == train_ids(table)[:13] and files.warnings == ()


def test_tags_that_nothing_tells_are_refused_with_what_to_write(tmp_path):
    layout_files.image(tmp_path / "rgb/000001.png")
    red_channel(tmp_path / "semantic_segmentation/000001.png", scene(9, 9))
    assert list(recognition.recognise(tmp_path)) == ["carla"]
    with pytest.raises(UserError, match=r"up to 0\.9\.13 or from 0\.9\.14 on.* 0\.9\.13, into .*carla_version\.txt"):
        carla.find(tmp_path, "train")
    (tmp_path / "carla_version.txt").write_text("newest")
    with pytest.raises(UserError, match=r"carla_version\.txt holds 'newest'; expected a version such as 0\.9\.13"):
        carla.find(tmp_path, "train")


def test_frames_that_disagree_do_not_tell_the_version(tmp_path):
    for name, pixels in (("a", scene(13, 7)), ("b", scene(11, 1))):
        layout_files.image(tmp_path / f"CameraRGB/{name}.png")
        red_channel(tmp_path / f"CameraSeg/{name}.png", pixels)
    with pytest.raises(UserError, match=r"carla_version\.txt"):
        carla.find(tmp_path, "train")


@pytest.mark.parametrize("table", [UP_TO_0_9_13, FROM_0_9_14])
def test_colours_mean_the_same_in_all_versions(tmp_path, table):
    layout_files.image(tmp_path / "_out/rgb/00000017.png", size=(1, len(table)))
    colours = np.array([[(*colour, 255) for _, colour, _ in table]])
    saved(tmp_path / "_out/semantic_segmentation/00000017.png", colours)
    files = carla.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == ["00000017"]
    assert decoded(files)[0].tolist() == train_ids(table) and files.warnings == ()
    assert list(recognition.recognise(tmp_path)) == ["carla"]


def test_the_lyft_challenge_has_the_colours_and_the_13_tags_of_0_8(tmp_path):
    old = {3: (72, 0, 90), 10: (0, 0, 255), 2: (190, 153, 153), 7: (128, 64, 128)}
    layout_files.image(tmp_path / "Train/CameraRGB/0.png")
    layout_files.image(tmp_path / "Train/CameraRGB/1.png")
    layout_files.image(tmp_path / "Test/CameraRGB/2.png")
    layout_files.colours(tmp_path / "Train/CameraSeg/0.png", *old.values())
    saved(tmp_path / "Train/CameraSeg/1.png", np.dstack([scene(0, 7), np.zeros((HEIGHT, WIDTH, 2))]))
    layout_files.colours(tmp_path / "Test/CameraSeg/2.png", *old.values())
    files = carla.find(tmp_path, "train")
    assert label_of(files, 0) == [255, 13, 4, 0]
    assert decoded(files, 1)[:, 0].tolist() == [255] * 4 + [0] * 4  # sky is not labelled
    assert [pair.name for pair in carla.find(tmp_path, "test").pairs] == ["2"]
    assert carla.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["carla"]


def test_runs_lie_in_folders_of_their_own(tmp_path):
    for run in ("episode_0000", "episode_0001"):
        layout_files.image(tmp_path / f"_out/{run}/CameraRGB/000000.png")
        red_channel(tmp_path / f"_out/{run}/CameraSemSeg/000000.png", scene(0, 7))
    pairs = carla.find(tmp_path, "train").pairs
    assert [(pair.name, pair.labelled) for pair in pairs] == [
        ("episode_0000/000000", True),
        ("episode_0001/000000", True),
    ]


def test_lists_name_the_frames_of_the_splits(tmp_path):
    for name in "abcd":
        layout_files.image(tmp_path / f"images/{name}.jpg")
        saved(tmp_path / f"labels/{name}.png", scene(13, 7))
    (tmp_path / "train.txt").write_text("b\na\n")
    (tmp_path / "val.txt").write_text("images/c.jpg\n\nlost\n")
    train, val = carla.find(tmp_path, "train"), carla.find(tmp_path, "val")
    assert [pair.name for pair in train.pairs] == ["a", "b"] and [pair.name for pair in val.pairs] == ["c"]
    assert [(skipped.path, skipped.reason) for skipped in train.skipped] == [
        (str(tmp_path / "images/d.jpg"), "is named by none of train.txt, val.txt")
    ]
    assert [(skipped.path, skipped.reason) for skipped in val.skipped] == [
        (str(tmp_path / "lost"), "is not there; val.txt lists it")
    ]
    assert decoded(val)[:, 0].tolist() == [10] * 4 + [0] * 4
    assert list(recognition.recognise(tmp_path)) == ["carla"]
    assert carla.find(tmp_path, "test").pairs == []


def test_what_has_no_partner_is_listed(tmp_path):
    layout_files.image(tmp_path / "rgb/1.png")
    layout_files.image(tmp_path / "rgb/2.png")
    red_channel(tmp_path / "semantic_segmentation/1.png", scene(13, 7))
    red_channel(tmp_path / "semantic_segmentation/3.png", scene(13, 7))
    files = carla.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("1", True), ("2", False)]
    assert [(skipped.path, skipped.reason) for skipped in files.skipped] == [
        (str(tmp_path / "semantic_segmentation/3.png"), "is a label without an image")
    ]


def test_unknown_tags_and_damage_are_refused_with_the_reason(tmp_path):
    layout_files.image(tmp_path / "rgb/1.png")
    layout_files.image(tmp_path / "rgb/2.png")
    layout_files.image(tmp_path / "rgb/3.png")
    layout_files.image(tmp_path / "rgb/4.png")
    red_channel(tmp_path / "semantic_segmentation/1.png", scene(13, 77))
    layout_files.colours(tmp_path / "semantic_segmentation/2.png", (1, 2, 3), (0, 0, 0))
    (tmp_path / "semantic_segmentation/3.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    layout_files.image(tmp_path / "semantic_segmentation/4.jpg")  # as the documentation's tutorial saves them
    (tmp_path / "carla_version.txt").write_text("0.9.13")
    files = carla.find(tmp_path, "train")
    for index, reason in enumerate(["ids outside the map of its data set: 77", "#010203", "cannot be read", "JPEG"]):
        with pytest.raises(Unusable, match=reason):
            decoded(files, index)


def test_folders_of_ones_own_are_not_taken_for_carla(tmp_path):
    binary, described = tmp_path / "binary", tmp_path / "described"
    layout_files.image(binary / "images/a.png")
    saved(binary / "labels/a.png", scene(0, 1))  # 1 = road, as it happens
    layout_files.image(described / "images/a.png")
    saved(described / "labels/a.png", scene(13, 7))
    (described / "classes.yaml").write_text("classes: cityscapes\n")
    assert list(recognition.recognise(binary)) == ["folder"]
    assert list(recognition.recognise(described)) == ["folder"]
    assert carla.recognise(layout_files.gta5(tmp_path / "gta5")) is None
    assert carla.recognise(layout_files.cityscapes(tmp_path / "city", "train", "aachen", [0])) is None
