"""The checks on sets of records, and the warnings of `data prepare` and `data inspect`."""

import pytest
from labelled_scenes import CLASSES, scene
from PIL import Image

from udas_tf import cli
from udas_tf.data import records
from udas_tf.data.checks import on_records
from udas_tf.data.sample import Sample
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

CLASS_SET = ClassSet("scenes", CLASSES, ((0, 0, 0),) * len(CLASSES))


def write(directory, seeds, role="training", labelled=True, mirrored=False):
    def samples(indices):
        for index in indices:
            image, label = scene(seeds[index])
            label = label[:, ::-1] if mirrored else label
            yield Sample(f"scene_{seeds[index]}", image, label.copy() if labelled else None)

    records.write(directory, role, len(seeds), samples, shard_images=8, provenance={}, label="test")
    return directory


def test_a_mirrored_source_is_found_and_the_target_is_right(tmp_path):
    source = write(tmp_path / "source", range(8), mirrored=True)
    target = write(tmp_path / "labelled", range(20, 28))
    (found,) = on_records.on_labels([source], [target], CLASS_SET)
    assert found.kind == "label_flipped" and "labels of the source" in found.text


def test_labels_of_validation_are_refused_and_its_images_are_compared_without_them(tmp_path):
    target = write(tmp_path / "target", range(8), labelled=False)
    validation = write(tmp_path / "val", [30, 31, 5], role="validation", mirrored=True)
    (found,) = on_records.on_splits([target], [validation])
    assert found.kind == "in_train_and_val" and "scene_5 = scene_5" in found.text
    with pytest.raises(UserError, match="training may not open"):
        on_records.on_labels([], [validation], CLASS_SET)


def test_a_budget_is_judged_by_the_counts_of_its_manifest(tmp_path):
    source, target = write(tmp_path / "source", range(2)), write(tmp_path / "target", range(2))
    assert on_records.on_counts(source, target, CLASS_SET) == []
    more = ClassSet("more", (*CLASSES, "bus"), ((0, 0, 0),) * 5)
    (found,) = on_records.on_counts(source, target, more)
    assert found.text == "the 2 labelled target images show 4 of the 5 classes, and not bus"
    assert on_records.on_counts(source, None, more) == []


def write_folder(root, seeds, mirrored=False):
    """A folder data set; numbers as names."""
    for name in ("images", "labels"):
        (root / name).mkdir(parents=True)
    for seed in seeds:
        image, label = scene(seed)
        Image.fromarray(image).save(root / f"images/{seed}.png")
        Image.fromarray(label[:, ::-1] if mirrored else label).save(root / f"labels/{seed}.png")


def test_preparing_warns_once_and_inspecting_lists_it(tmp_path, capsys):
    classes = tmp_path / "classes.yaml"
    listed = ", ".join(f"{{name: {name}, colour: [{number}, 0, 0]}}" for number, name in enumerate(CLASSES, start=1))
    classes.write_text(f"name: scenes\nclasses: [{listed}]\n")
    write_folder(tmp_path / "source", range(8), mirrored=True)
    write_folder(tmp_path / "target/train", range(20, 28))
    write_folder(tmp_path / "target/val", [40, 41, 42, 23])
    for name in ("source", "target"):
        (tmp_path / name / "classes.yaml").write_text(classes.read_text())
    values = {
        "classes": classes,
        "data.size": "96,160",
        "data.source.dataset": "folder",
        "data.source.root": tmp_path / "source",
        "data.target.dataset": "folder",
        "data.target.root": tmp_path / "target",
        "data.target.labelled": 8,
    }
    flags = [f"--workdir={tmp_path / 'run'}", *(f"--config.{key}={value}" for key, value in values.items())]
    assert cli.main(["data", "prepare", "--config=configs/base.py", *flags]) == 0
    printed = capsys.readouterr().err
    assert "labels of the source fit their images better mirrored left to right; look at the mosaic" in printed
    assert "1 of 4 validation images of the target are among its training images too: 23 = 23" in printed
    assert "labels of the target" not in printed
    assert cli.main(["data", "prepare", f"--workdir={tmp_path / 'run'}"]) == 0
    assert "mirrored" not in capsys.readouterr().err
    assert cli.main(["data", "inspect", f"--workdir={tmp_path / 'run'}"]) == 0
    assert "1. The labels of the source fit their images better mirrored left to right." in capsys.readouterr().out
