"""Annotations in COCO's form, as its owners and as CVAT, Roboflow and Label Studio write them."""

import itertools
import json

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import coco
from udas_tf.errors import UserError

CATEGORIES = [
    {"id": 18, "name": "dog", "supercategory": "animal"},
    {"id": 1, "name": "person", "supercategory": "person"},
]
NONE = np.zeros((HEIGHT, WIDTH), bool)


def rectangle(top, left, bottom, right):
    mask = NONE.copy()
    mask[top:bottom, left:right] = True
    return mask


def polygon(top, left, bottom, right):
    return [[left, top, right, top, right, bottom, left, bottom]]


def run_lengths(mask):
    """Columns, and first how many pixels are outside."""
    runs = [(value, len(list(pixels))) for value, pixels in itertools.groupby(mask.ravel(order="F").tolist())]
    return {"counts": ([0] if runs[0][0] else []) + [length for _, length in runs], "size": list(mask.shape)}


def instance(image, category, segmentation, crowd=0):
    entry = {"id": 1, "image_id": image, "category_id": category, "iscrowd": crowd, "bbox": [0, 0, 1, 1], "area": 1.0}
    return entry if segmentation is None else entry | {"segmentation": segmentation}


def described(path, images, annotations, categories=CATEGORIES):
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = [
        {"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH} for number, name in enumerate(images, 100)
    ]
    content = {"info": {}, "licenses": [], "images": entries, "annotations": annotations, "categories": categories}
    path.write_text(json.dumps(content))


def decoded(files, index=0):
    return files.labels.reader(files.labels.classes)(files.pairs[index])


def test_smaller_instances_lie_over_larger_ones_and_crowds_under_all(tmp_path):
    for name in ("train2017/000000000009.jpg", "train2017/000000000025.jpg", "val2017/000000000139.jpg"):
        layout_files.image(tmp_path / name)
    described(
        tmp_path / "annotations/instances_train2017.json",
        ["000000000009.jpg", "000000000025.jpg"],
        [
            instance(100, 18, polygon(4, 2, 6, 4)),  # 4 pixels: above
            instance(100, 1, polygon(2, 0, 8, 8)),  # 48 pixels
            instance(100, 18, run_lengths(rectangle(6, 0, 8, 16)), crowd=1),  # 32 pixels, yet under all
            instance(100, 18, None),
        ],
    )
    described(
        tmp_path / "annotations/instances_val2017.json",
        ["000000000139.jpg"],
        [instance(100, 1, [*polygon(0, 0, 1, 4), *polygon(7, 0, 8, 4)])],
    )
    (tmp_path / "annotations/person_keypoints_train2017.json").write_text("{}")
    own = coco.own_classes(tmp_path)
    assert own.classes == ("person", "dog")
    train, val = coco.find(tmp_path, "train"), coco.find(tmp_path, "val")
    assert [(pair.name, pair.labelled) for pair in train.pairs] == [("000000000009", True), ("000000000025", False)]
    assert train.skipped == val.skipped == () and train.labels.classes == own
    assert train.warnings == (
        "pixels that nobody has labelled are ignored: they train and count nothing",
        f"{tmp_path / 'annotations'}: person_keypoints_train2017.json are not read, as instances_*.json lie beside "
        "them",
        "1 annotations have no segmentation, and are not read",
    )
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[6:] = 1
    expected[2:8, :8] = 0
    expected[4:6, 2:4] = 1
    assert (decoded(train) == expected).all()
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[0, :4] = expected[7, :4] = 0
    assert (decoded(val) == expected).all()
    assert coco.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["coco"]


def test_compressed_run_lengths(tmp_path):
    mask = pytest.importorskip("pycocotools.mask")
    layout_files.image(tmp_path / "a.png")
    packed = mask.encode(np.asfortranarray(rectangle(1, 2, 5, 9).astype(np.uint8)))
    compressed = {"size": packed["size"], "counts": packed["counts"].decode()}
    described(tmp_path / "result.json", ["a.png"], [instance(100, 1, compressed)])
    label = decoded(coco.find(tmp_path, "train"))
    assert (label == np.where(rectangle(1, 2, 5, 9), 0, 255)).all()


def test_without_pycocotools_compressed_run_lengths_are_an_error_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(coco.importlib.util, "find_spec", lambda name: None)
    layout_files.image(tmp_path / "a.png")
    described(tmp_path / "a.json", ["a.png"], [instance(100, 1, {"size": [HEIGHT, WIDTH], "counts": "P8"})])
    with pytest.raises(UserError, match=r"pip install 'udas_tf\[coco\]'"):
        coco.find(tmp_path, "train")


def test_the_form_of_roboflow_with_its_splits(tmp_path):
    categories = [
        {"id": 0, "name": "traffic", "supercategory": "none"},
        {"id": 1, "name": "cone", "supercategory": "traffic"},
    ]
    for split in ("train", "valid"):
        layout_files.image(tmp_path / split / "a_jpg.rf.0123.jpg")
        annotations = [instance(100, 1, polygon(0, 0, 8, 8))]
        described(tmp_path / split / "_annotations.coco.json", ["a_jpg.rf.0123.jpg"], annotations, categories)
    assert coco.own_classes(tmp_path).classes == ("cone",)
    for split in ("train", "val"):
        files = coco.find(tmp_path, split)
        assert [pair.name for pair in files.pairs] == ["a_jpg.rf.0123"]
        assert (decoded(files)[:, :8] == 0).all() and (decoded(files)[:, 8:] == 255).all()
    assert list(recognition.recognise(tmp_path)) == ["coco"]


def test_images_lie_in_images_or_in_folders_of_their_own(tmp_path):
    layout_files.image(tmp_path / "images/default/sub/a.png")
    layout_files.image(tmp_path / "images/b.png")
    annotations = [instance(100, 1, polygon(0, 0, 8, 8)), instance(101, 1, polygon(0, 0, 8, 8))]
    described(tmp_path / "annotations/instances_default.json", ["sub/a.png", "b.png"], annotations)
    pairs = coco.find(tmp_path, "train").pairs
    assert [(pair.name, pair.image.is_file()) for pair in pairs] == [("b", True), ("sub/a", True)]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    for name in "abc":
        layout_files.image(tmp_path / f"{name}.png")
    described(
        tmp_path / "a.json",
        ["a.png", "gone.png", "b.png"],
        [
            instance(100, 1, [[1, 2, 3, 4]]),
            instance(102, 1, {"counts": [5], "size": [HEIGHT, WIDTH]}),
        ],
    )
    described(tmp_path / "b.json", ["c.png"], [instance(100, 7, polygon(0, 0, 1, 1))])
    described(tmp_path / "c.json", ["c.png"], [instance(999, 1, polygon(0, 0, 1, 1))])
    (tmp_path / "d.json").write_text('{"images": [], "annotations": [], "categories": ')
    layout_files.image(tmp_path / "spare.png")
    files = coco.find(tmp_path, "train")
    reasons = {(skipped.path, skipped.reason) for skipped in files.skipped if not skipped.path.endswith("d.json")}
    assert reasons == {
        (str(tmp_path / "a.json"), "names the image gone.png, which does not exist"),
        (
            str(tmp_path / "b.json"),
            "is not of COCO's form: an annotation has the category 7, which categories lacks",
        ),
        (str(tmp_path / "spare.png"), "is named by no JSON file of COCO's form here"),
        (str(tmp_path / "c.json"), "has annotations of images that it does not list, such as 999"),
    }
    damaged = [skipped for skipped in files.skipped if skipped.path.endswith("d.json")]
    assert len(damaged) == 1 and damaged[0].reason.startswith("cannot be read: ")
    with pytest.raises(Unusable, match="of a: a polygon has 4 coordinates"):
        decoded(files, 0)
    with pytest.raises(Unusable, match="of b: run lengths do not add up to 8 x 16 pixels"):
        decoded(files, 1)


def test_annotations_of_blenderproc_are_its_own_set(tmp_path):
    layout_files.image(tmp_path / "images/a.png")
    described(tmp_path / "coco_annotations.json", ["images/a.png"], [instance(100, 1, polygon(0, 0, 1, 1))])
    assert list(recognition.recognise(tmp_path)) == ["blenderproc"]
