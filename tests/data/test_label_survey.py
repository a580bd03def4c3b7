"""What some labels of a set say about all of them."""

import numpy as np
import pytest
from PIL import Image

from udas_tf.data import class_file, labels
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Pair, Unusable
from udas_tf.data.label_survey import SURVEYED, survey
from udas_tf.data.labels import Labels, Legend, RawLabel
from udas_tf.taxonomy import ClassSet

FLOOR, SHELF, ROBOT = (128, 64, 128), (70, 70, 70), (0, 0, 142)
THREE = ClassSet("three", ("floor", "shelf", "robot"), (FLOOR, SHELF, ROBOT))
ASSUMED = class_file.train_ids_of(THREE)


class Files:
    """Labels in memory, read one for each pair."""

    def __init__(self, *arrays, classes=THREE, palette=None, **legend):
        self.arrays, self.palette = [np.asarray(array) for array in arrays], palette
        own = class_file.train_ids_of(classes)
        self.legend = Legend(**({"ids": own.ids, "colours": own.colours, "described": True} | legend))
        self.labels = Labels(classes, self.read, assumed="ids" not in legend)
        self.pairs = [Pair(str(number), None, None, True) for number in range(len(arrays))]
        self.opened = []

    def read(self, pair):
        self.opened.append(int(pair.name))
        palette = None if self.palette is None else np.array(self.palette, np.uint8)
        return RawLabel(self.arrays[int(pair.name)], self.legend, palette)

    def surveyed(self):
        return survey(self.labels, self.pairs)

    def train_ids(self):
        """After the survey, of every label."""
        surveyed, _ = self.surveyed()
        read = surveyed.reader(self.labels.classes)
        return [read(pair)[0].tolist() for pair in self.pairs]


def bytes_of(*rows):
    return np.array([rows], np.uint8)


def test_labels_that_are_as_expected_are_left_alone():
    files = Files(bytes_of(0, 1, 2), bytes_of(0, 255, 1), bytes_of(1, 2, 2))
    assert files.surveyed() == (files.labels, [])
    files = Files(bytes_of(FLOOR, SHELF), bytes_of((0, 0, 0), ROBOT))
    surveyed, warnings = files.surveyed()
    assert warnings == [] and surveyed.prefer == {"colour": "colours"}


def test_a_few_labels_spread_over_the_set_are_looked_at():
    files = Files(*[bytes_of(0, 1, 2)] * 100)
    files.surveyed()
    assert files.opened == list(range(0, 96, 6)) and len(files.opened) == SURVEYED
    one_way = Files(*[bytes_of(7)] * 100, ids={7: "floor"}, colours={})
    one_way.surveyed()
    assert one_way.opened == [0]  # no other says more


def test_unlabelled_and_unreadable_files_say_nothing(tmp_path):
    how = labels.of_class_file(ASSUMED)
    assert survey(how, [Pair("a", tmp_path / "a.png")]) == (how, [])
    assert survey(how, [Pair("a", tmp_path / "a.png", tmp_path / "a.png", True)])[1] == []


def test_the_palette_of_one_label_says_how_the_others_are_meant():
    """The second label has black alone; the first shows that colours count."""
    palette = [ROBOT, (0, 0, 0), SHELF]
    files = Files(bytes_of(2, 2), bytes_of(1, 1), palette=palette, ids={0: "floor", 1: "shelf"})
    assert files.surveyed()[1] == ["labels: palette images are read by their colours, not by their indices"]
    assert files.train_ids() == [[1, 1], [255, 255]]
    files = Files(bytes_of(0, 3), bytes_of(1, 2), palette=[(9, 9, 7), ROBOT, SHELF, (1, 1, 0)])
    files.arrays[0][0, 1] = 0
    assert files.surveyed()[1] == [] and files.train_ids() == [[0, 0], [1, 2]]


def test_a_palette_key_in_classes_yaml_outranks_what_files_suggest():
    described = class_file.ClassFile(THREE, ASSUMED.ids, ASSUMED.colours, palette="ids")
    assert labels.of_class_file(described).prefer == {"palette": "ids"}
    files = Files(bytes_of(0, 1), palette=[ROBOT, SHELF])
    files.labels = Labels(THREE, files.read, {"palette": "ids"})
    assert files.train_ids() == [[0, 1]] and files.surveyed()[1] == []


