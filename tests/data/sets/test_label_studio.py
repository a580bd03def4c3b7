"""Exports of Label Studio 1.x: JSON, JSON_MIN and brush masks as PNG."""

import itertools
import json

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import label_studio

NONE = np.zeros((HEIGHT, WIDTH), bool)


def rectangle(top, left, bottom, right):
    mask = NONE.copy()
    mask[top:bottom, left:right] = True
    return mask


def run_lengths(mask):
    """As the editor packs the RGBA image of a brush: head, then runs of the four length sizes 3, 4, 8 and 16."""
    rgba = np.repeat(mask.ravel().astype(int) * 255, 4).tolist()
    bits = f"{len(rgba):032b}" + f"{8 - 1:05b}" + "".join(f"{size - 1:04b}" for size in (3, 4, 8, 16))
    for value, group in itertools.groupby(rgba):
        length = len(list(group))
        which, size = next((n, s) for n, s in enumerate((3, 4, 8, 16)) if length <= 1 << s)
        bits += f"1{which:02b}{length - 1:0{size}b}{value:08b}"
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def result(kind, labels, **value):
    return {
        "id": "Dx_aB91ISN",
        "type": kind,
        "from_name": "tag",
        "to_name": "image",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "origin": "manual",
        "value": {**value, kind: labels},
    }


def polygon(label, *points):
    """Points in pixels; the export has percent."""
    percent = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in points]
    return result("polygonlabels", [label], points=percent, closed=True)


def brush(label, mask):
    return result("brushlabels", [label], format="rle", rle=run_lengths(mask))


def annotation(*results, number=1, updated_at="2024-03-09T22:16:08.728378Z", **more):
    return {
        "id": number,
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "updated_at": updated_at,
        "completed_by": 1,
    } | more


def task(number, image, *annotations):
    return {"id": number, "data": {"image": image}, "annotations": list(annotations), "predictions": [], "project": 1}


def export(root, *tasks, name="project-1-at-2024-03-10-09-15-abcdef12.json"):
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(list(tasks)))


def decoded(files, index=0):
    return files.labels.reader(files.labels.classes)(files.pairs[index])


FLOOR = polygon("floor", (0, 4), (16, 4), (16, 8), (0, 8))


def test_polygons_and_brushes_are_painted_in_their_order(tmp_path):
    layout_files.image(tmp_path / "images/a.png")
    layout_files.image(tmp_path / "images/sub/b.png")
    layout_files.image(tmp_path / "images/0a1b2c3d-c.png")
    layout_files.image(tmp_path / "images/d.png")
    box = result("rectanglelabels", ["crate"], x=0, y=0, width=10, height=10, rotation=0)
    export(
        tmp_path,
        task(1, "/data/upload/1/fedcba98-a.png", annotation(FLOOR, box, brush("crate", rectangle(2, 2, 6, 6)))),
        task(2, "/data/local-files/?d=sub/b.png", annotation(brush("crate", rectangle(2, 2, 6, 6)), FLOOR)),
        task(3, "s3://bucket/path/0a1b2c3d-c.png", annotation(was_cancelled=True)),
    )
    own = label_studio.own_classes(tmp_path)
    assert own.classes == ("crate", "floor")
    files = label_studio.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("images/0a1b2c3d-c", False),
        ("images/a", True),
        ("images/d", False),
        ("images/sub/b", True),
    ]
    assert files.skipped == () and files.labels.classes == own
    assert files.warnings == (
        "pixels that nobody has labelled are ignored: they train and count nothing",
        "results that are no polygons or brush masks are not read: 1 rectanglelabels",
    )
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[4:] = 1
    expected[2:6, 2:6] = 0
    assert (decoded(files, 1) == expected).all()
    expected[4:] = 1
    assert (decoded(files, 3) == expected).all()
    assert label_studio.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["label_studio"]


def test_run_lengths_may_hold_single_values():
    # 5 values of 8 bits: twice 7, then 1, 2, 3 one by one; lengths of 3, 4, 8 or 16 bits.
    bits = f"{5:032b}" + "00111" + "0010001101111111" + "1" + "00" + "001" + f"{7:08b}"
    bits += "0" + "00" + "010" + "".join(f"{value:08b}" for value in (1, 2, 3))
    bits += "0" * (-len(bits) % 8)
    data = [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]
    assert label_studio.run_lengths(data).tolist() == [7, 7, 1, 2, 3]
    with pytest.raises(ValueError, match="run lengths end too early"):
        label_studio.run_lengths(data[:-2])


