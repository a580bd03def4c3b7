import layout_files
import numpy as np
import pytest
from PIL import Image

from udas_tf import command_flags
from udas_tf.config import base_config, override
from udas_tf.data import class_file, datasets, splits
from udas_tf.errors import UserError
from udas_tf.taxonomy import CAMVID, CITYSCAPES

SIZE = (32, 64)


@pytest.fixture
def config():
    return override(
        base_config(),
        {
            "seed": "5",
            "data.size": "32,64",
            "data.source.images": "3",
            "data.target.images": "4",
            "data.target.val_images": "2",
        },
    )


@pytest.fixture
def camera(config, tmp_path):
    """A config whose target is a folder of ten training images, all but the first labelled, and three for validation."""
    for number in range(10):
        layout_files.image(tmp_path / f"train/images/{number}.png", number)
        if number:
            layout_files.ids(tmp_path / f"train/labels/{number}.png", number, 255)
    for number in range(3):
        layout_files.image(tmp_path / f"val/images/v{number}.png")
        layout_files.ids(tmp_path / f"val/labels/v{number}.png", 18, 255)
    return override(
        config,
        {"data.target.dataset": "folder", "data.target.root": str(tmp_path), "data.target.images": "0"},
    )


def names(split):
    return [split.sample(index).id for index in range(split.count)]


@pytest.mark.parametrize(
    ("make", "name", "count"),
    [
        (datasets.source_train, "sim_train", 3),
        (datasets.target_train, "real_train", 4),
        (datasets.target_val, "real_val", 2),
    ],
)
def test_splits_of_a_config(config, make, name, count):
    split = make(config, CITYSCAPES)
    assert split.count == count
    assert split.provenance["dataset"] == "streets" and split.provenance["seed"] == 5
    assert split.provenance["split"] == name.replace("_", "/") and split.provenance["size"] == list(SIZE)
    sample = split.sample(1)
    assert sample.id == f"{name}_000001"
    assert sample.image.shape == (*SIZE, 3) and sample.image.dtype == np.uint8
    assert sample.label.shape == SIZE and sample.label.dtype == np.uint8
    assert set(np.unique(sample.label)) <= {*range(19), 255}
    assert sample.confidence is None
    assert sample.provenance == split.provenance


def test_samples_follow_from_domain_split_index_and_seed():
    def image(domain="real", split="train", index=0, seed=0):
        return splits.of_streets(domain, split, 2, SIZE, seed).sample(index).image

    np.testing.assert_array_equal(image(), image())
    for other in ({"domain": "sim"}, {"split": "val"}, {"index": 1}, {"seed": 1}):
        assert np.any(image(**other) != image()), other


def test_streets_in_the_classes_of_camvid():
    nineteen, eleven = (
        splits.of_streets("sim", "train", 1, SIZE, 0, classes).sample(0).label
        for classes in (CITYSCAPES, CAMVID)
    )
    road, sky = nineteen == CITYSCAPES.id_of("road"), nineteen == CITYSCAPES.id_of("sky")
    assert road.any() and (eleven[road] == CAMVID.id_of("road")).all()
    assert (eleven[sky] == CAMVID.id_of("sky")).all()
    assert set(np.unique(eleven)) <= {*range(11), 255}


@pytest.mark.parametrize("count", [0, -1])
def test_a_split_without_images_is_refused(count):
    with pytest.raises(UserError, match=f"streets sim/train: {count} images asked for"):
        splits.of_streets("sim", "train", count, SIZE, 0)


def test_a_split_streets_does_not_have_is_refused():
    with pytest.raises(UserError, match="streets has no split 'train_extra'"):
        splits.of_streets("real", "train_extra", 1, SIZE, 0)


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("data.source", datasets.source_train),
        ("data.target", datasets.target_train),
        ("data.target", datasets.target_val),
    ],
)
def test_an_unknown_data_set_is_named(config, key, make):
    config = override(config, {f"{key}.dataset": "kitti", f"{key}.root": "/data"})
    with pytest.raises(
        UserError, match=f"{key}.dataset='kitti' is unknown; expected streets, records, gta5, city"
    ):
        make(config, CITYSCAPES)


def test_data_sets_in_files_need_a_root(config):
    with pytest.raises(UserError, match="data.source.dataset='gta5' needs data.source.root"):
        datasets.source_train(override(config, {"data.source.dataset": "gta5"}), CITYSCAPES)


