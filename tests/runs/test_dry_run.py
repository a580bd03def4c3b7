"""A dry run builds what a run trains, and reads nothing."""

import pytest

from udas_tf import cli
from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir
from udas_tf.runs import dry_run as module

TINY = "tests/end_to_end/tiny.py"


def dry_run(config, keys=None):
    return module.dry_run(open_run(configs.override(configs.load(config), keys or {}), RunDir("nowhere")))


@pytest.mark.slow
def test_every_stage_of_the_tiny_run():
    source, translate, uda, student, supervised = dry_run(TINY)
    assert source.startswith("source (no_adaptation, translation): images 2x48x96x3; parameters: segmenter ")
    assert source.endswith("terms: L_seg_p, L_seg_a")
    assert translate.startswith("translate (translate): images 1x32x32x3")
    assert translate.endswith("terms: L_GAN_G, L_GAN_F, L_cyc, L_identity, L_D_source, L_D_target")
    assert uda.startswith("uda (adaptation, translation_adaptation, cutmix)")
    assert uda.endswith("L_seg_a, L_adv_p, L_adv_a, L_kl, L_D_p, L_D_a, D_accuracy_p, D_accuracy_a")
    assert student.startswith("student (student_1)") and "teacher" in student
    assert student.endswith("L_seg_p, L_seg_a, L_pseudo_p, L_pseudo_a, L_consistency")
    assert supervised.startswith("supervised (supervised)")


@pytest.mark.slow
def test_rows_of_ones_own_share_the_step_of_their_stage():
    own = {"row.mine.stage": "student", "row.mine.teacher": "supervised", "row.mine.mixed": True}
    lines = list(dry_run(TINY, own | {"rows": "mine,supervised"}))
    assert [line.partition(":")[0] for line in lines] == ["supervised (supervised)", "student (mine)"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"source.steps": 7}, r"source\.steps=7 is not a multiple of source\.log_every=2"),
        ({"replicas": 3}, r"source\.batch_size=2 cannot be shared evenly by replicas=3; choose a"),
        ({"model.backbone": "vgg16"}, r"model\.backbone='vgg16' is unknown; expected one of compact, "),
    ],
)
def test_what_a_run_would_stumble_on_is_an_error(keys, message):
    with pytest.raises(UserError, match=message):
        next(dry_run(TINY, {"rows": "no_adaptation"} | keys))


def test_initial_weights_that_are_not_there_are_named_and_not_needed():
    told, supervised = dry_run(TINY, {"model.initial_weights": "nowhere.weights.h5", "rows": "supervised"})
    assert "no file nowhere.weights.h5" in told
    assert supervised.startswith("supervised (supervised): images 2x48x96x3; parameters: segmenter ")
    assert supervised.endswith("; terms: L_seg_p, L_seg_a")


def test_the_command_writes_nothing(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(module, "dry_run", lambda run: iter([f"{run.config.uda.steps} steps"]))
    workdir = tmp_path / "run"
    assert cli.main(["run", "--dry_run", f"--config={TINY}", f"--workdir={workdir}"]) == 0
    assert capsys.readouterr().out.startswith("8 steps\nEvery stage can be built")
    assert not workdir.exists()


def test_a_run_of_another_config_is_not_in_its_way(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "dry_run", lambda run: iter([]))
    configs.save(configs.load("configs/quickstart.py"), tmp_path / "config.json")
    (tmp_path / "data/source_train").mkdir(parents=True)
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
    told, *lines = dry_run(f"configs/{name}.py")
    assert "no file weights/resnet101_imagenet.weights.h5" in told
    segmenters = [line for line in lines if not line.startswith("translate")]
    assert all(f"images 2x360x640x3; parameters: segmenter {parameters:,}" in line for line in segmenters)
