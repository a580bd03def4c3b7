import pytest

from udas_tf import run_dir
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir


def test_json_round_trip_in_a_directory_that_is_not_there_yet(tmp_path):
    path = tmp_path / "a" / "b.json"
    run_dir.write_json(path, {"name": "Straße", "numbers": [1, 2.5, None]})
    assert run_dir.read_json(path) == {"name": "Straße", "numbers": [1, 2.5, None]}
    assert [file.name for file in path.parent.iterdir()] == ["b.json"]


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    run_dir.write_json(path, {"step": 1})
    with pytest.raises(TypeError):
        run_dir.write_json(path, {"step": 2, "not JSON": object()})
    assert run_dir.read_json(path) == {"step": 1}


@pytest.mark.parametrize("content", [b'{"count": 1', b"", b"\xff\xfe\x00"])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        run_dir.read_json(path)


def test_a_directory_is_finished_when_its_manifest_is_there(tmp_path):
    directory = tmp_path / "set"
    assert not run_dir.is_finished(directory)
    directory.mkdir()
    (directory / "00000-of-00001.tfrecord").touch()
    assert not run_dir.is_finished(directory)
    with pytest.raises(TypeError):
        run_dir.finish(directory, {"not JSON": object()})
    assert not run_dir.is_finished(directory)
    run_dir.finish(directory, {"count": 0})
    assert run_dir.is_finished(directory)


def test_paths_are_within_the_run_and_differ(tmp_path):
    run = RunDir(str(tmp_path / "run"))
    paths = [
        run.config,
        run.data("source_train"),
        run.data("target_val"),
        run.translated,
        run.pseudo_labels(1),
        run.pseudo_labels(2),
        run.training("student_1"),
        run.training("translate"),
        run.tensorboard("student_1"),
        run.report,
    ]
    assert len(set(paths)) == len(paths)
    assert all(run.path in path.parents for path in paths)
    for first in paths:
        assert not any(first in second.parents for second in paths), "one artefact lies within another"


def test_require_says_which_command_makes_what_is_missing(tmp_path):
    run = RunDir(tmp_path)
    with pytest.raises(UserError) as raised:
        run.require(run.translated, "the translated source set", "translate")
    message = str(raised.value)
    assert "the translated source set" in message and str(run.translated) in message
    assert f"bin/udas translate --workdir={tmp_path}" in message
    assert "\n" not in message
    run_dir.finish(run.translated, {})
    assert run.require(run.translated, "the translated source set", "translate") == run.translated