def test_the_command_line_names_every_data_set():
    assert tuple(datasets.DATASETS) == command_flags.DATASETS


def test_gta5_as_source(config, tmp_path):
    layout_files.gta5(tmp_path)
    layout_files.palette_png(tmp_path / "labels/00002.png", 7, size=(9, 16))  # the odd frame
    (tmp_path / "labels/00003.png").unlink()
    config = override(
        config,
        {"data.source.dataset": "gta5", "data.source.root": str(tmp_path), "data.source.images": "0"},
    )
    split = datasets.source_train(config, CITYSCAPES)
    assert (split.count, list(split.labelled)) == (2, [0, 1])
    (skipped,) = split.skipped
    assert skipped.path == str(tmp_path / "images/00003.png")
    assert skipped.reason == f"has no label; expected {tmp_path / 'labels/00003.png'}"
    (warning,) = split.warnings
    assert warning == f"gta5 train is published with 24966 images; {tmp_path} has 3"
    sample = split.sample(0)
    assert sample.id == "00001" and sample.image.shape == (*SIZE, 3)
    assert np.unique(sample.label).tolist() == [0, 13, 255]
    origin = {"dataset": "gta5", "split": "train", "file": "00001.png"}
    assert sample.provenance == origin | {"original_size": [8, 16]}
    odd = split.sample(1)
    assert (odd.path, odd.reason) == (str(tmp_path / "labels/00002.png"), "is 16x9, its image 16x8")
    assert np.unique(datasets.source_train(config, CAMVID).sample(0).label).tolist() == [3, 8, 255]


def test_images_of_a_folder_are_resized_and_their_labels_too(config, tmp_path):
    image = np.zeros((4, 8, 3), np.uint8)
    image[:, 4:] = (10, 20, 30)
    (tmp_path / "train/images").mkdir(parents=True)
    Image.fromarray(image).save(tmp_path / "train/images/a.png")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 0, 1, 255, size=(4, 8))
    config = override(
        config,
        {"data.size": "2,4", "data.target.dataset": "folder", "data.target.root": str(tmp_path)},
    )
    sample = datasets.target_train(config, CITYSCAPES).sample(0)
    np.testing.assert_array_equal(sample.label, [[0, 0, 1, 255]] * 2)
    np.testing.assert_array_equal(sample.image[:, 3], [[10, 20, 30]] * 2)


def test_extra_images_may_have_the_names_of_others(camera, tmp_path):
    for number in range(2):
        layout_files.image(tmp_path / f"train_extra/images/{number}.png")
    config = override(camera, {"data.target.extra": "true"})
    found = names(datasets.target_train(config, CITYSCAPES))
    assert len(found) == len(set(found)) == 12


def test_classes_that_the_run_lacks_are_told(config, tmp_path):
    classes = "classes: [{name: road, colour: [1, 2, 3]}, {name: shelf, colour: [4, 5, 6]}]"
    (tmp_path / "classes.yaml").write_text(f"name: depot\n{classes}\n")
    layout_files.image(tmp_path / "train/images/a.png")
    layout_files.ids(tmp_path / "train/labels/a.png", 0, 1, 255)
    config = override(config, {"data.target.dataset": "folder", "data.target.root": str(tmp_path)})
    split = datasets.target_train(config, CITYSCAPES)
    (warning,) = split.warnings
    assert warning.startswith("shelf of depot are no classes of cityscapes, the run's, and are ignored;")
    assert datasets.target_train(config, class_file.class_set(str(tmp_path / "classes.yaml"))).warnings == ()


def test_damage_is_told_when_its_turn_comes(camera, tmp_path):
    (tmp_path / "train/images/0.png").write_bytes(b"no picture")
    layout_files.ids(tmp_path / "train/labels/2.png", 77, 255)
    split = datasets.target_train(camera, CITYSCAPES)
    assert split.sample(0).path.endswith("images/0.png") and "cannot be read" in split.sample(0).reason
    assert split.sample(2).path.endswith("labels/2.png") and "outside the map" in split.sample(2).reason
    assert split.without_labels().sample(2).label is None  # the label is not even opened


def test_a_target_is_labelled_in_part(camera):
    split = datasets.target_train(camera, CITYSCAPES)
    assert split.count == 10 and list(split.labelled) == list(range(1, 10)) and split.warnings == ()
    assert split.sample(0).label is None
    assert np.unique(split.sample(4).label).tolist() == [4, 255]
    fewer = datasets.target_train(override(camera, {"data.target.images": "3"}), CITYSCAPES)
    assert fewer.count == 3 and list(fewer.labelled) == [1, 2]
    assert datasets.target_val(camera, CITYSCAPES).count == 2


