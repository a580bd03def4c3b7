"""Parquet files and ImageFolders as datasets writes and documents them."""

import io
import json
import sys

import layout_files
import numpy as np
import pytest
from layout_files import label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import huggingface_folder
from udas_tf.errors import UserError

ID2LABEL = {"0": "unlabeled", "1": "road", "2": "crate", "35": "sky"}


def names_of_ids(root, content=ID2LABEL):
    root.mkdir(parents=True, exist_ok=True)
    (root / "id2label.json").write_text(json.dumps(content))


def encoded(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def photograph(grey):
    return np.full((layout_files.HEIGHT, layout_files.WIDTH, 3), grey, np.uint8)


def parquet(path, rows, columns=("image", "label"), group=2):
    """As Dataset.to_parquet: structs of bytes and path, and the features as JSON in the metadata of the schema."""
    pyarrow = pytest.importorskip("pyarrow")
    writer = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    features = {name: {"_type": "Image"} for name in columns}
    schema = pyarrow.schema(
        [*((name, kind) for name in columns), ("caption", pyarrow.string())],
        metadata={"huggingface": json.dumps({"info": {"features": {**features, "caption": {"dtype": "string"}}}})},
    )
    listed = [dict(zip(columns, row, strict=True)) | {"caption": "a street"} for row in rows]
    writer.write_table(pyarrow.Table.from_pylist(listed, schema), path, row_group_size=group)


def inline(content, name=None):
    return {"bytes": content, "path": name}


def greys(files):
    return [int(files.read_image(pair, (4, 8))[0].mean()) for pair in files.pairs]


def test_images_and_masks_lie_in_parquet(tmp_path):
    masks = [encoded(layout_files.bands(*values)) for values in ([0, 1, 2, 35], [35, 35, 255, 1], [2, 2, 2, 2])]
    rows = [
        (inline(encoded(photograph(10 * number + 10), "JPEG"), f"{number}.jpg"), inline(mask))
        for number, mask in enumerate(masks)
    ]
    parquet(tmp_path / "data/train-00000-of-00002.parquet", rows)
    parquet(tmp_path / "data/train-00001-of-00002.parquet", [(inline(encoded(photograph(90))), None)])
    parquet(tmp_path / "data/validation-00000-of-00001.parquet", rows[:1])
    names_of_ids(tmp_path)
    files = huggingface_folder.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("data/train-00000-of-00002_000000", True),
        ("data/train-00000-of-00002_000001", True),
        ("data/train-00000-of-00002_000002", True),
        ("data/train-00001-of-00002_000000", False),
    ]
    own = huggingface_folder.own_classes(tmp_path)
    assert own.classes == ("road", "crate", "sky") and own == files.labels.classes
    assert [label_of(files, index, own) for index in range(3)] == [[255, 0, 1, 2], [2, 2, 255, 0], [1, 1, 1, 1]]
    assert greys(files) == [10, 20, 30, 90]
    assert files.read_image(files.pairs[0], (4, 8))[1] == (layout_files.HEIGHT, layout_files.WIDTH)
    assert files.skipped == () and files.warnings == ("pixels of 0 (unlabeled) in id2label.json are ignored",)
    assert label_of(files, 0) == [255, 0, 255, 10]  # by name, among the classes of Cityscapes
    assert [pair.name for pair in huggingface_folder.find(tmp_path, "val").pairs] == [
        "data/validation-00000-of-00001_000000"
    ]
    assert huggingface_folder.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["huggingface_folder"]


def test_what_a_row_lacks_is_said_with_its_name(tmp_path):
    layout_files.ids(tmp_path / "masks/a.png", 1, 1, 2, 2)
    rows = [
        (inline(encoded(photograph(10))), inline(None, "masks/a.png")),  # only the path
        (inline(b"\x89PNG\r\n\x1a\n"), inline(encoded(layout_files.bands(1, 1, 7, 9)))),
        (inline(None), inline(encoded(layout_files.bands(1, 1, 2, 2), "JPEG"))),
    ]
    parquet(tmp_path / "train.parquet", rows, ("pixel_values", "annotation"))
    parquet(tmp_path / "train2.parquet", rows, ("picture", "annotation"))
    (tmp_path / "train3.parquet").write_bytes(b"PAR1")
    names_of_ids(tmp_path)
    files = huggingface_folder.find(tmp_path, "train")
    assert len(files.pairs) == 3 and label_of(files, 0, files.labels.classes) == [0, 0, 1, 1]
    columns, damaged = files.skipped
    assert columns.reason == (
        "cannot be read: of the columns picture, annotation, caption none is an image called image, pixel_values, img"
    )
    assert damaged.path == str(tmp_path / "train3.parquet") and damaged.reason.startswith("cannot be read: ")
    for what, reason in (
        (lambda: files.read_image(files.pairs[1], (4, 8)), "train_000001 cannot be read"),
        (lambda: files.read_image(files.pairs[2], (4, 8)), "train_000002 has neither bytes nor a path in the column"),
        (lambda: label_of(files, 1, files.labels.classes), "holds label ids outside the map of its data set: 7, 9"),
        (lambda: label_of(files, 2, files.labels.classes), "train_000002 is a label saved as JPEG"),
    ):
        with pytest.raises(Unusable, match=reason):
            what()


