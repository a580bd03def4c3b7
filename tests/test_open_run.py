"""Opening a run: it keeps its class set, its config and the versions that it was begun with."""

import json
import platform
from importlib import metadata

import pytest

from udas_tf import config as configs
from udas_tf import run as runs
from udas_tf.data import class_file
from udas_tf.data.class_sets import CITYSCAPES, built_in
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir

WAREHOUSE = """name: warehouse
classes:
  - {name: floor, colour: [128, 64, 128]}
  - {name: shelf, colour: [70, 70, 70]}
  - {name: robot, colour: [0, 0, 142]}
ids: {0: null, 7: floor, 8: shelf, 9: robot}
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A directory with a classes.yaml, in which commands are started."""
    directory = tmp_path / "home"
    directory.mkdir()
    (directory / "classes.yaml").write_text(WAREHOUSE)
    monkeypatch.chdir(directory)
    return directory


@pytest.fixture
def config():
    return configs.override(configs.base_config(), {"classes": "classes.yaml"})


@pytest.fixture
def begun(home, config, tmp_path):
    """The directory of a run of these classes that has data."""
    directory = RunDir(tmp_path / "run")
    runs.save(runs.open_run(config, directory))
    directory.data("source_train").mkdir(parents=True)
    return directory


def test_a_new_run_has_the_class_set_that_the_config_names(home, config, tmp_path):
    run = runs.open_run(config, RunDir(tmp_path / "run"))
    assert run.classes == class_file.read(home / "classes.yaml").classes
    assert not run.dir.path.exists(), "opening writes nothing"
    built_in_set = configs.override(config, {"classes": "camvid"})
    assert runs.open_run(built_in_set, RunDir(tmp_path / "run")).classes == built_in()["camvid"]


def test_a_run_is_opened_from_another_directory_without_the_users_file(begun, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = runs.open_run(configs.load(begun.config), begun)
    assert run.classes.classes == ("floor", "shelf", "robot") and run.classes.name == "warehouse"
    assert run.classes.colours == ((128, 64, 128), (70, 70, 70), (0, 0, 142))
    moved = RunDir(begun.path.rename(tmp_path / "moved"))
    assert runs.open_run(configs.load(moved.config), moved).classes == run.classes


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ("name: shelf", "name: rack", r"class 1 is rack \(70, 70, 70\) now, shelf \(70, 70, 70\) in the run"),
        ("[0, 0, 142]", "[0, 0, 143]", r"class 2 is robot \(0, 0, 143\) now, robot \(0, 0, 142\) in the run"),
        ("  - {name: robot, colour: [0, 0, 142]}\n", "", r"class 2 is missing now, robot \(0, 0, 142\) in the run"),
    ],
)
def test_a_class_swapped_in_the_users_file_is_refused(begun, config, home, before, after, difference):
    text = WAREHOUSE.replace(before, after).replace(", 9: robot", "").replace("8: shelf", "8: null")
    (home / "classes.yaml").write_text(text)
    with pytest.raises(
        UserError, match=f"classes.yaml is not that of the run in .*: {difference}; choose another"
    ) as caught:
        runs.open_run(config, begun)
    assert "\n" not in str(caught.value)


def test_two_names_swapped_after_training_are_refused(begun, config, home):
    swapped = (
        WAREHOUSE.replace("name: floor", "name: x")
        .replace("name: shelf", "name: floor")
        .replace("name: x", "name: shelf")
    )
    (home / "classes.yaml").write_text(swapped)
    with pytest.raises(UserError, match=r"class 0 is shelf .* now, floor .* in the run"):
        runs.open_run(config, begun)


def test_another_built_in_class_set_is_refused(begun, config):
    other = configs.override(config, {"classes": "camvid"})
    with pytest.raises(UserError, match="the class set camvid is not that of the run"):
        runs.open_run(other, begun)


@pytest.mark.parametrize(
    ("before", "after"),
    [("name: warehouse", "name: depot"), ("7: floor", "17: floor")],
    ids=["name", "ids"],
)
def test_what_is_no_class_or_colour_may_change(begun, config, home, before, after):
    (home / "classes.yaml").write_text(WAREHOUSE.replace(before, after))
    assert runs.open_run(config, begun).classes.name == "warehouse"


def test_a_class_set_is_mended_until_there_is_data(home, config, tmp_path):
    directory = RunDir(tmp_path / "run")
    runs.save(runs.open_run(config, directory))
    (home / "classes.yaml").write_text(WAREHOUSE.replace("shelf", "rack"))
    run = runs.open_run(config, directory)
    assert run.classes.classes == ("floor", "rack", "robot")
    runs.save(run)
    assert class_file.read(directory.classes).classes == run.classes


def test_saving_writes_config_classes_and_versions(home, config, tmp_path):
    run = runs.open_run(configs.override(config, {"classes": "cityscapes"}), RunDir(tmp_path / "run"))
    runs.save(run)
    assert {path.name for path in run.dir.path.iterdir()} == {"config.json", "classes.yaml", "versions.json"}
    assert configs.differences(run.config, configs.load(run.dir.config)) == []
    assert class_file.read(run.dir.classes).classes == CITYSCAPES
    versions = json.loads(run.dir.versions.read_text())
    assert versions == {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in ("udas_tf", "tensorflow", "keras", "numpy")},
    }


def test_versions_are_those_of_the_first_start(begun, config, monkeypatch):
    before = begun.versions.read_text()
    monkeypatch.setattr(platform, "python_version", lambda: "9.9.9")
    runs.save(runs.open_run(config, begun))
    assert begun.versions.read_text() == before


def test_a_package_that_is_installed_by_another_name_has_no_version(home, config, tmp_path, monkeypatch):
    def version(name):
        if name == "tensorflow":  # as where tensorflow-cpu is installed
            raise metadata.PackageNotFoundError(name)
        return "1.2"

    monkeypatch.setattr(metadata, "version", version)
    run = runs.open_run(config, RunDir(tmp_path / "run"))
    runs.save(run)
    versions = json.loads(run.dir.versions.read_text())
    assert versions["tensorflow"] is None and versions["keras"] == "1.2"


def test_a_directory_that_cannot_be_written_is_one_line(config, home, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot write .*; choose another --workdir"):
        runs.save(runs.open_run(config, RunDir(tmp_path / "file" / "run")))
