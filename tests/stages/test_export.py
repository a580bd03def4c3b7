import json

import numpy as np
import pytest

from udas_tf.config import base_config
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish
from udas_tf.serving import saved_model
from udas_tf.stages import networks
from udas_tf.stages.export import export


@pytest.fixture(scope="module")
def config():
    config = base_config().copy_and_resolve_references()
    config.data.size = (32, 64)
    config.model.backbone, config.model.width, config.model.aspp_rates = "compact", 8, (1, 2)
    return config.lock()


@pytest.fixture
def run_dir(config, tmp_path):
    run_dir = RunDir(tmp_path / "run")
    directory = run_dir.training("student_2")
    directory.mkdir(parents=True)
    networks.save(networks.segmenter(config), directory / networks.WEIGHTS)
    made = {"row": "student_2", "stage": "student", "round": 2, "step": 9, "weights_sha256": "ab12"}
    finish(directory, made)
    return run_dir


def test_export_writes_a_finished_row_and_where_it_comes_from(config, run_dir, tmp_path, capsys):
    output = tmp_path / "some" / "where"
    export(config, run_dir, "student", 2, None, str(output))
    served = saved_model.load(output)
    image = np.random.default_rng(0).integers(0, 256, (1, 21, 50, 3), np.uint8)
    network = networks.segmenter(config)
    networks.load(network, run_dir.training("student_2") / networks.WEIGHTS)
    saved_model.check_parity(network, served, image)
    description = json.loads((output / saved_model.DESCRIPTION).read_text())
    assert (description["row"], description["step"]) == ("student_2", 9)
    assert description["weights_sha256"] == "ab12"
    assert description["trained_size"] == [32, 64]
    assert len(description["classes"]) == len(description["colours"]) == 19
    assert [file.name for file in output.parent.iterdir()] == ["where"]  # nothing temporary is left
    assert str(output) in capsys.readouterr().out


def test_export_for_images_of_one_size(config, run_dir, tmp_path):
    export(config, run_dir, "student", 2, None, str(tmp_path / "model"), (24, 40))
    assert saved_model.load(tmp_path / "model").size == (24, 40)


def test_export_takes_an_empty_directory_and_refuses_a_used_one(config, run_dir, tmp_path):
    output = tmp_path / "model"
    output.mkdir()
    (tmp_path / "writing.model").mkdir()
    (tmp_path / "writing.model" / "half").write_text("left by a killed export")
    export(config, run_dir, "student", 2, None, str(output))
    assert not (output / "half").exists()
    with pytest.raises(UserError, match="exists and is no empty"):
        export(config, run_dir, "student", 2, None, str(output))


def test_export_of_an_untrained_row_says_what_to_run_first(config, run_dir, tmp_path):
    with pytest.raises(UserError, match="run first: bin/udas train --stage=student --round=3"):
        export(config, run_dir, "student", 3, None, str(tmp_path / "model"))
    assert not (tmp_path / "model").exists()


def test_a_model_that_fails_the_check_is_not_put_in_place(config, run_dir, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("differs")

    monkeypatch.setattr(saved_model, "check_parity", fail)
    with pytest.raises(RuntimeError, match="differs"):
        export(config, run_dir, "student", 2, None, str(tmp_path / "model"))
    assert not (tmp_path / "model").exists()
