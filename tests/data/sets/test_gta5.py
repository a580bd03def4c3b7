import layout_files
from layout_files import label_of

from udas_tf.data.sets import cityscapes, gta5


def test_labels_are_palette_pngs_of_ids(tmp_path):
    files = gta5.find(layout_files.gta5(tmp_path), "train")
    assert [pair.name for pair in files.pairs] == ["00001", "00002", "00003"]
    assert all(pair.labelled for pair in files.pairs) and files.skipped == ()
    assert label_of(files) == [0, 13, 255, 255]
    assert gta5.find(tmp_path, "val").pairs == []


def test_images_without_labels_and_labels_without_images(tmp_path):
    layout_files.gta5(tmp_path)
    (tmp_path / "images/00002.png").unlink()
    (tmp_path / "labels/00003.png").unlink()
    files = gta5.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("00001", True), ("00003", False)]
    assert files.pairs[1].label == tmp_path / "labels/00003.png"
    assert [(file.path, file.reason) for file in files.skipped] == [
        (str(tmp_path / "labels/00002.png"), "is a label without an image")
    ]


def test_ids_are_those_of_cityscapes_and_licence_plates():
    assert gta5.LEGEND.ids == {**cityscapes.LABEL_IDS, 34: None}
