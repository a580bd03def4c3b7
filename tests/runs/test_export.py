"""Finished rows as models for other programs."""

import json

import numpy as np
import pytest
from absl import logging

from udas_tf import networks, serving
from udas_tf.config import base_config, override
from udas_tf.errors import UserError
from udas_tf.networks import TrainingManifest
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import export as module
from udas_tf.runs import rows
from udas_tf.serving import _served, saved_model


@pytest.fixture
def run(tmp_path):
    """A run with one finished row, student_2."""
    keys = {
        "data.size": "32,64",
        "model.backbone": "compact",
        "model.compact.width": 8,
        "model.deeplab_v2.rates": "1,2",
    }
    run = open_run(override(base_config(), keys), RunDir(tmp_path / "run"))
    directory = run.dir.training("student_2")
    directory.mkdir(parents=True)
    networks.save(networks.segmenter(run.config, len(run.classes)), directory / networks.SEGMENTER)
    made = TrainingManifest("student_2", "student", 2, 9, networks.SEGMENTER, "ab12", "float32", saw_source=True)
    finish(directory, made)
    return run


@pytest.fixture
def messages(caplog):
    before = logging.get_verbosity()
    logging.set_verbosity(logging.INFO)
    yield caplog
    logging.set_verbosity(before)


def export(run, output, name="student_2", **options):
    module.export(run, rows.named(run.config, name), str(output), **options)


def test_export_writes_a_finished_row_and_where_it_comes_from(run, tmp_path, messages):
    output = tmp_path / "some" / "where"
    export(run, output)
    served = serving.load(output)
    image = np.random.default_rng(0).integers(0, 256, (1, 21, 50, 3), np.uint8)
    network = networks.untrained(run.config, len(run.classes))
    networks.load(network, run.dir.training("student_2") / networks.SEGMENTER)
    _served.check_parity(network, served, image)
    description = json.loads((output / saved_model.DESCRIPTION).read_text())
    provenance = description["provenance"]
    assert (provenance["row"], provenance["step"], provenance["weights_sha256"]) == ("student_2", 9, "ab12")
    assert (provenance["head"], provenance["backbone"]) == ("deeplab_v2", "compact")
    assert set(provenance["versions"]) == {"udas_tf", "tensorflow", "keras"}
    assert description["trained_size"] == [32, 64]
    assert len(description["classes"]) == len(description["colours"]) == 19
    assert [file.name for file in output.parent.iterdir()] == ["where"]  # nothing temporary is left
    assert f"student_2 is exported to {output}" in messages.text


def test_export_for_images_of_one_size(run, tmp_path):
    export(run, tmp_path / "model", size=(24, 40))
    assert serving.load(tmp_path / "model").description.size == (24, 40)


def test_export_takes_an_empty_directory_and_refuses_a_used_one(run, tmp_path):
    output = tmp_path / "model"
    output.mkdir()
    (tmp_path / "writing.model").mkdir()
    (tmp_path / "writing.model" / "half").write_text("left by a killed export")
    export(run, output)
    assert not (output / "half").exists()
    with pytest.raises(UserError, match="exists and is no empty"):
        export(run, output)


def test_export_of_an_untrained_row_says_what_to_run_first(run, tmp_path):
    with pytest.raises(UserError, match="run first: bin/udas train --name=student_3 --workdir="):
        export(run, tmp_path / "model", "student_3")
    assert not (tmp_path / "model").exists()
    assert rows.find(run.config, None, None, "student_3").name == "student_3"  # the command means that row


def test_an_unknown_format_is_an_error_before_anything_is_loaded(run, tmp_path):
    with pytest.raises(
        UserError, match=r"--format='saved_modle' is unknown; expected one of .*did you mean saved_model"
    ):
        export(run, tmp_path / "model", "student_3", format="saved_modle")


def test_a_model_that_fails_the_check_is_not_put_in_place(run, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("differs")

    monkeypatch.setattr(module, "check_parity", fail)
    with pytest.raises(RuntimeError, match="differs"):
        export(run, tmp_path / "model")
    assert not (tmp_path / "model").exists()
