"""Data sets as TensorFlow Datasets 4.9 prepares them."""

import io
import json

import layout_files
import numpy as np
import pytest
import tensorflow as tf
from layout_files import label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import tfds
from udas_tf.errors import UserError

PREFIX = "tensorflow_datasets.core.features"


def image_feature(channels, labels=None, encoding="png", dtype="uint8"):
    content = {"shape": {"dimensions": ["-1", "-1", str(channels)]}, "dtype": dtype, "encodingFormat": encoding}
    if labels is None:
        return {"pythonClassName": f"{PREFIX}.image_feature.Image", "image": content}
    content |= {"label": {"numClasses": str(labels)}, "useColormap": True}
    return {"pythonClassName": f"{PREFIX}.labeled_image.LabeledImage", "image": content}


FEATURES = {
    "image": image_feature(3, encoding="jpeg"),
    "segmentation_mask": image_feature(1, labels=4),
    "file_name": {"pythonClassName": f"{PREFIX}.text_feature.Text", "text": {}},
}


def encoded(pixels, kind="PNG"):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def record(grey, values, mask="segmentation_mask"):
    photograph = np.full((layout_files.HEIGHT, layout_files.WIDTH, 3), grey, np.uint8)
    parts = {"image": encoded(photograph, "JPEG"), "file_name": b"a.jpg"}
    if values is not None:
        parts[mask] = encoded(layout_files.bands(*values))
    feature = {name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[part])) for name, part in parts.items()}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def prepare(folder, splits, names=("road", "crate", "void", "sky"), features=FEATURES, name="my", **more):
    """dataset_info.json, features.json, the names, and a file for each list of records of a split."""
    folder.mkdir(parents=True)
    listed = []
    for split, shards in splits.items():
        for number, records in enumerate(shards):
            path = folder / f"{name}-{split}.tfrecord-{number:05d}-of-{len(shards):05d}"
            with tf.io.TFRecordWriter(str(path)) as writer:
                for content in records:
                    writer.write(content)
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        lengths = [str(len(records)) for records in shards]
        listed.append({"name": split, "shardLengths": lengths, "numBytes": "1", "filepathTemplate": template})
    info = {"name": name, "version": "1.0.0", "fileFormat": "tfrecord", "splits": listed} | more
    (folder / "dataset_info.json").write_text(json.dumps(info))
    content = {"pythonClassName": f"{PREFIX}.features_dict.FeaturesDict", "featuresDict": {"features": features}}
    (folder / "features.json").write_text(json.dumps(content))
    if names:
        (folder / "segmentation_mask.labels.txt").write_text("\n".join(names) + "\n")
    return folder


def test_records_hold_images_and_masks(tmp_path):
    train = [[record(10, [0, 1, 2, 3]), record(20, [3, 255, 0, 1])], [record(30, [1, 1, 1, 1])]]
    folder = prepare(tmp_path / "my/1.0.0", {"train": train, "validation": [[record(40, [3, 3, 0, 0])]]})
    own = tfds.own_classes(tmp_path)
    assert own.classes == ("road", "crate", "sky")
    files = tfds.find(tmp_path, "train")
    assert [(pair.name, pair.image.name, pair.labelled) for pair in files.pairs] == [
        ("train_000000", "my-train.tfrecord-00000-of-00002", True),
        ("train_000001", "my-train.tfrecord-00000-of-00002", True),
        ("train_000002", "my-train.tfrecord-00001-of-00002", True),
    ]
    masks = [label_of(files, index, own) for index in (2, 0, 1)]
    assert masks == [[1, 1, 1, 1], [0, 1, 255, 2], [2, 255, 0, 1]]
    assert files.labels.classes == own and files.skipped == ()
    assert files.warnings == ("pixels of 2 (void) in segmentation_mask.labels.txt are ignored",)
    pictures = [files.read_image(pair, (4, 8)) for pair in files.pairs]
    assert [int(pixels.mean()) for pixels, _ in pictures] == [10, 20, 30]
    assert pictures[0][1] == (layout_files.HEIGHT, layout_files.WIDTH)
    val = tfds.find(folder, "val")
    assert [pair.name for pair in val.pairs] == ["validation_000000"] and label_of(val, 0, own) == [2, 2, 0, 0]
    assert tfds.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == list(recognition.recognise(folder)) == ["tfds"]


