"""WildDash 2 as its two archives with labels hold it."""

import json

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH, label_of, left_out
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import wilddash2
from udas_tf.errors import UserError

NAMES = {7: "road", 24: "person", 34: "pickup", 37: "street-light", 60: "spaceship"}


def panoptic(root, name, *segments):
    """Bands of (id of a segment, id of its category); an id is red + 256 green + 65536 blue."""
    values = np.repeat([segment for segment, _ in segments], WIDTH // len(segments))
    pixels = np.stack([values % 256, values // 256 % 256, values // 65536], axis=-1).astype(np.uint8)
    (root / "panoptic").mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.tile(pixels, (HEIGHT, 1, 1))).save(root / f"panoptic/{name}.png")
    listed = [
        {"id": segment, "category_id": category, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0}
        for segment, category in segments
        if category
    ]
    content = {
        "images": [{"id": 1, "file_name": f"{name}.jpg", "height": HEIGHT, "width": WIDTH}],
        "annotations": [{"image_id": 1, "file_name": f"{name}.png", "segments_info": listed}],
        "categories": [{"id": id_, "name": text, "isthing": 0, "supercategory": ""} for id_, text in NAMES.items()],
    }
    (root / "panoptic.json").write_text(json.dumps(content))


def test_label_ids_are_those_of_cityscapes_and_five_more(tmp_path):
    layout_files.image(tmp_path / "images/aa0000_100000.jpg")
    layout_files.image(tmp_path / "images/aa0001_100000.jpg")
    layout_files.ids(tmp_path / "labels/aa0000_100000.png", 7, 34, 35, 36)
    layout_files.ids(tmp_path / "labels/aa0001_100000.png", 38, 37, 33, 1)
    layout_files.ids(tmp_path / "labels/zz0001_100000.png", 0)
    files = wilddash2.find(tmp_path, "train")
    assert label_of(files) == [0, 14, 13, 255] and label_of(files, 1) == [0, 255, 18, 255]
    assert left_out(files) == [("zz0001_100000.png", "is a label without an image")]
    assert wilddash2.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["wilddash2"]


def test_panoptic_labels_name_the_category_of_each_segment(tmp_path):
    layout_files.image(tmp_path / "images/aa0000_100000.jpg")
    panoptic(tmp_path, "aa0000_100000", (5, 7), (70_000, 34), (256, 24), (0, None))
    files = wilddash2.find(tmp_path, "train")
    assert label_of(files) == [0, 14, 11, 255] and files.skipped == ()
    assert list(recognition.recognise(tmp_path)) == ["wilddash2"]


@pytest.mark.parametrize(
    ("segments", "reason"),
    [
        (((5, 7), (9, None)), r"holds colours that no file gives a class: \(9, 0, 0\)"),
        (((5, 7), (9, 60)), "has segments of spaceship, which are no classes of WildDash 2"),
    ],
)
def test_unknown_segments_are_refused(tmp_path, segments, reason):
    layout_files.image(tmp_path / "images/aa0000_100000.jpg")
    panoptic(tmp_path, "aa0000_100000", *segments)
    with pytest.raises(Unusable, match=reason):
        label_of(wilddash2.find(tmp_path, "train"))


def test_other_ids_and_a_damaged_list_are_refused(tmp_path):
    layout_files.image(tmp_path / "images/aa0000_100000.jpg")
    layout_files.ids(tmp_path / "panoptic/aa0000_100000.png", 0)
    (tmp_path / "panoptic.json").write_text("[]")
    with pytest.raises(UserError, match=r"panoptic.json is no list of segments of COCO's panoptic form"):
        wilddash2.find(tmp_path, "train")
    layout_files.ids(tmp_path / "labels/aa0000_100000.png", 7, 39)
    with pytest.raises(Unusable, match="outside the map of its data set: 39"):
        label_of(wilddash2.find(tmp_path, "train"))
