"""Class maps: how they are proposed, written, read and applied."""

import numpy as np
import pytest
from PIL import Image

from udas_tf import cli
from udas_tf.data import class_map, datasets
from udas_tf.data.class_sets import CITYSCAPES, built_in, train_ids
from udas_tf.data.splits import Request
from udas_tf.errors import UserError
from udas_tf.taxonomy import IGNORE, ClassSet


def class_set(*names):
    return ClassSet("mine", names, tuple((number, 0, 0) for number in range(len(names))))


def proposed(native, classes=CITYSCAPES):
    return {one.name: one.into for one in class_map.propose(class_set(*native), classes)}


def test_carla_becomes_cityscapes_by_its_names():
    carla = {
        "Building": "building",
        "Fence": "fence",
        "Pedestrian": "person",
        "Pole": "pole",
        "RoadLine": "road",
        "Road": "road",
        "SideWalk": "sidewalk",
        "Vegetation": "vegetation",
        "Vehicles": "car",
        "Wall": "wall",
        "TrafficSign": "traffic sign",
        "GuardRail": "fence",
        "TrafficLight": "traffic light",
        "Static": None,
        "Terrain": "terrain",
    }
    assert proposed(carla) == carla


def test_cityscapes_becomes_camvid_as_camvid_declares_it():
    declared = train_ids(CITYSCAPES, built_in()["camvid"])
    found = proposed(CITYSCAPES.classes, built_in()["camvid"])
    places = [IGNORE if place is None else built_in()["camvid"].id_of(place) for place in found.values()]
    assert places == declared[: len(CITYSCAPES)].tolist()


def test_the_reason_is_the_best_one_and_a_path_counts_by_its_last_part():
    names = ("object--traffic-light", "lane_marking", "Veggetation", "Bicycles", "ego vehicle")
    found = {one.name: (one.into, one.why) for one in class_map.propose(class_set(*names), CITYSCAPES)}
    assert found == {
        "object--traffic-light": ("traffic light", "same name"),
        "lane_marking": ("road", "a part or kind of road"),
        "Veggetation": ("vegetation", "similar name, 0.95"),
        "Bicycles": ("bicycle", "same name"),
        "ego vehicle": (None, "no name is near"),
    }


def test_what_is_written_is_read_again(tmp_path):
    native = class_set("Vehicle", "no", "a: b # c", "7", "Bäume")
    proposals = class_map.propose(native, CITYSCAPES)
    class_map.write(proposals, native, CITYSCAPES, tmp_path / "map.yaml")
    assert class_map.read(tmp_path / "map.yaml").into == {one.name: one.into for one in proposals}
    assert "# synonym" in (tmp_path / "map.yaml").read_text()
    with pytest.raises(UserError, match="is there already, perhaps with your changes"):
        class_map.write(proposals, native, CITYSCAPES, tmp_path / "map.yaml")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("a: b", "expected the key 'map' alone"),
        ("map: {}", "expected the key 'map' alone"),
        ("map: {a: [b]}", "is not like `Vehicle: car`"),
        ("map: {a: b, a: c}", "'a' stands twice"),
        ("map: {a", "map.yaml: "),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, text, match):
    (tmp_path / "map.yaml").write_text(text)
    with pytest.raises(UserError, match=match):
        class_map.read(tmp_path / "map.yaml")


def test_a_map_must_have_every_class_and_lead_to_classes_that_there_are(tmp_path):
    native, classes = class_set("shelf", "floor", "box"), class_set("shelf", "rest")
    written = class_map.ClassMap("map.yaml", {"shelf": "shelf", "floor": "rest", "box": None})
    assert train_ids(native, classes, written)[:3].tolist() == [0, 1, IGNORE]
    with pytest.raises(UserError, match="map.yaml has no line for box of mine"):
        train_ids(native, classes, class_map.ClassMap("map.yaml", {"shelf": "shelf", "floor": "rest"}))
    with pytest.raises(UserError, match="map.yaml leads to rst, and mine has the classes shelf, rest"):
        train_ids(native, classes, class_map.ClassMap("map.yaml", {"shelf": "rst", "floor": "rest", "box": None}))
    with pytest.raises(UserError, match="cannot read the class map"):
        class_map.read(tmp_path / "missing.yaml")


