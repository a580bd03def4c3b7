import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.sets import cityscapes


def test_the_nineteen_classes_are_in_the_order_of_their_train_ids():
    assert CITYSCAPES.classes == (
        *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"),
        *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train"),
        *("motorcycle", "bicycle"),
    )


def test_label_ids_are_those_of_the_official_scripts():
    """cityscapesScripts, helpers/labels.py: 34 ids, of which these nineteen are evaluated, in train id order."""
    evaluated = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    ids = cityscapes.LABEL_IDS
    assert list(ids) == list(range(34))
    assert [ids[id_] for id_ in evaluated] == list(CITYSCAPES.classes)
    assert sum(name is None for name in ids.values()) == 34 - 19


def test_splits_have_cities(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "bochum", [1])
    layout_files.cityscapes(tmp_path, "train", "aachen", [1, 0])
    layout_files.cityscapes(tmp_path, "val", "lindau", [5])
    files = cityscapes.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == [
        "aachen_000000_000019",
        "aachen_000001_000019",
        "bochum_000001_000019",
    ]
    assert label_of(files) == [0, 13, 10, 255]
    assert files.warnings == ()
    assert list(recognition.recognise(tmp_path)) == ["cityscapes"]
    assert len(cityscapes.find(tmp_path, "val").pairs) == 1
    (tmp_path / "leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png").unlink()
    (orphan,) = cityscapes.find(tmp_path, "train").skipped
    assert orphan.path.endswith("aachen_000001_000019_gtFine_labelIds.png")


def test_test_and_train_extra_have_no_labels(tmp_path):
    layout_files.cityscapes(tmp_path, "test", "berlin", [0], values=(0, 1, 2, 3))  # dummies
    layout_files.cityscapes(tmp_path, "train_extra", "augsburg", [0, 1], ending=None)
    layout_files.ids(tmp_path / "gtCoarse/train_extra/augsburg/augsburg_000000_000019_gtCoarse_labelIds.png", 7)
    assert cityscapes.find(tmp_path, "train_extra").warnings == (
        "the coarse labels in gtCoarse/train_extra are not read",
    )
    for split, count in (("test", 1), ("train_extra", 2)):
        files = cityscapes.find(tmp_path, split)
        assert [pair.labelled for pair in files.pairs] == [False] * count
        assert files.skipped == ()


TRAIN_IDS = "_gtFine_labelTrainIds.png"
LABEL_IDS = "_gtFine_labelIds.png"


@pytest.mark.parametrize(
    ("ending", "values", "expected", "warning"),
    [
        (TRAIN_IDS, (0, 13, 255, 10), [0, 13, 255, 10], None),
        (LABEL_IDS, (0, 13, 255, 10), [0, 13, 255, 10], "labelIds.png hold trainIds"),
        (TRAIN_IDS, (7, 26, 23, 4), [0, 13, 10, 255], "labelTrainIds.png hold labelIds"),
        (TRAIN_IDS, (0, 7, 8, 11), [0, 7, 8, 11], None),  # the content does not decide: the name does
        (LABEL_IDS, (0, 7, 8, 11), [255, 0, 1, 2], None),
    ],
)
def test_the_kind_of_ids_follows_from_their_content(tmp_path, ending, values, expected, warning):
    layout_files.cityscapes(tmp_path, "val", "lindau", range(3), ending, values)
    files = cityscapes.find(tmp_path, "val")
    assert label_of(files) == expected
    assert bool(files.warnings) == bool(warning)
    assert warning is None or warning in files.warnings[0]


def test_of_two_kinds_of_labels_the_commoner_is_used(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "aachen", [0, 1], TRAIN_IDS, (0, 13, 255, 10))
    layout_files.cityscapes(tmp_path, "train", "aachen", [0])
    files = cityscapes.find(tmp_path, "train")
    assert [pair.label.name.endswith(TRAIN_IDS) for pair in files.pairs] == [True, True]
    layout_files.cityscapes(tmp_path, "train", "aachen", [1])
    files = cityscapes.find(tmp_path, "train")
    assert [pair.label.name.endswith(LABEL_IDS) for pair in files.pairs] == [True, True]


def test_one_damaged_label_does_not_decide_what_the_others_hold(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "aachen", range(8), TRAIN_IDS, (0, 13, 255, 10))
    folder = tmp_path / "gtFine/train/aachen"
    layout_files.ids(folder / f"aachen_000000_000019{TRAIN_IDS}", 0, 24, 7, 10)
    (folder / f"aachen_000001_000019{TRAIN_IDS}").write_bytes(b"no picture")
    files = cityscapes.find(tmp_path, "train")
    assert label_of(files, 2) == [0, 13, 255, 10] and files.warnings == ()
