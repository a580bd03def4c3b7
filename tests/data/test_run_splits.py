import layout_files
import numpy as np
import pytest

from udas_tf.config import base_config, override
from udas_tf.data import run_splits, streets
from udas_tf.data.class_sets import CITYSCAPES
from udas_tf.errors import UserError

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
    """A config whose target is a folder: ten training images, all but the first labelled, and three for validation."""
    for number in range(10):
        layout_files.image(tmp_path / f"train/images/{number}.png", number)
        if number:
            layout_files.ids(tmp_path / f"train/labels/{number}.png", number, 255)
    for number in range(3):
        layout_files.image(tmp_path / f"val/images/v{number}.png")
        layout_files.ids(tmp_path / f"val/labels/v{number}.png", 18, 255)
    return override(
        config,
        {"data.target.dataset": "folder", "data.target.root": str(tmp_path), "data.target.images": "none"},
    )


def names(split):
    return [split.sample(index).id for index in range(split.count)]


@pytest.mark.parametrize(
    ("make", "name", "count"),
    [
        (run_splits.source_train, "sim_train", 3),
        (run_splits.target_train, "real_train", 4),
        (run_splits.target_val, "real_val", 2),
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


@pytest.mark.parametrize(
    ("key", "make"),
    [
        ("data.source", run_splits.source_train),
        ("data.target", run_splits.target_train),
        ("data.target", run_splits.target_val),
    ],
)
def test_an_unknown_data_set_is_named(config, key, make):
    config = override(config, {f"{key}.dataset": "kitti", f"{key}.root": "/data"})
    with pytest.raises(
        UserError, match=f"{key}.dataset='kitti' is unknown; expected one of .*camvid, .*cityscapes, .*folder"
    ):
        make(config, CITYSCAPES)


def test_data_sets_in_files_need_a_root(config):
    with pytest.raises(UserError, match="data.source.dataset='gta5' needs data.source.root"):
        run_splits.source_train(override(config, {"data.source.dataset": "gta5"}), CITYSCAPES)


def test_extra_images_may_have_the_names_of_others(camera, tmp_path):
    for number in range(2):
        layout_files.image(tmp_path / f"train_extra/images/{number}.png")
    config = override(camera, {"data.target.extra": "true"})
    found = names(run_splits.target_train(config, CITYSCAPES))
    assert len(found) == len(set(found)) == 12


def test_damage_is_told_when_its_turn_comes(camera, tmp_path):
    (tmp_path / "train/images/0.png").write_bytes(b"no picture")
    layout_files.ids(tmp_path / "train/labels/2.png", 77, 255)
    split = run_splits.target_train(camera, CITYSCAPES)
    assert split.sample(0).path.endswith("images/0.png") and "cannot be read" in split.sample(0).reason
    assert split.sample(2).path.endswith("labels/2.png") and "outside the map" in split.sample(2).reason
    assert split.without_labels().sample(2).label is None  # the label is not even opened


def test_a_target_is_labelled_in_part(camera):
    split = run_splits.target_train(camera, CITYSCAPES)
    assert split.count == 10 and list(split.labelled) == list(range(1, 10)) and split.warnings == ()
    assert split.sample(0).label is None
    assert np.unique(split.sample(4).label).tolist() == [4, 255]
    fewer = run_splits.target_train(override(camera, {"data.target.images": "3"}), CITYSCAPES)
    assert fewer.count == 3 and list(fewer.labelled) == [1, 2]
    assert run_splits.target_val(camera, CITYSCAPES).count == 2


def test_as_source_only_labelled_images_count(camera, config, tmp_path):
    config = override(
        config,
        {"data.source.dataset": "folder", "data.source.root": str(tmp_path), "data.source.images": "4"},
    )
    split = run_splits.source_train(config, CITYSCAPES)
    assert names(split) == ["1", "2", "3", "4"]
    assert [file.reason.split(";")[0] for file in split.skipped] == ["has no label"]


def test_validation_without_labels_is_refused(camera, tmp_path):
    for path in (tmp_path / "val/labels").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="no image has a label where all need one; .*val/labels/v0.png"):
        run_splits.target_val(camera, CITYSCAPES)


def test_a_missing_split_is_named(camera, tmp_path):
    config = override(camera, {"data.target.val": "test"})
    with pytest.raises(UserError, match=f"no test images of folder in {tmp_path}; expected images/"):
        run_splits.target_val(config, CITYSCAPES)


def test_the_tail_of_train_is_held_out(camera):
    config = override(camera, {"data.target.val": "train_tail", "data.target.val_images": "3"})
    train, val = run_splits.target_train(config, CITYSCAPES), run_splits.target_val(config, CITYSCAPES)
    assert names(val) == ["7", "8", "9"] and len(val.labelled) == 3
    assert names(train) == ["0", "1", "2", "3", "4", "5", "6"] and list(train.labelled) == [1, 2, 3, 4, 5, 6]
    assert train.provenance != run_splits.target_train(camera, CITYSCAPES).provenance
    fewer = run_splits.target_train(override(config, {"data.target.images": "2"}), CITYSCAPES)
    assert names(fewer) == ["0", "1"]
    for count in (9, 10):
        with pytest.raises(UserError, match=f"val_images={count} of the 9 labelled"):
            run_splits.target_val(override(config, {"data.target.val_images": str(count)}), CITYSCAPES)


def test_the_tail_is_made_of_labelled_images(camera, tmp_path):
    for number in (7, 9):
        (tmp_path / f"train/labels/{number}.png").unlink()
    config = override(camera, {"data.target.val": "train_tail", "data.target.val_images": "2"})
    assert names(run_splits.target_val(config, CITYSCAPES)) == ["6", "8"]
    assert names(run_splits.target_train(config, CITYSCAPES)) == ["0", "1", "2", "3", "4", "5", "7", "9"]


def test_streets_draws_as_many_as_are_held_out(config):
    config = override(config, {"data.target.val": "train_tail"})
    assert names(run_splits.target_train(config, CITYSCAPES)) == [f"real_train_{i:06d}" for i in range(4)]
    assert names(run_splits.target_val(config, CITYSCAPES)) == ["real_train_000004", "real_train_000005"]


def test_extra_images_come_after_those_of_train_and_have_no_labels(camera, tmp_path):
    for number in range(2):
        layout_files.image(tmp_path / f"train_extra/images/e{number}.png")
        layout_files.ids(tmp_path / f"train_extra/labels/e{number}.png", 0)
    config = override(camera, {"data.target.extra": "true", "data.target.images": "4"})
    split = run_splits.target_train(config, CITYSCAPES)
    assert names(split) == ["0", "1", "2", "3", "train_extra_e0", "train_extra_e1"]
    assert list(split.labelled) == [1, 2, 3] and split.sample(5).label is None
    assert split.provenance["extra"] == 2


def test_what_draws_streets_may_be_another(config):
    asked = []

    def draw(*picture):
        asked.append(picture)
        return streets.render(*picture)

    split = run_splits.source_train(config, CITYSCAPES, draw)
    split.sample(2)
    assert asked == [("sim", "train", 2, 5, SIZE)]


def test_the_label_budget_takes_the_first_labels_and_hides_the_others(camera):
    target = run_splits.target_train(override(camera, {"data.target.labelled": "4"}), CITYSCAPES)
    seen, hidden = run_splits.label_budget(override(camera, {"data.target.labelled": "4"}), target)
    assert names(seen) == ["1", "2", "3", "4"] and names(hidden) == ["5", "6", "7", "8", "9"]
    assert seen.provenance["labelled"] == 4 and seen.provenance["label_seed"] is None


def test_label_budgets_of_one_seed_are_nested(camera):
    target = run_splits.target_train(camera, CITYSCAPES)

    def budget(labelled, seed):
        keys = {"data.target.labelled": str(labelled), "data.target.label_seed": str(seed)}
        seen, hidden = run_splits.label_budget(override(camera, keys), target)
        assert not set(names(seen)) & set(names(hidden)) and seen.count + hidden.count == 9
        return set(names(seen))

    assert budget(2, 7) < budget(5, 7) < budget("none", 7)
    assert any(budget(2, 7) != budget(2, seed) for seed in range(8, 12))


def test_a_label_budget_beyond_the_labels_is_refused(camera):
    config = override(camera, {"data.target.labelled": "10"})
    with pytest.raises(UserError, match="data.target.labelled=10, and 9 images have labels"):
        run_splits.label_budget(config, run_splits.target_train(config, CITYSCAPES))