def test_between_equal_classes_a_map_changes_nothing():
    native = class_set("shelf", "floor")
    swapped = class_map.ClassMap("map.yaml", {"shelf": "floor", "floor": "shelf"})
    assert train_ids(native, native, swapped)[:2].tolist() == [0, 1]


@pytest.fixture
def warehouse(tmp_path):
    """A folder with one label of the ids 0, 1 and 2: shelf, floor and box."""
    for name in ("images", "labels"):
        (tmp_path / "root" / name).mkdir(parents=True)
    Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "root/images/a.png")
    Image.fromarray(np.repeat(np.array([[0, 0, 1, 1, 2, 2]], np.uint8), 4, 0)).save(tmp_path / "root/labels/a.png")
    classes = "[{name: shelf, colour: [1, 0, 0]}, {name: floor, colour: [2, 0, 0]}, {name: box, colour: [3, 0, 0]}]"
    (tmp_path / "root/classes.yaml").write_text(f"classes: {classes}\n")
    return tmp_path / "root"


RUN = class_set("rest", "shelf")
MAP = "map: {shelf: shelf, floor: rest, box: null}\n"


def row(split):
    return split.sample(0).label[0].tolist()


def test_a_classes_yaml_may_name_a_map_that_lies_beside_it(warehouse):
    assert row(datasets.open_split("folder", Request("train", RUN, (4, 6), warehouse))) == [1, 1, 255, 255, 255, 255]
    (warehouse / "map.yaml").write_text(MAP)
    with (warehouse / "classes.yaml").open("a") as file:
        file.write("class_map: map.yaml\n")
    split = datasets.open_split("folder", Request("train", RUN, (4, 6), warehouse))
    assert row(split) == [1, 1, 0, 0, 255, 255]
    assert split.provenance["class_map"] == {"shelf": "shelf", "floor": "rest", "box": None}
    own = class_set("shelf", "floor", "box")
    assert row(datasets.open_split("folder", Request("train", own, (4, 6), warehouse))) == [0, 0, 1, 1, 2, 2]


def test_a_config_may_name_a_map_and_nothing_is_warned_of(warehouse, tmp_path):
    (tmp_path / "map.yaml").write_text(MAP)
    written = class_map.read_named(str(tmp_path / "map.yaml"))
    split = datasets.open_split("folder", Request("train", RUN, (4, 6), warehouse, class_map=written))
    assert row(split) == [1, 1, 0, 0, 255, 255]
    assert not any("are ignored" in warning for warning in split.warnings)


def test_the_command_writes_a_map_of_a_root_for_a_built_in_set(warehouse, tmp_path, capsys):
    flags = [f"--source={warehouse}", "--target=cityscapes"]
    assert cli.main(["data", "map", *flags, f"--output={tmp_path / 'map.yaml'}"]) == 0
    assert "floor -> ignored (no name is near)" in capsys.readouterr().out
    assert class_map.read(tmp_path / "map.yaml").into == {"shelf": None, "floor": None, "box": None}
    assert cli.main(["data", "map", *flags]) == 2
    assert "needs --output" in capsys.readouterr().err


def test_a_run_reads_its_source_through_the_map_of_its_config(warehouse, tmp_path):
    from udas_tf.config import base_config, override
    from udas_tf.data import run_splits

    (tmp_path / "map.yaml").write_text(MAP)
    values = {
        "data.size": "4,6",
        "data.source.dataset": "folder",
        "data.source.root": str(warehouse),
        "data.source.class_map": str(tmp_path / "map.yaml"),
    }
    assert row(run_splits.source_train(override(base_config(), values), RUN)) == [1, 1, 0, 0, 255, 255]