def test_cityscapes_has_label_ids_and_no_names(tmp_path):
    features = {
        "image_id": FEATURES["file_name"],
        "image_left": image_feature(3),
        "image_right": image_feature(3),
        "segmentation_label": image_feature(1),
        "disparity_map": image_feature(1),
    }
    folder = tmp_path / "cityscapes/semantic_segmentation/1.0.0"
    records = [record(10, [7, 26, 23, 1], "segmentation_label")]
    prepare(folder, {"train": [records]}, None, features, "cityscapes", configName="semantic_segmentation")
    files = tfds.find(tmp_path, "train")
    assert label_of(files) == [0, 13, 10, 255] and tfds.own_classes(tmp_path) == CITYSCAPES
    assert files.warnings == (
        "('image_left', 'segmentation_label') are read as image and mask; not read: image_right, disparity_map",
    )


def test_images_may_have_no_masks(tmp_path):
    splits = {"train": [[record(10, None)]], "minival": [[record(10, None)]]}
    folder = prepare(tmp_path / "1.0.0", splits, None, {"image": FEATURES["image"]})
    files = tfds.find(folder, "train")
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [("train_000000", False)]
    assert files.warnings == (f"{folder}: the splits minival are not read; expected train, val, test, train_extra",)
    assert files.labels is None and tfds.own_classes(folder) is None


def test_what_cannot_be_read_is_listed(tmp_path):
    good, empty = record(10, [0, 1, 2, 3]), record(10, None)
    unknown, damaged = record(10, [0, 1, 7, 9]), b"\xff" * 20
    folder = prepare(tmp_path / "1.0.0", {"train": [[good, empty, unknown, damaged], [good, good], [good], [good]]})
    paths = [folder / f"my-train.tfrecord-{number:05d}-of-00004" for number in range(4)]
    paths[1].write_bytes(paths[1].read_bytes()[:-5])
    paths[2].unlink()
    paths[3].write_bytes(2 * paths[3].read_bytes())
    files = tfds.find(folder, "train")
    assert [pair.name for pair in files.pairs] == [f"train_{number:06d}" for number in range(7)]
    assert [(file.path, file.reason) for file in files.skipped] == [
        (str(paths[1]), "is truncated or damaged after 1 records, which are read"),
        (str(paths[2]), "cannot be read: No such file or directory"),
    ]
    assert files.warnings[0] == f"{paths[3]} holds 2 records; dataset_info.json says 1"
    own = files.labels.classes
    assert label_of(files, 6, own) == [0, 1, 255, 2]
    for index, reason in (
        (1, "train_000001 holds 0 images as its feature segmentation_mask; expected one"),
        (2, "holds label ids outside the map of its data set: 7, 9"),
        (3, "train_000003 cannot be read"),
    ):
        with pytest.raises(Unusable, match=reason):
            label_of(files, index, own)


def test_what_the_files_must_say(tmp_path):
    records = {"train": [[record(10, [0, 0, 0, 0])]]}
    unnamed = prepare(tmp_path / "unnamed", records, None)
    other = prepare(tmp_path / "other", records, fileFormat="array_record")
    grey = prepare(tmp_path / "grey", records, features={"picture": image_feature(1)})
    broken = prepare(tmp_path / "broken", records)
    (broken / "dataset_info.json").write_text('{"name": "my"}')
    for folder, message in (
        (unnamed, r"segmentation_mask\.labels\.txt is missing; write the names of the values of masks into it"),
        (other, r"is prepared as array_record; prepare it with file_format='tfrecord'"),
        (grey, r"has no image of three channels; it has picture"),
        (broken, r"dataset_info\.json or features\.json is not of the form"),
        (tmp_path, r"several data sets of TensorFlow Datasets: broken, grey, other, unnamed; name one"),
    ):
        with pytest.raises(UserError, match=message):
            tfds.find(folder, "train")