def test_parquet_needs_an_extra(tmp_path, monkeypatch):
    (tmp_path / "train.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"need pyarrow; install it with `pip install 'udas_tf\[huggingface\]'`"):
        huggingface_folder.find(tmp_path, "train")


@pytest.mark.parametrize("key", ["mask_file_name", "mask", "label"])
def test_metadata_names_images_and_masks(tmp_path, key):
    for split in ("train", "validation"):
        for name in ("0001", "0002"):
            layout_files.image(tmp_path / split / f"{name}.jpg")
            layout_files.ids(tmp_path / split / f"masks/{name}.png", 0, 1, 2, 35)
        layout_files.image(tmp_path / split / "0004.jpg")
        lines = [
            {"file_name": "0001.jpg", key: "masks/0001.png", "caption": "a street"},
            {"file_name": "0003.jpg", key: "masks/0001.png"},
            {"file_name": "0004.jpg", key: "masks/0004.png"},
        ]
        (tmp_path / split / "metadata.jsonl").write_text("\n".join(map(json.dumps, lines)))
    names_of_ids(tmp_path)
    files = huggingface_folder.find(tmp_path, "val")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("validation/0001", True),
        ("validation/0004", False),
    ]
    assert label_of(files, 0, huggingface_folder.own_classes(tmp_path)) == [255, 0, 1, 2]
    folder = tmp_path / "train"
    assert [(file.path, file.reason) for file in huggingface_folder.find(tmp_path, "train").skipped] == [
        (str(folder / "metadata.jsonl"), f"line 2 names no image that exists: {folder / '0003.jpg'}"),
        (str(folder / "metadata.jsonl"), f"line 3 names no mask that exists: {folder / 'masks/0004.png'}"),
        (str(folder / "0002.jpg"), "is named by no metadata file"),
        (str(folder / "masks/0002.png"), "is named by no metadata file"),
    ]
    assert list(recognition.recognise(tmp_path)) == ["huggingface_folder"]


def test_metadata_may_be_a_table_of_the_root(tmp_path):
    layout_files.image(tmp_path / "images/a.jpg")
    layout_files.image(tmp_path / "images/test-drive.jpg")
    layout_files.palette_png(tmp_path / "masks/a.png", 1, 1, 2, 35)
    (tmp_path / "metadata.csv").write_text(
        "file_name,mask_file_name\nimages/a.jpg,masks/a.png\nimages/test-drive.jpg,\n../c.jpg,\n"
    )
    names_of_ids(tmp_path)
    files = huggingface_folder.find(tmp_path, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("images/a", True), ("images/test-drive", False)]
    assert label_of(files, 0, huggingface_folder.own_classes(tmp_path)) == [0, 0, 1, 2]
    assert [file.reason for file in files.skipped] == ["line 4 names no image in the data set"]


@pytest.mark.parametrize("masks", ["masks", "annotations"])
def test_images_and_masks_lie_side_by_side(tmp_path, masks):
    for split, values in (("train", [0, 1, 2, 35]), ("val", [35, 2, 1, 255])):
        layout_files.image(tmp_path / split / "images/a.jpg")
        layout_files.ids(tmp_path / split / masks / "a.png", *values)
    layout_files.ids(tmp_path / "train" / masks / "b.png", 0, 0, 0, 0)
    names_of_ids(tmp_path)
    own = huggingface_folder.own_classes(tmp_path)
    train, val = huggingface_folder.find(tmp_path, "train"), huggingface_folder.find(tmp_path, "val")
    assert label_of(train, 0, own) == [255, 0, 1, 2] and label_of(val, 0, own) == [2, 1, 0, 255]
    assert [file.reason for file in train.skipped] == ["is a label without an image"]
    assert huggingface_folder.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["huggingface_folder"]


def test_masks_without_id2label_json_are_refused(tmp_path):
    layout_files.image(tmp_path / "images/a.jpg")
    layout_files.ids(tmp_path / "masks/a.png", 0, 1, 2, 35)
    assert huggingface_folder.own_classes(tmp_path) is None
    with pytest.raises(
        UserError, match=r'id2label\.json is missing; it says which class .*: {"0": "road", "1": "car"}'
    ):
        huggingface_folder.find(tmp_path, "train")
    for content in ({"road": 0}, {"0": 1}, [], {}):
        names_of_ids(tmp_path, content)
        with pytest.raises(UserError, match=r"id2label\.json is "):
            huggingface_folder.find(tmp_path, "train")
