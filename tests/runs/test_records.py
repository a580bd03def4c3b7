"""The records of a run, and those of a data set for many runs."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from udas_tf import cli
from udas_tf.config import base_config, override
from udas_tf.data.records import read, read_manifest, writing
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.runs import records

SIZE = (8, 16)
VALUES = {"data.size": "8,16", "data.shard_images": "4"}
SETS = ("source_train", "target_unlabelled", "target_labelled", "target_hidden", "target_val")


def write_pair(directory, name, label=0, size=SIZE, seed=0):
    """An image, and its label of one id unless that is None."""
    (directory / "images").mkdir(parents=True, exist_ok=True)
    (directory / "labels").mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)
    Image.fromarray(pixels).save(directory / f"images/{name}.png")
    if label is not None:
        Image.fromarray(np.full(size, label, np.uint8)).save(directory / f"labels/{name}.png")


@pytest.fixture
def gta5(tmp_path):
    """Twelve frames, five of them damaged, each in its own way."""
    root = tmp_path / "gta5"
    for number in range(12):
        write_pair(root, f"{number:05d}", 7, seed=number)
    write_pair(root, "00002", 7, size=(9, 16))  # the label of another size
    write_pair(root, "00003", 99)  # an id that no class has
    image, label = root / "images/00005.png", root / "labels/00006.png"
    image.write_bytes(image.read_bytes()[:-60])  # truncated
    label.write_bytes(b"no picture")
    (root / "labels/00009.png").unlink()
    (root / "images/00011.png").unlink()
    return root


SKIPPED = {  # path from the root -> in the reason
    "labels/00011.png": "without an image",
    "images/00009.png": "has no label",
    "labels/00002.png": "is 9x16, its image 8x16",
    "labels/00003.png": "label ids outside the map of its data set: 99",
    "images/00005.png": "cannot be read",
    "labels/00006.png": "cannot be read",
}


def prepare_gta5(root, output, *more):
    flags = [f"--root={root}", f"--output={output}", *(f"--config.{key}={VALUES[key]}" for key in VALUES)]
    return cli.main(["data", "prepare", "--dataset=gta5", *flags, *more])


def test_every_kind_of_damage_is_listed_and_skipped(gta5, tmp_path, capsys):
    assert prepare_gta5(gta5, tmp_path / "out") == 0
    printed = capsys.readouterr()
    manifest = read_manifest(tmp_path / "out/train")
    found = {file.path.removeprefix(f"{gta5}/"): file.reason for file in manifest.skipped}
    assert set(found) == set(SKIPPED)
    for path, reason in SKIPPED.items():
        assert reason in found[path]
        assert f"skipped {gta5 / path}: " in printed.err
    assert manifest.count == manifest.with_label == 6
    assert manifest.labelled_ids == ["00000", "00001", "00004", "00007", "00008", "00010"]
    assert manifest.role == "training"
    assert "published with 24966 images" in printed.err

    report = json.loads((tmp_path / "out/report.json").read_text())
    assert (report["dataset"], report["class_set"], report["size"]) == ("gta5", "cityscapes", [8, 16])
    train = report["splits"]["train"]
    assert (train["images"], train["labelled"], train["published"]) == (6, 6, 24966)
    assert train["skipped"] == [dataclasses.asdict(file) for file in manifest.skipped]
    assert train["pixels"]["road"] == 6 * 8 * 16 and train["pixels"]["sky"] == 0 == train["ignored"]
    lines = {line.split("  ")[0]: line.split()[-1] for line in printed.out.splitlines() if line}
    assert (lines["images"], lines["skipped"], lines["road"], lines["sky"]) == ("6", "6", "768", "-")
    assert not list(tmp_path.glob("out/**/*.tmp"))


def test_strict_makes_the_first_an_error(gta5, tmp_path, capsys):
    for path in ("labels/00011.png", "images/00009.png"):  # those that are noticed before anything is read
        (gta5 / path).unlink()
    assert prepare_gta5(gta5, tmp_path / "out", "--strict") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"udas: {gta5}/labels/00002.png is 9x16, its image 8x16; without --strict")
    assert not is_finished(tmp_path / "out/train")
    assert not list(tmp_path.glob("out/**/*.tfrecord*"))
    assert prepare_gta5(gta5, tmp_path / "out") == 0
    assert prepare_gta5(gta5, tmp_path / "out", "--strict") == 2  # also when the set is there already


def test_killed_and_resumed_the_records_are_those_of_an_unbroken_run(gta5, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert prepare_gta5(gta5, whole) == 0
    write_shard = writing._write_shard

    def killed(path, *arguments):
        if path.name.startswith("00001"):
            raise KeyboardInterrupt
        return write_shard(path, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(writing, "_write_shard", killed)
        assert prepare_gta5(gta5, broken) == 130
    assert not is_finished(broken / "train")
    first = broken / "train/00000-of-00003.tfrecord"
    before = first.stat().st_mtime_ns
    assert prepare_gta5(gta5, broken) == 0
    assert first.stat().st_mtime_ns == before
    for path in (whole / "train").iterdir():
        assert (broken / "train" / path.name).read_bytes() == path.read_bytes()


def test_a_finished_set_is_not_made_again_and_not_taken_for_another(gta5, tmp_path, capsys):
    assert prepare_gta5(gta5, tmp_path / "out") == 0
    manifest = tmp_path / "out/train/manifest.json"
    before = manifest.stat().st_mtime_ns
    assert prepare_gta5(gta5, tmp_path / "out") == 0
    assert manifest.stat().st_mtime_ns == before
    capsys.readouterr()
    assert prepare_gta5(gta5, tmp_path / "out", "--config.data.size=4,8") == 2
    assert "out/train holds a set made with other settings; remove it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset=gta5"], "needs --root and --output"),
        (["--dataset=gta5", "--root=a", "--output=b", "--workdir=c"], "takes no --workdir"),
        (["--root=a"], "--root and --output belong to --dataset"),
        (
            ["--dataset=gta5", "--root=nowhere", "--output=b"],
            "no images of gta5 in nowhere; expected images/",
        ),
        (["--dataset=kitti"], "gta5"),
    ],
)
def test_mistakes_are_told(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["data", "prepare", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_with_classes_of_its_own_is_prepared_in_them(tmp_path):
    root = tmp_path / "mine"
    write_pair(root / "train", "a", 200)
    write_pair(root / "val", "b", 100)
    classes = "[{name: floor, colour: [9, 9, 9]}, {name: shelf, colour: [1, 2, 3]}]"
    (root / "classes.yaml").write_text(f"name: mine\nclasses: {classes}\nids: {{100: floor, 200: shelf}}\n")
    config = override(base_config(), VALUES)
    report = records.prepare_dataset(config, None, "folder", str(root), str(tmp_path / "out"))
    assert report.class_set == "mine"
    assert {name: part.pixels for name, part in report.splits.items()} == {
        "train": {"floor": 0, "shelf": 128},
        "val": {"floor": 128, "shelf": 0},
    }
    assert read_manifest(tmp_path / "out/val").role == "validation"


def test_pixels_that_took_the_nearest_colour_are_counted_in_the_report(tmp_path, capsys):
    for name, red in (("a", 10), ("b", 12)):
        write_pair(tmp_path / "mine/train", name)
        pixels = np.full((*SIZE, 3), [red, 0, 0], np.uint8)
        pixels[0, :3] = [248, 1, 0]
        Image.fromarray(pixels).save(tmp_path / f"mine/train/labels/{name}.png")
    classes = "[{name: a, colour: [10, 0, 0]}, {name: b, colour: [250, 0, 0]}]"
    (tmp_path / "mine/classes.yaml").write_text(f"classes: {classes}\nbetween: nearest\n")
    config = override(base_config(), VALUES)
    report = records.prepare_dataset(config, None, "folder", str(tmp_path / "mine"), str(tmp_path / "out"))
    assert read_manifest(tmp_path / "out/train").nearest_colours == 3 + 128
    assert report.splits["train"].warnings[-1] == (
        "131 pixels of the label files have no class's colour and took the nearest one"
    )
    assert report.splits["train"].pixels == {"a": 250, "b": 6}


@pytest.fixture
def config(tmp_path):
    """Streets as source; a folder of 30 labelled images as target."""
    for number in range(30):
        write_pair(tmp_path / "camera/train", f"{number:02d}", number % 11, seed=number)
    for number in range(3):
        write_pair(tmp_path / "camera/val", f"v{number}", 3)
    values = {
        "data.size": "32,64",
        "data.source.images": "2",
        "data.target.dataset": "folder",
        "data.target.root": str(tmp_path / "camera"),
        "data.target.images": None,
        "data.target.labelled": "12",
        "data.target.val_images": None,
    }
    return override(base_config(), values)


def prepare(config, path, strict=False) -> RunDir:
    run = open_run(config, RunDir(path))
    records.prepare(run, strict)
    return run.dir


def labelled_ids(run_dir, name):
    return read_manifest(run_dir.data(name)).labelled_ids


def test_the_sets_of_a_run(config, tmp_path):
    run_dir = prepare(config, tmp_path / "run")
    manifests = {name: read_manifest(run_dir.data(name)) for name in SETS}
    assert {name: manifest.role for name, manifest in manifests.items()} == {
        "source_train": "training",
        "target_labelled": "training",
        "target_unlabelled": "training",
        "target_hidden": "hidden",
        "target_val": "validation",
    }
    counts = {name: (manifest.count, manifest.with_label) for name, manifest in manifests.items()}
    assert counts == {
        "source_train": (2, 2),
        "target_labelled": (12, 12),
        "target_unlabelled": (30, 0),
        "target_hidden": (18, 18),
        "target_val": (3, 3),
    }
    assert labelled_ids(run_dir, "target_labelled") == [f"{number:02d}" for number in range(12)]
    assert labelled_ids(run_dir, "target_hidden") == [f"{number:02d}" for number in range(12, 30)]


def test_once_prepared_a_run_needs_its_raw_data_no_more(config, tmp_path, monkeypatch):
    run_dir = prepare(config, tmp_path / "run")
    (tmp_path / "camera").rename(tmp_path / "elsewhere")
    prepare(config, run_dir.path)
    with pytest.raises(UserError, match="no train images of folder"):
        prepare(override(config, {"data.target.labelled": "13"}), run_dir.path)
    (tmp_path / "elsewhere").rename(tmp_path / "camera")
    with pytest.raises(UserError, match="target_labelled holds a set made with other settings; remove it"):
        prepare(override(config, {"data.target.labelled": "13"}), run_dir.path)


def chosen(config, tmp_path, labelled, seed):
    values = {"data.target.labelled": str(labelled), "data.target.label_seed": str(seed)}
    run_dir = prepare(override(config, values), tmp_path / f"run-{labelled}-{seed}")
    found = set(labelled_ids(run_dir, "target_labelled"))
    assert len(found) == labelled
    hidden = set(labelled_ids(run_dir, "target_hidden"))
    assert not found & hidden and len(found | hidden) == 30
    with pytest.raises(UserError, match="training may not open"):
        read(run_dir.data("target_hidden"), purpose="training", fields=("label",))
    return found


def test_labelled_images_of_a_seed_are_nested_and_those_of_another_are_others(config, tmp_path):
    five, twelve = (chosen(config, tmp_path, labelled, 7) for labelled in (5, 12))
    assert five < twelve
    assert twelve != chosen(config, tmp_path, 12, 8)
    assert twelve != {f"{number:02d}" for number in range(12)}


def test_a_budget_beyond_the_labels_is_refused(config, tmp_path):
    with pytest.raises(UserError, match=r"data\.target\.labelled=31, and 30 images have labels"):
        prepare(override(config, {"data.target.labelled": "31"}), tmp_path / "run")


def test_all_labels_of_none_are_refused(config, tmp_path):
    for path in (tmp_path / "camera/train/labels").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"data\.target\.labelled=none takes all labelled images, and no image has"):
        prepare(override(config, {"data.target.labelled": None}), tmp_path / "run")


@pytest.mark.parametrize(("labelled", "absent"), [(None, "target_hidden"), ("0", "target_labelled")])
def test_sets_without_images_are_not_written(config, tmp_path, labelled, absent):
    run_dir = prepare(override(config, {"data.target.labelled": labelled}), tmp_path / "run")
    assert {name for name in SETS if not is_finished(run_dir.data(name))} == {absent}


def test_images_held_out_for_tuning_are_in_no_training_set(config, tmp_path):
    values = {"data.target.val": "train_tail", "data.target.val_images": "6"}
    run_dir = prepare(override(config, values), tmp_path / "run")
    held_out = {f"{number:02d}" for number in range(24, 30)}
    assert set(labelled_ids(run_dir, "target_val")) == held_out
    assert not held_out & set(labelled_ids(run_dir, "target_labelled") + labelled_ids(run_dir, "target_hidden"))
    unlabelled, _ = read(run_dir.data("target_unlabelled"), purpose="training", fields=("id",))
    ids = {record["id"].decode() for record in unlabelled.as_numpy_iterator()}
    assert len(ids) == 24 and not held_out & ids


def test_damaged_target_images_are_left_out_and_named_once_a_set(config, tmp_path, caplog):
    (tmp_path / "camera/train/images/03.png").write_bytes(b"no picture")
    run_dir = prepare(config, tmp_path / "run")
    assert read_manifest(run_dir.data("target_unlabelled")).count == 29
    assert read_manifest(run_dir.data("target_labelled")).count == 11
    told = [record.getMessage() for record in caplog.records if "skipped" in record.getMessage()]
    assert [text.partition(":")[0] for text in told] == ["target_unlabelled", "target_labelled"]
    with pytest.raises(UserError, match=r"images/03\.png cannot be read"):
        prepare(config, tmp_path / "strict", strict=True)


def test_a_set_prepared_once_serves_runs(gta5, config, tmp_path):
    own = override(base_config(), VALUES)
    records.prepare_dataset(own, None, "gta5", str(gta5), str(tmp_path / "out"))
    values = {
        "data.size": "8,16",
        "data.source.dataset": "records",
        "data.source.root": str(tmp_path / "out"),
        "data.source.images": None,
    }
    run_dir = prepare(override(config, values), tmp_path / "run")
    shared = read_manifest(tmp_path / "out/train")
    source = read_manifest(run_dir.data("source_train"))
    assert source.shards == shared.shards and source.labelled_ids == shared.labelled_ids
    assert all(path.is_symlink() for path in run_dir.data("source_train").glob("*.tfrecord"))
    prepare(override(config, values), run_dir.path)  # and is then finished

    mapped = prepare(override(config, {**values, "classes": "camvid", "data.source.images": "2"}), tmp_path / "mapped")
    source = read_manifest(mapped.data("source_train"))
    assert source.count == 2 and np.flatnonzero(source.class_pixels).tolist() == [3]  # road
    assert not any(path.is_symlink() for path in mapped.data("source_train").iterdir())


def test_a_prepared_target_keeps_its_labels_behind_the_guard(config, tmp_path):
    own = override(base_config(), {"data.size": "8,16"})
    records.prepare_dataset(own, None, "folder", config.data.target.root, str(tmp_path / "out"))
    values = {
        "data.size": "8,16",
        "data.target.dataset": "records",
        "data.target.root": str(tmp_path / "out"),
    }
    values |= {"data.source.dataset": "records", "data.source.root": str(tmp_path / "out")}
    run_dir = prepare(override(config, values), tmp_path / "run")
    manifests = {name: read_manifest(run_dir.data(name)) for name in SETS}
    assert manifests["target_unlabelled"].with_label == 0 == sum(manifests["target_unlabelled"].class_pixels)
    assert manifests["target_labelled"].count == 12 and manifests["target_hidden"].count == 18
    assert manifests["target_hidden"].role == "hidden"
    assert manifests["target_val"].count == 3


def test_a_prepared_target_that_is_linked_whole_can_be_resumed(config, tmp_path):
    own = override(base_config(), {"data.size": "8,16"})
    records.prepare_dataset(own, None, "folder", config.data.target.root, str(tmp_path / "out"))
    values = {
        f"data.{domain}.{key}": value
        for domain in ("source", "target")
        for key, value in (("dataset", "records"), ("root", str(tmp_path / "out")))
    }
    values |= {"data.size": "8,16", "data.target.labelled": None}
    run_dir = prepare(override(config, values), tmp_path / "run")
    assert any(path.is_symlink() for path in run_dir.data("target_labelled").iterdir())
    (run_dir.path / "data" / records.INDEX).unlink()  # as if it had been killed before
    prepare(override(config, values), run_dir.path)


def test_validation_labels_at_full_size_are_a_set_of_their_own(tmp_path):
    sizes = {"data.size": "32,64", "data.target.val_full_size": "64,128"}
    counts = {
        "data.source.images": 1,
        "data.target.images": 2,
        "data.target.labelled": 1,
        "data.target.val_images": 2,
    }
    config = override(base_config(), sizes | {key: str(value) for key, value in counts.items()})
    run_dir = prepare(config, tmp_path)
    small, full = (read_manifest(run_dir.data(name)) for name in ("target_val", "target_val_full"))
    assert (small.size, full.size) == ((32, 64), (64, 128))
    assert small.role == full.role == "validation"
    assert small.labelled_ids == full.labelled_ids and full.count == 2
