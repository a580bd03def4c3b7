"""Projects in Supervisely's format."""

import base64
import io
import json
import zlib

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import supervisely
from udas_tf.errors import UserError

CLASSES = [
    {"title": "floor", "shape": "polygon", "color": "#804080", "id": 1},
    {"title": "crate", "shape": "bitmap", "color": "#FAAA1E", "id": 2},
    {"title": "box", "shape": "rectangle", "color": "#000001", "id": 3},
    {"title": "thing", "shape": "any", "color": "#000002", "id": 4},
]
# What the documentation of the format says this text stands for.
DOCUMENTED = (
    "eJzrDPBz5+WS4mJgYOD19HAJAtLMIMwIInOeqf8BUmwBPiGuQPr///9Lb86/C2QxlgT5BTM4PLuRBuTwebo4hlTMSa44cOHAB6DqY0yORgq8YkAZBk9"
    "XP5d1TglNANAFGzA="
)
DOCUMENTED_MASK = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 1]], bool)


def project(root, classes=CLASSES):
    root.mkdir(parents=True, exist_ok=True)
    (root / "meta.json").write_text(json.dumps({"classes": classes, "tags": [], "projectType": "images"}))
    return root


def described(root, dataset, name, *objects):
    """DATASET/img/NAME and DATASET/ann/NAME.json."""
    image = layout_files.image(root / dataset / "img" / name)
    path = root / dataset / "ann" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    size = {"height": HEIGHT, "width": WIDTH}
    path.write_text(json.dumps({"description": "", "tags": [], "size": size, "objects": list(objects)}))
    return image


def polygon(title, exterior, *interior):
    points = {"exterior": exterior, "interior": list(interior)}
    return {"geometryType": "polygon", "classTitle": title, "tags": [], "points": points}


def bitmap(title, data, *origin):
    return {"geometryType": "bitmap", "classTitle": title, "tags": [], "bitmap": {"data": data, "origin": origin}}


def packed(mask):
    """As the documentation's mask_2_base64: a palette PNG whose index 0 is transparent."""
    image, file = Image.fromarray(mask.astype(np.uint8)), io.BytesIO()
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.save(file, "PNG", transparency=0, optimize=0)
    return base64.b64encode(zlib.compress(file.getvalue())).decode()


def decoded(files, index=0):
    return files.labels.reader(files.labels.classes)(files.pairs[index])


FLOOR = polygon("floor", [[0, 4], [15, 4], [15, 7], [0, 7]])


def test_bitmaps_and_polygons_are_painted_in_their_order(tmp_path):
    project(tmp_path)
    box = {"geometryType": "rectangle", "classTitle": "box", "points": {"exterior": [[0, 0], [9, 7]], "interior": []}}
    patch = np.array([[0, 1, 1], [1, 1, 1]], bool)
    hollow = polygon("floor", [[0, 0], [8, 0], [8, 4], [0, 4]], [[2, 1], [6, 1], [6, 3], [2, 3]])
    described(tmp_path, "ds0", "a.png", FLOOR, bitmap("crate", packed(patch), 3, 3), box)
    described(tmp_path, "ds0", "b.jpg", bitmap("crate", packed(patch), 3, 3), FLOOR)
    described(tmp_path, "ds1", "a.png", hollow)
    described(tmp_path, "ds1", "c.png")
    own = supervisely.own_classes(tmp_path)
    assert own.classes == ("floor", "crate", "thing") and own.colours[:2] == ((128, 64, 128), (250, 170, 30))
    files = supervisely.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("ds0/a", True),
        ("ds0/b", True),
        ("ds1/a", True),
        ("ds1/c", False),
    ]
    assert files.skipped == () and files.labels.classes == own
    assert files.warnings == (
        "pixels that nobody has labelled are ignored: they train and count nothing",
        "objects that are no bitmaps or polygons are not read: 1 rectangle",
    )
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[4:] = 0
    expected[3, 4:6] = expected[4, 3:6] = 1
    assert (decoded(files, 0) == expected).all()
    expected[4:] = 0
    assert (decoded(files, 1) == expected).all()
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[:5, :9] = 0
    expected[1:4, 2:7] = 255
    assert (decoded(files, 2) == expected).all()
    assert supervisely.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["supervisely"]


def test_the_bitmap_of_the_documentation(tmp_path):
    project(tmp_path)
    described(tmp_path, "ds0", "a.png", bitmap("crate", DOCUMENTED, 5, 2))
    label = decoded(supervisely.find(tmp_path, "train"))
    assert ((label == 1)[2:5, 5:8] == DOCUMENTED_MASK).all() and (label == 1).sum() == DOCUMENTED_MASK.sum()


def test_datasets_may_be_splits_and_lie_in_others(tmp_path):
    project(tmp_path)
    for dataset in ("train", "validation", "test", "train/datasets/street"):
        described(tmp_path, dataset, "a.png", FLOOR)
    assert [pair.name for pair in supervisely.find(tmp_path, "train").pairs] == ["train/a", "train/datasets/street/a"]
    assert [pair.name for pair in supervisely.find(tmp_path, "val").pairs] == ["validation/a"]
    assert [pair.name for pair in supervisely.find(tmp_path, "test").pairs] == ["test/a"]
    assert list(recognition.recognise(tmp_path)) == ["supervisely"]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    project(tmp_path)
    described(tmp_path, "ds0", "a.png", polygon("wall", [[0, 0], [1, 0], [1, 1]]))
    described(tmp_path, "ds0", "b.png", bitmap("crate", packed(np.ones((2, 2))), 15, 0))
    described(tmp_path, "ds0", "c.png", bitmap("crate", base64.b64encode(b"none").decode(), 0, 0))
    described(tmp_path, "ds0", "d.png", polygon("floor", [[0, 0], [1, 0]]))
    described(tmp_path, "ds0", "e.png", FLOOR)
    described(tmp_path, "ds0", "f.png", FLOOR).unlink()
    (tmp_path / "ds0/ann/e.png.json").write_text('{"objects": [')
    layout_files.image(tmp_path / "ds0/img/g.png")
    files = supervisely.find(tmp_path, "train")
    damaged, lonely = files.skipped
    assert damaged.path.endswith("ann/e.png.json") and damaged.reason.startswith("cannot be read: ")
    assert (lonely.path, lonely.reason) == (str(tmp_path / "ds0/ann/f.png.json"), "is a label without an image")
    assert [(pair.name, pair.labelled) for pair in files.pairs][-1] == ("ds0/g", False)
    for index, reason in enumerate(
        [
            "of ds0/a: the class wall is none of floor, crate, thing",
            r"of ds0/b: a bitmap at \[15, 0\] reaches beyond its image of 16 x 8 pixels",
            "of ds0/c: a bitmap cannot be read",
            r"of ds0/d: a polygon has corners of shape \(2, 2\)",
        ]
    ):
        with pytest.raises(Unusable, match=reason):
            decoded(files, index)


@pytest.mark.parametrize(
    "classes, reason",
    [
        ([{"title": "floor", "shape": "polygon", "color": "red"}], "'red' is no colour like #804080"),
        ([{"title": "floor", "shape": "polygon"}], "it has no 'color'"),
        ([{"title": "box", "shape": "rectangle", "color": "#000000"}], "has 0 classes with an area"),
        ([{"name": "floor"}], "expected a list of classes with a title"),
    ],
)
def test_a_meta_of_another_form_is_an_error(tmp_path, classes, reason):
    project(tmp_path, classes)
    described(tmp_path, "ds0", "a.png", FLOOR)
    with pytest.raises(UserError, match=reason):
        supervisely.find(tmp_path, "train")
