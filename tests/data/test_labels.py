"""Labels as files hold them, and as train ids."""

import json

import numpy as np
import pytest
from PIL import Image

from udas_tf.data import class_file, labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.taxonomy import ClassSet

TWO_CLASSES = ClassSet("two", ("road", "car"), ((128, 64, 128), (0, 0, 142)))
ROAD, CAR = TWO_CLASSES.colours
BOTH = Legend({7: "road", 8: "car", 0: None}, {ROAD: "road", CAR: "car", (0, 0, 0): None})


def saved(path, array, dtype=np.uint8):
    """A label file of these values, as part of a pair."""
    Image.fromarray(np.asarray(array, dtype)).save(path)
    return Pair("a", path.with_suffix(".jpg"), path, True)


def with_palette(path, indices, *colours):
    """A palette label, as part of a pair."""
    label = Image.fromarray(np.asarray(indices, np.uint8))
    label.putpalette([part for colour in colours for part in colour])
    label.save(path)
    assert Image.open(path).mode == "P"
    return Pair("a", path.with_suffix(".jpg"), path, True)


def test_a_legend_leads_from_files_to_the_class_set_of_a_run(tmp_path):
    legend = Legend({7: "road", 26: "car", 0: None}, {(1, 2, 3): "car", (0, 0, 0): None})
    two = labels.of_files(TWO_CLASSES, legend)
    in_ids = saved(tmp_path / "ids.png", [[7, 26, 0, 7]])
    in_colour = saved(tmp_path / "colour.png", [[[1, 2, 3], [0, 0, 0]]])
    own = two.reader(TWO_CLASSES)
    assert own(in_ids).tolist() == [[0, 1, 255, 0]] and own(in_ids).dtype == np.uint8
    assert own(in_colour).tolist() == [[1, 255]]
    assert two.reader(CITYSCAPES)(in_ids).tolist() == [[0, 13, 255, 0]]
    only_cars = ClassSet("cars", ("car", "bus"), ((0, 0, 142), (0, 60, 100)))
    assert two.reader(only_cars)(in_ids).tolist() == [[255, 0, 255, 255]]


def test_values_outside_the_legend_are_named(tmp_path):
    read = labels.of_files(TWO_CLASSES, Legend({7: "road"}, {(1, 2, 3): "car"})).reader(TWO_CLASSES)
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 8, 255$") as raised:
        read(saved(tmp_path / "a.png", [[7, 8, 255]]))
    assert raised.value.path == tmp_path / "a.png"
    with pytest.raises(Unusable, match="colours outside the map of its data set: #0a0b0c$"):
        read(saved(tmp_path / "b.png", [[[1, 2, 3], [10, 11, 12]]]))
    with pytest.raises(Unusable, match="0, 1, 2, 3, 4, 5, 6, 8 and 12 more$"):
        read(saved(tmp_path / "c.png", [range(21)]))
    with pytest.raises(Unusable, match="40000"):
        read(saved(tmp_path / "d.png", [[40_000]], np.uint16))


def test_colours_are_refused_by_a_legend_without_any(tmp_path):
    read = labels.of_files(TWO_CLASSES, Legend({7: "road"})).reader(TWO_CLASSES)
    with pytest.raises(Unusable, match="RGB label; expected one channel of ids, three equal ones, or red alone"):
        read(saved(tmp_path / "a.png", [[[1, 2, 3]]]))


def test_a_legend_may_belong_to_one_image(tmp_path):
    """As simulators write them whose ids differ from frame to frame, with a JSON file for each frame."""

    def read(pair):
        names = json.loads(pair.label.with_suffix(".json").read_text())
        values = np.asarray(Image.open(pair.label))
        return RawLabel(values, Legend({int(value): name for value, name in names.items()}))

    train_ids = Labels(TWO_CLASSES, read).reader(CITYSCAPES)
    pairs = []
    for number, names in enumerate(({1: "road", 2: "car"}, {1: "car", 2: None, 300: "road"}, {1: "road"})):
        pairs.append(saved(tmp_path / f"{number}.png", [[1, 2, 300 if number == 1 else 1]], np.uint16))
        (tmp_path / f"{number}.json").write_text(json.dumps(names))
    assert train_ids(pairs[0]).tolist() == [[0, 13, 0]]
    assert train_ids(pairs[1]).tolist() == [[13, 255, 0]]
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 2"):
        train_ids(pairs[2])


# --- files that can be read in two ways ---------------------------------------------------------------------


