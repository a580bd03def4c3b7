import layout_files
from layout_files import label_of

from udas_tf.data.class_sets import built_in
from udas_tf.data.sets import camvid

CAMVID = built_in()["camvid"]


def test_the_eleven_classes_are_in_segnets_order():
    assert CAMVID.classes == (
        *("sky", "building", "pole", "road", "pavement", "tree", "sign symbol", "fence", "car"),
        *("pedestrian", "bicyclist"),
    )
    assert len(set(CAMVID.colours)) == 11


def test_32_colours_go_into_the_eleven_classes():
    assert len(camvid.COLOURS) == 32
    assert {name for name in camvid.COLOURS.values() if name} == set(CAMVID.classes)
    assert [colour for colour, name in camvid.COLOURS.items() if name is None] == [(0, 0, 0)]
    # Each class contains the one of the 32 whose colour it has.
    assert all(camvid.COLOURS[colour] == name for name, colour in zip(CAMVID.classes, CAMVID.colours, strict=True))
    assert camvid.COLOURS[192, 128, 192] == "car"  # Truck_Bus
    assert camvid.COLOURS[0, 0, 64] == "pole"  # TrafficCone


def test_32_colours_are_split_as_in_segnets_tutorial(tmp_path):
    frames = {
        "train": ["0001TP_006690", "0001TP_008520", "0006R0_f00930", "0016E5_00390", "0016E5_08640"],
        "val": ["0016E5_07959", "0016E5_08159"],
        "test": ["0001TP_008550", "0001TP_010380", "Seq05VD_f00000", "Seq05VD_f05100"],
    }
    for name in (name for names in frames.values() for name in names):
        layout_files.image(tmp_path / f"701_StillsRaw_full/{name}.png")
        layout_files.colours(
            tmp_path / f"LabeledApproved_full/{name}_L.png",
            (128, 128, 128),  # Sky
            (192, 128, 192),  # Truck_Bus
            (0, 0, 0),  # Void
            (192, 192, 0),  # VegetationMisc
        )
    for split, names in frames.items():
        files = camvid.find(tmp_path, split)
        assert [pair.name for pair in files.pairs] == names and files.skipped == ()
        assert label_of(files, classes=CAMVID) == [0, 8, 255, 5]
    assert camvid.find(tmp_path, "train_extra").pairs == []


def test_eleven_ids_in_folders_of_images_and_labels(tmp_path):
    layout_files.image(tmp_path / "val/images/a.png")
    layout_files.ids(tmp_path / "val/labels/a.png", 0, 10, 11, 3)
    files = camvid.find(tmp_path, "val")
    assert label_of(files, classes=CAMVID) == [0, 10, 255, 3]
    assert camvid.find(tmp_path, "test").pairs == []


def test_eleven_ids_as_segnets_tutorial_has_them(tmp_path):
    layout_files.image(tmp_path / "train/a.png")
    layout_files.ids(tmp_path / "trainannot/a.png", 0, 10, 11, 3)
    files = camvid.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", True)]
    assert label_of(files, classes=CAMVID) == [0, 10, 255, 3]
    assert camvid.find(tmp_path, "val").pairs == []
