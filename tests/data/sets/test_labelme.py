"""Files as labelme 5 writes them."""

import base64
import io
import json

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import labelme


def shape(label, points, kind="polygon", **more):
    return {
        "label": label,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
        "mask": None,
    } | more


def described(path, shapes, image=None, image_path=None, embedded=False):
    """NAME.json, and NAME.png beside it; with `embedded`, the image is in the JSON alone."""
    image = layout_files.image(image or path.with_suffix(".png"))
    content = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": image_path or image.name,
        "imageData": base64.b64encode(image.read_bytes()).decode() if embedded else None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    if embedded:
        image.unlink()
    return path


def decoded(files, index=0):
    return files.labels.reader(files.labels.classes)(files.pairs[index])


def png(mask):
    file = io.BytesIO()
    Image.fromarray(mask.astype(np.uint8) * 255).convert("1").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


FLOOR = shape("floor", [[0, 4], [16, 4], [16, 8], [0, 8]])
CRATE = shape("crate", [[2, 6], [6.2, 2]], "rectangle")  # from its lower left to its upper right corner


def test_later_shapes_lie_over_earlier_ones_and_lines_are_left_out(tmp_path):
    ball = shape("ball", [[10, 4], [12, 4]], "circle")
    line = shape("cable", [[0, 0], [16, 8]], "linestrip")
    described(tmp_path / "a.json", [FLOOR, CRATE, line, ball, shape("cable", [[1, 1]], "point")])
    described(tmp_path / "b.json", [CRATE, FLOOR])
    layout_files.image(tmp_path / "c.jpg")
    own = labelme.own_classes(tmp_path)
    assert own.classes == ("ball", "crate", "floor")
    files = labelme.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("a", True), ("b", True), ("c", False)]
    assert files.skipped == () and files.labels.classes == own
    assert files.warnings == (
        "pixels that nobody has labelled are ignored: they train and count nothing",
        "shapes without an area are not read: 1 linestrip, 1 point",
    )
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[4:] = 2
    expected[2:6, 2:6] = 1
    # Centres of pixels at most 2 from (10, 4).
    expected[2:6, 9:11] = expected[3:5, 8:12] = 0
    assert (decoded(files, 0) == expected).all()
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[2:4, 2:6] = 1
    expected[4:] = 2
    assert (decoded(files, 1) == expected).all()
    assert labelme.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["labelme"]


def test_labels_txt_orders_the_classes_and_may_name_the_background(tmp_path):
    (tmp_path / "labels.txt").write_text("__ignore__\n_background_\nfloor\ncrate\n")
    described(tmp_path / "a.json", [FLOOR, shape("__ignore__", [[2, 2], [6, 6]], "rectangle")])
    files = labelme.find(tmp_path, "train")
    assert labelme.own_classes(tmp_path).classes == ("_background_", "floor", "crate")
    expected = np.zeros((HEIGHT, WIDTH))
    expected[4:] = 1
    expected[2:6, 2:6] = 255
    assert (decoded(files) == expected).all()
    assert files.warnings[0].startswith(
        "pixels that nobody has labelled are of the class _background_, as labels.txt names it"
    )


def test_images_are_found_by_image_path_or_are_in_the_file(tmp_path):
    described(tmp_path / "train/ann/a.json", [FLOOR], tmp_path / "train/images/a.png", "..\\images\\a.png")
    described(tmp_path / "val/b.json", [FLOOR], embedded=True)
    train, val = labelme.find(tmp_path, "train"), labelme.find(tmp_path, "val")
    assert [(pair.name, pair.image) for pair in train.pairs] == [("ann/a", tmp_path / "train/images/a.png")]
    assert [(pair.name, pair.labelled) for pair in val.pairs] == [("b", True)]
    pixels, original = val.read_image(val.pairs[0], (HEIGHT, WIDTH))
    assert original == (HEIGHT, WIDTH)
    assert (pixels == np.asarray(Image.open(tmp_path / "train/images/a.png"))).all()
    assert (decoded(val)[4:] == 0).all() and (decoded(val)[:4] == 255).all()
    assert list(recognition.recognise(tmp_path)) == ["labelme"]


def test_masks_are_patches_at_their_first_point(tmp_path):
    patch = np.array([[1, 1, 0], [0, 1, 1]])
    described(tmp_path / "a.json", [shape("crate", [[14, 3], [16, 4]], "mask", mask=png(patch))])
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[3, 14] = expected[3, 15] = expected[4, 15] = 0  # what lies right of the image is cut off
    assert (decoded(labelme.find(tmp_path, "train")) == expected).all()


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    described(tmp_path / "a.json", [FLOOR])
    described(tmp_path / "b.json", [FLOOR], image_path="gone.png")
    (tmp_path / "c.json").write_text('{"shapes": [')
    (tmp_path / "d.json").write_text('{"images": []}')
    described(tmp_path / "e.json", [FLOOR, shape("floor", [[0, 0], [1, 1]])])
    described(tmp_path / "f.json", [FLOOR], embedded=True)
    content = json.loads((tmp_path / "f.json").read_text())
    (tmp_path / "f.json").write_text(json.dumps(content | {"imageData": base64.b64encode(b"none").decode()}))
    files = labelme.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("a", True),
        ("b", False),
        ("e", True),
        ("f", True),
    ]
    missing, damaged, other = files.skipped
    assert missing.path.endswith("b.json")
    assert missing.reason == "has no imageData, and its imagePath gone.png does not exist"
    assert damaged.path.endswith("c.json") and damaged.reason.startswith("cannot be read: ")
    assert other.reason == "is no file of labelme: it has no shapes or imagePath"
    with pytest.raises(Unusable, match="of e: a polygon has 4 coordinates; expected x, y of three points or more"):
        decoded(files, 2)
    with pytest.raises(Unusable, match="its imageData cannot be read"):
        files.read_image(files.pairs[3], (HEIGHT, WIDTH))


def test_shapes_that_labels_txt_lacks_are_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("floor\n")
    described(tmp_path / "a.json", [FLOOR, CRATE])
    with pytest.raises(Unusable, match="the class crate is none of floor"):
        decoded(labelme.find(tmp_path, "train"))
