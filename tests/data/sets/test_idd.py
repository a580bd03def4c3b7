"""IDD Segmentation: polygons as AutoNUE's tools read and draw them."""

import json

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH, left_out

from udas_tf.data import recognition
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import idd

GT = "gtFine/train/104/frame0029_gtFine_polygons.json"


def polygons(path, *objects):
    """The fields that IDD's files have, with Cityscapes' beside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    listed = [
        {
            "date": "",
            "deleted": deleted,
            "draw": True,
            "id": n,
            "label": name,
            "polygon": corners,
            "user": "",
            "verified": 0,
        }
        for n, (name, corners, deleted) in enumerate(objects)
    ]
    path.write_text(json.dumps({"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": listed}))


def box(left, top, right, bottom):
    """Corners; Pillow draws the pixels on the border too."""
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def test_polygons_are_drawn_one_over_the_other(tmp_path):
    layout_files.image(tmp_path / "leftImg8bit/train/104/frame0029_leftImg8bit.png")
    polygons(
        tmp_path / GT,
        ("sky", box(0, 0, 15, 3), 0),
        ("road", box(0, 4, 15, 7), 0),
        ("cargroup", box(2, 3, 5.0, 5), 0),
        ("autorickshaw", box(8, 3, 9, 5), 0),
        ("person", box(0, 0, 15, 7), 1),
        ("non-drivable fallback", box(14, 6, 40, 40), 0),
    )
    layout_files.ids(tmp_path / "gtFine/train/104/frame0029_gtFine_labelcsTrainIds.png", 0)
    files = idd.find(tmp_path, "train")
    expected = np.full((HEIGHT, WIDTH), 10, np.uint8)
    expected[4:] = 0
    expected[3:6, 2:6] = 13
    expected[3:6, 8:10] = 255
    expected[6:, 14:] = 9
    assert np.array_equal(files.labels.reader(CITYSCAPES)(files.pairs[0]), expected)
    assert [pair.name for pair in files.pairs] == ["104/frame0029"]
    assert files.skipped == () and files.warnings == ()
    assert list(recognition.recognise(tmp_path)) == ["idd"]


def test_what_no_polygon_covers_is_ignored(tmp_path):
    layout_files.image(tmp_path / "leftImg8bit/val/7/frame1_leftImg8bit.jpg")
    polygons(tmp_path / "gtFine/val/7/frame1_gtFine_polygons.json", ("wall", box(0, 0, 3, 7), 0))
    polygons(tmp_path / "gtFine/val/7/frame2_gtFine_polygons.json")
    files = idd.find(tmp_path, "val")
    label = files.labels.reader(CITYSCAPES)(files.pairs[0])
    assert (label[:, :4] == 3).all() and (label[:, 4:] == 255).all()
    assert left_out(files) == [("frame2_gtFine_polygons.json", "is a label without an image")]
    layout_files.image(tmp_path / "leftImg8bit/test/1/frame3_leftImg8bit.png")
    assert [pair.labelled for pair in idd.find(tmp_path, "test").pairs] == [False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is no file of IDD's polygons"),
        ("[]", "is no file of IDD's polygons"),
        ('{"imgHeight": 8, "imgWidth": 16, "objects": [{"label": "road"}]}', "polygons: KeyError: 'polygon'"),
        (
            '{"imgHeight": 8, "imgWidth": 16, "objects": [{"label": "tank", "polygon": [[0, 0], [1, 0], [1, 1]]}]}',
            "has an object called 'tank', which is no class of IDD",
        ),
    ],
)
def test_damaged_labels_are_refused(tmp_path, text, reason):
    layout_files.image(tmp_path / "leftImg8bit/train/104/frame0029_leftImg8bit.png")
    polygons(tmp_path / GT)
    (tmp_path / GT).write_text(text)
    files = idd.find(tmp_path, "train")
    with pytest.raises(Unusable, match=reason):
        files.labels.reader(CITYSCAPES)(files.pairs[0])


def test_classes_are_those_of_the_official_list():
    """helpers/anue_labels.py: 40 names, in the order of their ids; 18 of Cityscapes' classes and terrain."""
    assert len(idd.OBJECTS) == 40 and idd.IDS["road"] == 0 and idd.IDS["license plate"] == 39
    assert idd.IDS["sky"] == 33 and idd.IDS["billboard"] == 23
    assert {name for name in idd.OBJECTS.values() if name} == set(CITYSCAPES.classes)
