"""SELMA as its downloader lays it out."""

import layout_files
import pytest
from layout_files import label_of

from udas_tf.data import recognition
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import selma

SCENE = "Town01_Opt_ClearNight"
NAME = f"{SCENE}_14825380774802470444"


@pytest.mark.parametrize("inner", ["", "CV/"])
def test_each_camera_has_a_camera_of_tags(tmp_path, inner):
    scene = tmp_path / f"{inner}{SCENE}"
    for position in ("DESK", "LEFT"):
        layout_files.image(scene / f"CAM_{position}/{NAME}.jpg")
        layout_files.image(scene / f"DEPTHCAM_{position}/{NAME}.png")
    layout_files.ids(scene / f"SEGCAM_DESK/{NAME}.png", 7, 100, 40, 4)
    layout_files.ids(scene / f"SEGCAM_LEFT/{NAME}.png", 105, 13, 18, 255)
    (scene / "waypoints.json").write_text("{}")
    files = selma.find(tmp_path, "train")
    assert [pair.name for pair in files.pairs] == [f"{SCENE}/CAM_DESK/{NAME}", f"{SCENE}/CAM_LEFT/{NAME}"]
    assert label_of(files) == [0, 13, 11, 255] and label_of(files, 1) == [18, 10, 6, 255]
    assert files.skipped == () and selma.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["selma"]


def test_images_without_labels_and_other_tags(tmp_path):
    layout_files.image(tmp_path / SCENE / "CAM_DESK/a.jpg")
    layout_files.image(tmp_path / SCENE / "CAM_DESK/b.jpg")
    layout_files.ids(tmp_path / SCENE / "SEGCAM_DESK/a.png", 7, 99)
    files = selma.find(tmp_path, "train")
    assert [pair.labelled for pair in files.pairs] == [True, False]
    with pytest.raises(Unusable, match="outside the map of its data set: 99"):
        label_of(files)


def test_the_map_of_the_readme_leads_to_all_nineteen_classes():
    """README.md of LTTM/SELMA, raw_to_train, without the ids that it ignores."""
    raw_to_train = {1: 2, 2: 4, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 11: 3, 12: 7, 13: 10, 18: 6, 22: 9, 40: 11, 41: 12}
    raw_to_train |= {100: 13, 101: 14, 102: 15, 103: 16, 104: 17, 105: 18}
    assert {tag: CITYSCAPES.id_of(name) for tag, name in selma.TAGS.items() if name} == raw_to_train