def test_ids_in_three_channels_are_recognised_over_the_set():
    """The second label is black everywhere: class 0 as an id, ignored as a colour."""
    files = Files(bytes_of((1, 0, 0), (2, 0, 0)), bytes_of((0, 0, 0), (0, 0, 0)))
    assert files.surveyed()[1][0].startswith("labels: images of three channels hold ids in all three, or in red alone")
    assert files.train_ids() == [[1, 2], [0, 0]]
    in_colours = Files(bytes_of(FLOOR, ROBOT), bytes_of((0, 0, 0), (0, 0, 0)))
    assert in_colours.train_ids() == [[0, 2], [255, 255]]


def test_black_and_white_masks_are_colours_where_white_is_a_class():
    two = ClassSet("two", ("background", "defect"), ((0, 0, 0), (255, 255, 255)))
    files = Files(bytes_of(0, 255), bytes_of(0, 0), classes=two)
    assert files.train_ids() == [[0, 1], [0, 0]]
    assert files.surveyed()[1] == [
        "labels hold 0 and 255 alone; 255 is read as defect, whose colour is white, and not as ignored"
    ]
    with_ids = Files(bytes_of(0, 255), bytes_of(0, 1), classes=two)
    assert with_ids.train_ids() == [[0, 255], [0, 1]]
    explicit = Files(bytes_of(0, 255), classes=two, ids={0: "background", 255: None})
    assert explicit.train_ids() == [[0, 255]] and explicit.surveyed()[1] == []


def test_black_and_white_masks_without_a_white_class_are_warned_of():
    files = Files(bytes_of(0, 255), bytes_of(0, 0))
    assert files.train_ids() == [[0, 255], [0, 0]]
    assert files.surveyed()[1] == [
        "labels hold 0 and 255 alone; 0 is read as floor, and 255 is ignored; if it is a class, "
        "`ids: {0: floor, 255: shelf}` in classes.yaml says so"
    ]


def test_ids_from_one_are_warned_of():
    """Value 3 is refused when its turn comes; the warning says why there may be so many."""
    files = Files(bytes_of(0, 1, 2, 3), bytes_of(0, 1, 2))
    assert files.surveyed()[1] == [
        "labels hold ids up to 3, and the 3 classes have the ids 0 to 2; if ids are off by one, "
        "`ids: {0: null, 1: floor, 2: shelf, ...}` in classes.yaml says what they mean"
    ]
    with pytest.raises(Unusable, match="label ids outside the map of its data set: 3;"):
        files.labels.reader(THREE)(Pair("0", None, files, True))


@pytest.mark.parametrize(
    ("arrays", "never", "always"),
    [
        ([bytes_of(1, 2), bytes_of(1, 1)], "floor (0)", "shelf (1)"),
        ([bytes_of(0, 1), bytes_of(0, 255)], "robot (2)", "floor (0)"),
    ],
)
def test_a_class_in_no_label_and_another_in_all_is_warned_of(arrays, never, always):
    (warning,) = Files(*arrays).surveyed()[1]
    assert warning.startswith(f"of the 2 labels looked at, none shows {never}, and all show {always}; if ids are off")
    assert Files(arrays[0]).surveyed()[1] == []  # of one label nothing follows
    assert Files(*arrays, ids={0: "floor", 1: "shelf", 2: "robot", 255: None}).surveyed()[1] == []


def test_rare_classes_of_a_published_set_may_be_missing():
    files = Files(bytes_of(0, 13), bytes_of(0, 10), classes=CITYSCAPES)
    assert files.surveyed()[1] == []


def test_colours_between_classes_are_counted():
    files = Files(bytes_of(FLOOR, (127, 64, 128), ROBOT, ROBOT), bytes_of(FLOOR, FLOOR, FLOOR, ROBOT), nearest=True)
    assert files.surveyed()[1] == [
        "labels: in those looked at, 12.50% of the pixels have no class's colour; see `between`"
    ]
    assert files.train_ids()[0] == [0, 0, 2, 2]


def test_a_survey_of_files(tmp_path):
    """CARLA's raw images, with alpha, through the reader of files."""
    for number, ids in enumerate(([0, 1, 2], [2, 2, 1])):
        pixels = np.zeros((1, 3, 4), np.uint8)
        pixels[0, :, 0], pixels[..., 3] = ids, 255
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    pairs = [Pair(str(n), tmp_path / f"{n}.jpg", tmp_path / f"{n}.png", True) for n in range(2)]
    surveyed, _ = survey(labels.of_class_file(ASSUMED), pairs)
    assert [surveyed.reader(THREE)(pair).tolist() for pair in pairs] == [[[0, 1, 2]], [[2, 2, 1]]]
