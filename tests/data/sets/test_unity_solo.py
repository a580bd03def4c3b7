"""SOLO data sets as Unity Perception 0.10 to 1.0 writes them."""

import json

import layout_files
import numpy as np
import pytest
from layout_files import HEIGHT, WIDTH, label_of
from PIL import Image

from udas_tf.data import recognition
from udas_tf.data.image_files import Unusable
from udas_tf.data.sets import unity_solo

KIND = "type.unity.com/unity.solo.SemanticSegmentationAnnotation"
COLOURS = {"Crate": (0, 255, 43), "Cube": (255, 0, 0), "sky": (10, 20, 30)}


def entries(*names):
    return [{"labelName": name, "pixelValue": [*COLOURS[name], 255]} for name in names]


def definitions(root, *names):
    """annotation_definitions.json; a preview wrote no spec of semantic segmentation."""
    semantic = {"@type": KIND, "id": "semantic segmentation", "description": "..."}
    if names:
        semantic["spec"] = entries(*names)
    boxes = {
        "@type": "type.unity.com/unity.solo.BoundingBox2DAnnotation",
        "id": "bounding box",
        "spec": [{"label_id": 1, "label_name": "Crate"}],
    }
    root.mkdir(parents=True, exist_ok=True)
    (root / "annotation_definitions.json").write_text(json.dumps({"annotationDefinitions": [boxes, semantic]}))