def test_as_source_only_labelled_images_count(camera, config, tmp_path):
    config = override(
        config,
        {"data.source.dataset": "folder", "data.source.root": str(tmp_path), "data.source.images": "4"},
    )
    split = datasets.source_train(config, CITYSCAPES)
    assert names(split) == ["1", "2", "3", "4"]
    assert [file.reason.split(";")[0] for file in split.skipped] == ["has no label"]


def test_validation_without_labels_is_refused(camera, tmp_path):
    for path in (tmp_path / "val/labels").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no image has a label where all need one; .*val/labels/v0.png"):
        datasets.target_val(camera, CITYSCAPES)


def test_a_missing_split_is_named(camera, tmp_path):
    config = override(camera, {"data.target.val": "test"})
    with pytest.raises(UserError, match=f"no test images of folder in {tmp_path}; expected images/"):
        datasets.target_val(config, CITYSCAPES)


def test_the_tail_of_train_is_held_out(camera):
    config = override(camera, {"data.target.val": "train_tail", "data.target.val_images": "3"})
    train, val = datasets.target_train(config, CITYSCAPES), datasets.target_val(config, CITYSCAPES)
    assert names(val) == ["7", "8", "9"] and len(val.labelled) == 3
    assert names(train) == ["0", "1", "2", "3", "4", "5", "6"] and list(train.labelled) == [1, 2, 3, 4, 5, 6]
    assert train.provenance != datasets.target_train(camera, CITYSCAPES).provenance
    fewer = datasets.target_train(override(config, {"data.target.images": "2"}), CITYSCAPES)
    assert names(fewer) == ["0", "1"]
    for count in (0, 9, 10):
        with pytest.raises(UserError, match=f"val_images={count} of the 9 labelled"):
            datasets.target_val(override(config, {"data.target.val_images": str(count)}), CITYSCAPES)


def test_the_tail_is_made_of_labelled_images(camera, tmp_path):
    for number in (7, 9):
        (tmp_path / f"train/labels/{number}.png").unlink()
    config = override(camera, {"data.target.val": "train_tail", "data.target.val_images": "2"})
    assert names(datasets.target_val(config, CITYSCAPES)) == ["6", "8"]
    assert names(datasets.target_train(config, CITYSCAPES)) == ["0", "1", "2", "3", "4", "5", "7", "9"]


def test_streets_draws_as_many_as_are_held_out(config):
    config = override(config, {"data.target.val": "train_tail"})
    assert names(datasets.target_train(config, CITYSCAPES)) == [f"real_train_{i:06d}" for i in range(4)]
    assert names(datasets.target_val(config, CITYSCAPES)) == ["real_train_000004", "real_train_000005"]


def test_extra_images_come_after_those_of_train_and_have_no_labels(camera, tmp_path):
    for number in range(2):
        layout_files.image(tmp_path / f"train_extra/images/e{number}.png")
        layout_files.ids(tmp_path / f"train_extra/labels/e{number}.png", 0)
    config = override(camera, {"data.target.extra": "true", "data.target.images": "4"})
    split = datasets.target_train(config, CITYSCAPES)
    assert names(split) == ["0", "1", "2", "3", "train_extra_e0", "train_extra_e1"]
    assert list(split.labelled) == [1, 2, 3] and split.sample(5).label is None
    assert split.provenance["extra"] == 2


def test_published_counts_are_compared(tmp_path):
    layout_files.cityscapes(tmp_path, "train", "aachen", range(2))
    layout_files.cityscapes(tmp_path, "val", "lindau", range(2), ending=None)
    cityscapes = datasets.DATASETS["cityscapes"]
    train = datasets.split_of(cityscapes, tmp_path, "train", CITYSCAPES, SIZE)
    assert train.warnings == (f"cityscapes train is published with 2975 images; {tmp_path} has 2",)
    val = datasets.split_of(cityscapes, tmp_path, "val", CITYSCAPES, SIZE)
    assert val.count == 2 and not val.labelled
    assert val.warnings[1] == f"cityscapes val in {tmp_path} has no labels, and is taken as unlabelled"
    assert datasets.split_of(cityscapes, tmp_path, "train_extra", CITYSCAPES, SIZE) is None
