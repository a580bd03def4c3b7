"""Paths of a run, and when a directory is finished."""

import pytest

from udas_tf import run_dir
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir


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
        run.classes,
        run.versions,
        run.data("source_train"),
        run.data("target_val"),
        run.translated,
        run.translation_check,
        run.pseudo_labels("student_1"),
        run.pseudo_labels("student_2"),
        run.audit("student_1"),
        run.training("student_1"),
        run.training("translate"),
        run.scores("student_1"),
        run.tensorboard("student_1"),
        run.inspection,
        run.compiled,
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