def frame(folder, step, bands, names, camera="camera", with_label=True):
    """sequence.N/stepM.frame_data.json, and the image and the label of one camera."""
    image, label = f"step{step}.{camera}.png", f"step{step}.{camera}.semantic segmentation.png"
    layout_files.image(folder / image)
    pixels = np.full((HEIGHT, WIDTH, 4), 255, np.uint8)
    pixels[..., :3] = np.repeat(np.array([COLOURS.get(band, (0, 0, 0)) for band in bands]), WIDTH // len(bands), axis=0)
    if with_label:
        Image.fromarray(pixels).save(folder / label)
    semantic = {"@type": KIND, "id": "semantic segmentation", "sensorId": camera, "imageFormat": "Png"}
    semantic |= {"dimension": [WIDTH, HEIGHT], "filename": label, "instances": entries(*names)}
    boxes = {"@type": "type.unity.com/unity.solo.BoundingBox2DAnnotation", "id": "bounding box", "values": []}
    capture = {
        "@type": "type.unity.com/unity.solo.RGBCamera",
        "id": camera,
        "filename": image,
        "imageFormat": "Png",
        "dimension": [WIDTH, HEIGHT],
        "annotations": [boxes, semantic],
    }
    content = {"frame": step, "sequence": 0, "step": step, "captures": [capture], "metrics": []}
    (folder / f"step{step}.frame_data.json").write_text(json.dumps(content))


def test_colours_are_those_of_the_definitions(tmp_path):
    definitions(tmp_path, "sky", "Crate", "Cube")
    frame(tmp_path / "sequence.0", 0, ["Crate", "Cube", "sky", None], ["Crate"])
    frame(tmp_path / "sequence.10", 0, ["Cube"] * 4, ["Cube"])
    frame(tmp_path / "sequence.2", 0, ["sky"] * 4, [])
    frame(tmp_path / "sequence.2", 1, ["sky"] * 4, [])
    own = unity_solo.own_classes(tmp_path)
    assert own.classes == ("sky", "Crate", "Cube")
    files = unity_solo.find(tmp_path, "train")
    assert files.skipped == () and files.labels.classes == own
    assert [(pair.name, pair.labelled) for pair in files.pairs] == [
        ("sequence.0/step0.camera", True),
        ("sequence.2/step0.camera", True),
        ("sequence.2/step1.camera", True),
        ("sequence.10/step0.camera", True),
    ]
    assert label_of(files, 0, own) == [1, 2, 0, 255]
    assert label_of(files, 3, own) == [2, 2, 2, 2]
    assert label_of(files, 0) == [255, 255, 10, 255]  # by name, among the classes of Cityscapes
    assert unity_solo.find(tmp_path, "val").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["unity_solo"]


def test_without_a_spec_the_frames_name_the_labels(tmp_path):
    definitions(tmp_path / "solo")
    definitions(tmp_path / "solo_1")
    frame(tmp_path / "solo/sequence.0", 0, ["Crate", "Crate", None, None], ["Crate"])
    frame(tmp_path / "solo_1/sequence.0", 0, ["Cube", "Cube", None, None], ["Cube"])
    own = unity_solo.own_classes(tmp_path)
    files = unity_solo.find(tmp_path, "train")
    assert own.classes == ("Crate", "Cube")
    assert [pair.name for pair in files.pairs] == ["solo/sequence.0/step0.camera", "solo_1/sequence.0/step0.camera"]
    assert label_of(files, 0, own) == [0, 0, 255, 255] and label_of(files, 1, own) == [1, 1, 255, 255]
    assert list(recognition.recognise(tmp_path)) == ["unity_solo"]


def test_splits_are_folders(tmp_path):
    for split, name in (("train", "Crate"), ("val", "Cube")):
        definitions(tmp_path / split, "Crate", "Cube")
        frame(tmp_path / split / "sequence.0", 0, [name, None], [name])
    files = unity_solo.find(tmp_path, "val")
    assert [pair.name for pair in files.pairs] == ["sequence.0/step0.camera"]
    assert label_of(files, 0, unity_solo.own_classes(tmp_path)) == [1, 1, 255, 255]
    assert unity_solo.find(tmp_path, "test").pairs == []
    assert list(recognition.recognise(tmp_path)) == ["unity_solo"]


def test_black_may_be_the_colour_of_a_label(tmp_path):
    definitions(tmp_path)
    frame(tmp_path / "sequence.0", 0, ["Crate", None], ["Crate"])
    path = tmp_path / "sequence.0/step0.frame_data.json"
    content = json.loads(path.read_text())
    content["captures"][0]["annotations"][1]["instances"].append({"labelName": "floor", "pixelValue": [0, 0, 0, 255]})
    path.write_text(json.dumps(content))
    own = unity_solo.own_classes(tmp_path)
    assert own.classes == ("Crate", "floor")
    assert label_of(unity_solo.find(tmp_path, "train"), 0, own) == [0, 0, 1, 1]


def test_what_cannot_be_used_is_listed_with_its_reason(tmp_path):
    definitions(tmp_path, "Crate", "Cube")
    folder = tmp_path / "sequence.0"
    frame(folder, 0, ["Crate", "sky"], ["Crate"])  # a colour that nothing names
    frame(folder, 1, ["Crate"], ["Crate"], with_label=False)
    frame(folder, 2, ["Crate"], ["Crate"])
    frame(folder, 3, ["Crate"], ["Crate"])
    frame(folder, 4, ["Crate", "sky"], ["sky"])  # a label that the definitions lack
    (folder / "step2.frame_data.json").write_text('{"captures": [')
    (folder / "step3.frame_data.json").unlink()
    files = unity_solo.find(tmp_path, "train")
    assert [(pair.image.name, pair.labelled) for pair in files.pairs] == [
        ("step0.camera.png", True),
        ("step1.camera.png", False),
        ("step4.camera.png", True),
    ]
    damaged, *unnamed = files.skipped
    assert damaged.path.endswith("step2.frame_data.json") and damaged.reason.startswith("cannot be read: ")
    assert [(skipped.path, skipped.reason) for skipped in unnamed] == [
        (str(folder / "step3.camera.png"), "is named by no frame_data.json"),
        (str(folder / "step3.camera.semantic segmentation.png"), "is named by no frame_data.json"),
    ]
    with pytest.raises(Unusable, match=r"holds colours that no file gives a class: \(10, 20, 30\)$"):
        label_of(files, 0, files.labels.classes)
    with pytest.raises(Unusable, match=r"has the labels sky, which annotation_definitions\.json lacks"):
        label_of(files, 2, files.labels.classes)


def test_two_labels_of_one_colour_are_refused(tmp_path):
    definitions(tmp_path)
    frame(tmp_path / "sequence.0", 0, ["Crate"], ["Crate"])
    path = tmp_path / "sequence.0/step0.frame_data.json"
    content = json.loads(path.read_text())
    content["captures"][0]["annotations"][1]["instances"].append({"labelName": "Box", "pixelValue": [0, 255, 43, 255]})
    path.write_text(json.dumps(content))
    files = unity_solo.find(tmp_path, "train")
    assert not files.pairs and [skipped.reason for skipped in files.skipped] == [
        "gives the colour (0, 255, 43) to two labels, Crate and Box"
    ]