def test_brush_masks_exported_as_png_belong_to_the_tasks_of_a_json(tmp_path):
    layout_files.image(tmp_path / "images/a.png")
    export(tmp_path, {"id": 7, "image": "/data/upload/1/a.png", "annotation_id": 3}, name="result.json")

    def mask(name, pixels):
        (tmp_path / "masks").mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8) * 255).save(tmp_path / "masks" / name)

    mask("task-7-annotation-3-by-1-tag-floor-0.png", rectangle(4, 0, 8, 16))
    mask("task-7-annotation-3-by-1-tag-safety-cone-0.png", rectangle(5, 0, 6, 4))
    mask("task-7-annotation-3-by-1-tag-safety-cone-1.png", rectangle(5, 8, 6, 9))
    mask("task-7-annotation-2-by-1-tag-floor-0.png", rectangle(0, 0, 8, 16))  # of an older annotation
    mask("task-8-annotation-9-by-1-tag-floor-0.png", NONE)
    files = label_studio.find(tmp_path, "train")
    assert files.labels.classes.classes == ("floor", "safety-cone")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("images/a", True)]
    assert [(skipped.path, skipped.reason) for skipped in files.skipped] == [
        (
            str(tmp_path / "masks/task-8-annotation-9-by-1-tag-floor-0.png"),
            "is the mask of a task that no JSON here names; put the export as JSON beside it",
        )
    ]
    expected = np.full((HEIGHT, WIDTH), 255)
    expected[4:] = 0
    expected[5, :4] = expected[5, 8] = 1
    assert (decoded(files) == expected).all()
    assert list(recognition.recognise(tmp_path)) == ["label_studio"]


def test_the_ground_truth_counts_else_the_newest_annotation(tmp_path):
    for split, ground_truth in (("train", True), ("val", False)):
        layout_files.image(tmp_path / split / "a.png")
        old = annotation(FLOOR, number=1, updated_at="2024-01-01", ground_truth=ground_truth)
        new = annotation(brush("crate", ~NONE), number=2, updated_at="2024-02-01")
        export(tmp_path / split, task(1, "https://example.com/x/a.png?token=1", new, old))
    train, val = label_studio.find(tmp_path, "train"), label_studio.find(tmp_path, "val")
    assert (decoded(train)[:4] == 255).all() and (decoded(train)[4:] == 1).all()
    assert (decoded(val) == 0).all()
    assert "1 tasks have several annotations; of each, the ground truth is read, else the newest" in train.warnings
    assert list(recognition.recognise(tmp_path)) == ["label_studio"]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    for name in "abcd":
        layout_files.image(tmp_path / f"{name}.png")
    short = brush("floor", NONE)
    short["value"]["rle"] = short["value"]["rle"][:9]
    two = result("polygonlabels", ["floor", "crate"], points=[[0, 0], [50, 0], [50, 50]])
    export(
        tmp_path,
        task(1, "/data/upload/1/gone.png", annotation(FLOOR)),
        task(2, "/data/upload/1/a.png", annotation(short)),
        task(3, "/data/upload/1/b.png", annotation(two)),
        task(4, "/data/upload/1/c.png", annotation(FLOOR | {"image_rotation": 90})),
        task(5, "/data/upload/1/d.png", annotation(polygon("floor", (1, 1), (2, 2)))),
        task(6, "/data/upload/1/d.png", {"id": 6}),
    )
    (tmp_path / "damaged.json").write_text('[{"id": 1')
    assert list(recognition.recognise(tmp_path)) == ["label_studio"]
    files = label_studio.find(tmp_path, "train")
    damaged, gone, other = files.skipped
    assert other.reason == "task 6: it has no 'result'"
    assert damaged.path.endswith("damaged.json") and damaged.reason.startswith("cannot be read: ")
    assert gone.reason == "task 1: no files here are called gone.png, as its image is"
    for index, reason in enumerate(
        [
            "of a: run lengths end too early",
            "of b: a region has 2 labels, floor, crate; expected one",
            "of c: it was turned by 90 degrees while it was labelled",
            "of d: a polygon has 4 coordinates",
        ]
    ):
        with pytest.raises(Unusable, match=reason):
            decoded(files, index)