def test_three_equal_channels_and_red_alone_are_ids(tmp_path):
    """As grey labels saved in colour, and as CARLA and other engines write ids."""
    read = labels.of_files(TWO_CLASSES, BOTH).reader(TWO_CLASSES)
    equal = np.array([[7, 8, 0]], np.uint8)[..., None].repeat(3, axis=-1)
    assert read(saved(tmp_path / "a.png", equal)).tolist() == [[0, 1, 255]]
    red = equal * np.array([1, 0, 0], np.uint8)
    red_alone = saved(tmp_path / "b.png", red)
    assert read(red_alone).tolist() == [[0, 1, 255]]
    alpha = np.dstack([red, np.full((1, 3), 255)])
    assert read(saved(tmp_path / "c.png", alpha)).tolist() == [[0, 1, 255]]
    without_colours = labels.of_files(TWO_CLASSES, Legend({7: "road", 8: "car", 0: None})).reader(TWO_CLASSES)
    assert without_colours(red_alone).tolist() == [[0, 1, 255]]
    red[0, 0, 1] = 1
    with pytest.raises(Unusable, match="colours outside the map of its data set: #070100, #080000"):
        read(saved(tmp_path / "d.png", red))


def test_the_colours_of_a_palette_count_where_they_are_those_of_classes(tmp_path):
    """As colour labels made smaller without loss: the indices only number the colours."""
    read = labels.of_files(TWO_CLASSES, BOTH).reader(TWO_CLASSES)
    colours = [CAR] * 9  # 7 would be road and 8 car
    colours[8] = ROAD
    assert read(with_palette(tmp_path / "a.png", [[7, 8]], *colours)).tolist() == [[1, 0]]
    assert read(with_palette(tmp_path / "b.png", [[0, 1]], ROAD, (0, 0, 0))).tolist() == [[0, 255]]


def test_the_indices_of_a_palette_count_where_its_colours_are_others(tmp_path):
    """As GTA5's and PASCAL's labels, whose palettes only show the ids."""
    read = labels.of_files(TWO_CLASSES, BOTH).reader(TWO_CLASSES)
    colours = [(number * 9, 255 - number, 7) for number in range(9)]
    assert read(with_palette(tmp_path / "a.png", [[7, 8, 0]], *colours)).tolist() == [[0, 1, 255]]
    colours[0] = (0, 0, 0)  # one colour that is known says nothing
    assert read(with_palette(tmp_path / "b.png", [[7, 8, 0]], *colours)).tolist() == [[0, 1, 255]]
    ids_alone = labels.of_files(TWO_CLASSES, Legend({0: "road", 1: "car"})).reader(TWO_CLASSES)
    assert ids_alone(with_palette(tmp_path / "c.png", [[0, 1]], CAR, ROAD)).tolist() == [[0, 1]]


def test_a_black_palette_label_is_ignored_if_its_palette_has_colours_of_classes(tmp_path):
    read = labels.of_files(TWO_CLASSES, Legend({0: "road"}, BOTH.colours)).reader(TWO_CLASSES)
    assert read(with_palette(tmp_path / "a.png", [[0, 0]], (0, 0, 0), ROAD)).tolist() == [[255, 255]]
    assert read(with_palette(tmp_path / "b.png", [[0, 0]], (0, 0, 0), (9, 8, 7))).tolist() == [[0, 0]]


def test_what_is_preferred_counts_where_both_ways_are_possible(tmp_path):
    both = Legend({0: "road", 1: "car"}, BOTH.colours)
    swapped = with_palette(tmp_path / "a.png", [[0, 1]], CAR, ROAD)
    for prefer, expected in (("ids", [[0, 1]]), ("colours", [[1, 0]])):
        how = Labels(TWO_CLASSES, labels.of_files(TWO_CLASSES, both).read, {"palette": prefer})
        assert how.reader(TWO_CLASSES)(swapped).tolist() == expected
    only_colours = with_palette(tmp_path / "b.png", [[2]], CAR, ROAD, CAR)
    assert how.reader(TWO_CLASSES)(only_colours).tolist() == [[1]]


def test_palette_entries_that_neither_way_knows_are_named(tmp_path):
    read = labels.of_files(TWO_CLASSES, BOTH).reader(TWO_CLASSES)
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 1, 2$"):
        read(with_palette(tmp_path / "a.png", [[0, 1, 2]], ROAD, CAR, (1, 1, 2)))


# --- void, instances, colours between classes ---------------------------------------------------------------


def described(**keys):
    """Labels as a classes.yaml with these keys says."""
    own = class_file.train_ids_of(TWO_CLASSES)
    return labels.of_class_file(class_file.ClassFile(TWO_CLASSES, **{"ids": own.ids, "colours": own.colours, **keys}))


