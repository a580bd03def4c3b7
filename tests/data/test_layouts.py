import layout_files
import numpy as np
import pytest

from udas_tf.data import layouts
from udas_tf.errors import UserError
from udas_tf.taxonomy import CAMVID, CITYSCAPES


def label_of(found, index=0, classes=CITYSCAPES):
    """The first row of a label: one value for each of the four bands."""
    label = found.code.reader(classes)(found.pairs[index].label)
    assert label.dtype == np.uint8 and (label == label[0]).all()
    return label[0, :: layout_files.WIDTH // 4].tolist()


def test_gta5_has_palette_labels(tmp_path):
    found = layouts.find_gta5(layout_files.gta5(tmp_path), "train")
    assert [pair.name for pair in found.pairs] == ["00001", "00002", "00003"]
    assert all(pair.labelled for pair in found.pairs) and found.orphans == ()
    assert label_of(found) == [0, 13, 255, 255]
    assert layouts.find_gta5(tmp_path, "val").pairs == []


def test_images_without_labels_and_labels_without_images(tmp_path):
    layout_files.gta5(tmp_path)
    (tmp_path / "images/00002.png").unlink()
    (tmp_path / "labels/00003.png").unlink()
    found = layouts.find_gta5(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in found.pairs] == [("00001", True), ("00003", False)]
    assert found.pairs[1].label == tmp_path / "labels/00003.png"
    assert [(orphan.path, orphan.reason) for orphan in found.orphans] == [
        (str(tmp_path / "labels/00002.png"), "is a label without an image")
    ]


def test_synthia_has_sixteen_bit_labels(tmp_path):
    layout_files.image(tmp_path / "RGB/0000000.png")
    layout_files.sixteen_bits(tmp_path / "GT/LABELS/0000000.png", 3, 10, 22, 17)
    found = layouts.find_synthia(tmp_path, "train")
    assert label_of(found) == [0, 11, 255, 12]
    assert layouts.find_synthia(tmp_path, "test").pairs == []


def test_cityscapes_has_cities_in_splits(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "bochum", [1])
    layout_files.cityscapes(tmp_path, "train", "aachen", [1, 0])
    layout_files.cityscapes(tmp_path, "val", "lindau", [5])
    found = layouts.find_cityscapes(tmp_path, "train")
    assert [pair.name for pair in found.pairs] == [
        "aachen_000000_000019",
        "aachen_000001_000019",
        "bochum_000001_000019",
    ]
    assert label_of(found) == [0, 13, 10, 255]
    assert found.warnings == ()
    assert len(layouts.find_cityscapes(tmp_path, "val").pairs) == 1
    (tmp_path / "leftImg8bit/train/aachen/aachen_000001_000019_leftImg8bit.png").unlink()
    (orphan,) = layouts.find_cityscapes(tmp_path, "train").orphans
    assert orphan.path.endswith("aachen_000001_000019_gtFine_labelIds.png")


def test_cityscapes_test_and_train_extra_have_no_labels(tmp_path):
    layout_files.cityscapes(tmp_path, "test", "berlin", [0], values=(0, 1, 2, 3))  # dummies
    layout_files.cityscapes(tmp_path, "train_extra", "augsburg", [0, 1], ending=None)
    for split, count in (("test", 1), ("train_extra", 2)):
        found = layouts.find_cityscapes(tmp_path, split)
        assert [pair.labelled for pair in found.pairs] == [False] * count
        assert found.orphans == ()


TRAIN_IDS = "_gtFine_labelTrainIds.png"
LABEL_IDS = "_gtFine_labelIds.png"


@pytest.mark.parametrize(
    ("ending", "values", "expected", "told"),
    [
        (TRAIN_IDS, (0, 13, 255, 10), [0, 13, 255, 10], None),
        (LABEL_IDS, (0, 13, 255, 10), [0, 13, 255, 10], "labelIds.png hold trainIds"),
        (TRAIN_IDS, (7, 26, 23, 4), [0, 13, 10, 255], "labelTrainIds.png hold labelIds"),
        (TRAIN_IDS, (0, 7, 8, 11), [0, 7, 8, 11], None),  # content does not tell: the name does
        (LABEL_IDS, (0, 7, 8, 11), [255, 0, 1, 2], None),
    ],
)
def test_the_ids_of_cityscapes_are_told_by_their_content(tmp_path, ending, values, expected, told):
    layout_files.cityscapes(tmp_path, "val", "lindau", range(3), ending, values)
    found = layouts.find_cityscapes(tmp_path, "val")
    assert label_of(found) == expected
    assert bool(found.warnings) == bool(told)
    assert told is None or told in found.warnings[0]


def test_of_two_kinds_of_labels_the_commoner_is_used(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "aachen", [0, 1], TRAIN_IDS, (0, 13, 255, 10))
    layout_files.cityscapes(tmp_path, "train", "aachen", [0])
    found = layouts.find_cityscapes(tmp_path, "train")
    assert [pair.label.name.endswith(TRAIN_IDS) for pair in found.pairs] == [True, True]
    layout_files.cityscapes(tmp_path, "train", "aachen", [1])
    found = layouts.find_cityscapes(tmp_path, "train")
    assert [pair.label.name.endswith(LABEL_IDS) for pair in found.pairs] == [True, True]


def test_one_damaged_label_does_not_decide_what_the_others_hold(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "aachen", range(8), TRAIN_IDS, (0, 13, 255, 10))
    folder = tmp_path / "gtFine/train/aachen"
    layout_files.ids(folder / f"aachen_000000_000019{TRAIN_IDS}", 0, 24, 7, 10)
    (folder / f"aachen_000001_000019{TRAIN_IDS}").write_bytes(b"no picture")
    found = layouts.find_cityscapes(tmp_path, "train")
    assert label_of(found, 2) == [0, 13, 255, 10] and found.warnings == ()


def test_camvid_of_32_colours_is_split_as_segnets_tutorial_does(tmp_path):
    frames = {
        "train": ["0001TP_006690", "0001TP_008520", "0006R0_f00930", "0016E5_00390", "0016E5_08640"],
        "val": ["0016E5_07959", "0016E5_08159"],
        "test": ["0001TP_008550", "0001TP_010380", "Seq05VD_f00000", "Seq05VD_f05100"],
    }
    for name in sum(frames.values(), []):
        layout_files.image(tmp_path / f"701_StillsRaw_full/{name}.png")
        layout_files.colours(
            tmp_path / f"LabeledApproved_full/{name}_L.png",
            (128, 128, 128),  # Sky
            (192, 128, 192),  # Truck_Bus
            (0, 0, 0),  # Void
            (192, 192, 0),  # VegetationMisc
        )
    for split, names in frames.items():
        found = layouts.find_camvid(tmp_path, split)
        assert [pair.name for pair in found.pairs] == names and found.orphans == ()
        assert label_of(found, classes=CAMVID) == [0, 8, 255, 5]
    assert layouts.find_camvid(tmp_path, "train_extra").pairs == []


def test_camvid_of_eleven_ids(tmp_path):
    layout_files.image(tmp_path / "val/images/a.png")
    layout_files.ids(tmp_path / "val/labels/a.png", 0, 10, 11, 3)
    found = layouts.find_camvid(tmp_path, "val")
    assert label_of(found, classes=CAMVID) == [0, 10, 255, 3]
    assert layouts.find_camvid(tmp_path, "test").pairs == []


def test_camvid_as_segnets_tutorial_has_it(tmp_path):
    layout_files.image(tmp_path / "train/a.png")
    layout_files.ids(tmp_path / "trainannot/a.png", 0, 10, 11, 3)
    found = layouts.find_camvid(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in found.pairs] == [("a", True)]
    assert label_of(found, classes=CAMVID) == [0, 10, 255, 3]
    assert layouts.find_camvid(tmp_path, "val").pairs == []


CLASSES = """
classes: [{name: road, colour: [128, 64, 128]}, {name: shelf, colour: [1, 2, 3]}]
ids: {0: null, 100: road, 200: shelf}
"""


def test_a_folder_of_ones_own(tmp_path):
    layout_files.image(tmp_path / "train/images/a.jpg")
    layout_files.image(tmp_path / "train/images/b.png")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 100, 200, 100)
    layout_files.image(tmp_path / "val/images/c.png")
    found = layouts.find_folder(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in found.pairs] == [("a", True), ("b", False)]
    assert found.code is None
    assert [pair.name for pair in layouts.find_folder(tmp_path, "val").pairs] == ["c"]
    assert layouts.find_folder(tmp_path, "test").pairs == []

    (tmp_path / "classes.yaml").write_text(CLASSES)
    found = layouts.find_folder(tmp_path, "train")
    assert found.code.classes.classes == ("road", "shelf")
    assert label_of(found, classes=found.code.classes) == [255, 0, 1, 0]
    assert label_of(found, classes=CITYSCAPES) == [255, 0, 255, 0]
    layout_files.colours(tmp_path / "train/labels/a.png", (1, 2, 3), (0, 0, 0), (128, 64, 128), (1, 2, 3))
    assert label_of(found, classes=found.code.classes) == [1, 255, 0, 1]


@pytest.mark.parametrize("place", ["", "images", "train", "train/images"])
def test_an_unlabelled_target_is_a_folder_of_images(tmp_path, place):
    layout_files.image(tmp_path / place / "a.png")
    layout_files.image(tmp_path / place / "b.jpg")
    (tmp_path / "notes.txt").write_text("not an image")
    found = layouts.find_folder(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in found.pairs] == [("a", False), ("b", False)]
    assert layouts.find_folder(tmp_path, "val").pairs == []


def test_two_images_of_one_name_are_refused(tmp_path):
    layout_files.image(tmp_path / "images/a.jpg")
    layout_files.image(tmp_path / "images/a.png")
    with pytest.raises(UserError, match="a.jpg and .*a.png have one name"):
        layouts.find_folder(tmp_path, "train")
