"""A dry run builds what a run trains, and reads nothing."""

import pytest

from udas_tf import cli
from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.stages import dry_run as stage
from udas_tf.stages.dry_run import dry_run

TINY = "tests/end_to_end/tiny.py"


@pytest.mark.slow
def test_every_stage_of_the_tiny_run():
    source, translate, uda, student, supervised = dry_run(configs.load(TINY))
    assert source.startswith("source (no_adaptation, translation): images 2x48x96x3; parameters: segmenter ")
    assert source.endswith("terms: L_seg_p, L_seg_a")
    assert translate.startswith("translate (translation of the source): images 1x32x32x3")
    assert translate.endswith("terms: L_GAN_G, L_GAN_F, L_cyc, L_identity, L_D_source, L_D_target")
    assert uda.startswith("uda (adaptation, translation_adaptation, cutmix)")
    assert uda.endswith("L_seg_a, L_adv_p, L_adv_a, L_kl, L_D_p, L_D_a, D_accuracy_p, D_accuracy_a")
    assert student.startswith("student (student_1)") and "teacher" in student
    assert student.endswith("L_seg_p, L_seg_a, L_pseudo_p, L_pseudo_a, L_consistency")
    assert supervised.startswith("supervised (supervised)")


def test_what_a_run_would_stumble_on_is_told():
    config = configs.override(configs.load(TINY), {"rows": "no_adaptation", "student.rounds": "0"})
    with pytest.raises(UserError, match="source.steps=7 is not a multiple of source.log_every=2"):
        next(dry_run(configs.override(config, {"source.steps": "7"})))
    with pytest.raises(
        UserError, match="source.batch_size=2 cannot be shared evenly by replicas=3; choose a"
    ):
        next(dry_run(configs.override(config, {"replicas": "3"})))
    with pytest.raises(UserError, match="backbone is 'vgg16', expected one of"):
        next(dry_run(configs.override(config, {"model.backbone": "vgg16"})))


def test_initial_weights_that_are_not_there_are_told_and_not_needed():
    changes = {"model.initial_weights": "nowhere.weights.h5", "rows": "supervised", "student.rounds": "0"}
    told, supervised = dry_run(configs.override(configs.load(TINY), changes))
    assert "no file nowhere.weights.h5" in told
    assert supervised.startswith("supervised (supervised): images 2x48x96x3; parameters: segmenter ")
    assert supervised.endswith("; terms: L_seg_p, L_seg_a")


def test_the_command_writes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(stage, "dry_run", lambda config: iter([f"{config.uda.steps} steps"]))
    workdir = tmp_path / "run"
    assert cli.main(["run", "--dry_run", f"--config={TINY}", f"--workdir={workdir}"]) == 0
    assert capsys.readouterr().out.startswith("8 steps\nEvery stage can be built")
    assert not workdir.exists()


def test_a_run_of_another_config_is_not_in_its_way(monkeypatch, tmp_path):
    monkeypatch.setattr(stage, "dry_run", lambda config: iter([]))
    configs.save(configs.load("configs/quickstart.py"), tmp_path / "config.json")
    (tmp_path / "data").mkdir()
    assert cli.main(["run", "--dry_run", f"--config={TINY}", f"--workdir={tmp_path}"]) == 0
    assert cli.main(["run", f"--config={TINY}", f"--workdir={tmp_path}"]) == 2


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gta5_to_cityscapes", 44_706_904),
        ("methods/seg_uncertainty", 44_706_904),
        ("methods/cycada", 44_006_412),
    ],
)
def test_the_papers_setting_at_full_size(name, parameters):
    told, *lines = dry_run(configs.load(f"configs/{name}.py"))
    assert "no file weights/resnet101_imagenet.weights.h5" in told
    segmenters = [line for line in lines if not line.startswith("translate")]
    assert all(f"images 2x360x640x3; parameters: segmenter {parameters:,}" in line for line in segmenters)