def test_minus_one_is_ignored_in_every_type_that_can_hold_it(tmp_path):
    legend = Legend(class_file.train_ids_of(TWO_CLASSES).ids)
    for dtype in (np.int64, np.int32, np.int16, np.int8):
        raw = RawLabel(np.array([[0, 1, -1]], dtype), legend)
        assert Labels(TWO_CLASSES, lambda pair, raw=raw: raw).reader(TWO_CLASSES)(None).tolist() == [[0, 1, 255]]
    read = described().reader(TWO_CLASSES)
    Image.fromarray(np.array([[0, 1, -1]], np.int32)).save(tmp_path / "a.tif")
    assert read(Pair("a", tmp_path / "a.jpg", tmp_path / "a.tif", True)).tolist() == [[0, 1, 255]]
    assert read(saved(tmp_path / "b.png", [[0, 1, 65_535]], np.uint16)).tolist() == [[0, 1, 255]]
    assert read(saved(tmp_path / "c.png", [[0, 1, 255]])).tolist() == [[0, 1, 255]]


def test_negative_ids_are_not_taken_for_the_first_class(tmp_path):
    raw = RawLabel(np.array([[0, -1, -2]], np.int32), Legend({0: "road"}))
    with pytest.raises(Unusable, match="label ids outside the map of its data set: -2, -1$"):
        Labels(TWO_CLASSES, lambda pair: raw).reader(TWO_CLASSES)(Pair("a", tmp_path / "a.png"))


@pytest.mark.parametrize("void", [0, 254, 255, -1])
def test_any_id_may_be_ignored(void):
    ids: dict[int, str | None] = {5: "road", 6: "car"}
    raw = RawLabel(np.array([[5, 6, void]], np.int16), Legend({**ids, void: None}))
    assert Labels(TWO_CLASSES, lambda pair: raw).reader(TWO_CLASSES)(None).tolist() == [[0, 1, 255]]


def test_ids_of_instances_lead_to_their_class(tmp_path):
    """As Cityscapes' instanceIds: 26 * 1000 + n is car n, and 7 is road, which has no instances."""
    values = [[7, 26_000, 26_013, 0]]
    ids = {7: "road", 26: "car", 0: None}
    read = described(ids=ids, instances=1_000).reader(TWO_CLASSES)
    assert read(saved(tmp_path / "a.png", values, np.uint16)).tolist() == [[0, 1, 1, 255]]
    with pytest.raises(Unusable, match="26000, 26013; they are the ids of instances if .* says `instances: 1000`$"):
        described(ids=ids).reader(TWO_CLASSES)(saved(tmp_path / "b.png", values, np.uint16))


def test_colours_between_classes_are_refused_with_the_choice_of_the_nearest(tmp_path):
    """The edge of an anti-aliased label: half road, half car."""
    edge = tuple((a + b) // 2 for a, b in zip(ROAD, CAR, strict=True))  # (64, 32, 135)
    values = [[ROAD, (120, 60, 129), edge, (9, 2, 140), CAR]]
    pair = saved(tmp_path / "a.png", values)
    with pytest.raises(
        Unusable, match="colours .*: #09028c, #402087, #783c81; `colours` in classes.yaml .* `between: n"
    ):
        described().reader(TWO_CLASSES)(pair)
    read = described(nearest=True).counting_reader(TWO_CLASSES)
    # Squared distances of the edge: road 64^2 + 32^2 + 7^2 = 5169, car 64^2 + 32^2 + 7^2 = 5169, black 23345.
    train_ids, count = read(pair)
    assert train_ids[0, [0, 1, 3, 4]].tolist() == [0, 0, 1, 1] and count == 3
    assert read(saved(tmp_path / "b.png", [[ROAD, CAR, (0, 0, 0)]]))[1] == 0


def test_ids_never_take_the_nearest_colour(tmp_path):
    read = described(nearest=True).counting_reader(TWO_CLASSES)
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 140; `ids` in classes.yaml says"):
        read(saved(tmp_path / "a.png", [[0, 1, 140]]))


def test_black_is_ignored_unless_it_is_a_class(tmp_path):
    pair = saved(tmp_path / "a.png", [[(0, 0, 0), ROAD]])
    assert described().reader(TWO_CLASSES)(pair).tolist() == [[255, 0]]
    black = ClassSet("black", ("road", "hole"), (ROAD, (0, 0, 0)))
    of_black = labels.of_class_file(class_file.train_ids_of(black))
    assert of_black.reader(black)(pair).tolist() == [[1, 0]]
