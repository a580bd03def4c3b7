"""The ablation without its trainings: which runs there are, and what is printed of them."""

import re

import ablation
import pytest

from udas_tf import config as configs
from udas_tf.evaluation.scores import Scores

MIOU_ON = {"source": 0.1, "translated": 0.2}


@pytest.fixture
def made(studied, monkeypatch):
    """What is made, in order; the term L_kl is worth two points."""

    def evaluate(run, name, on):
        assert name == "supervised"
        return Scores(
            name=name,
            stage="supervised",
            round=None,
            step=1,
            images=1,
            miou=MIOU_ON[on],
            pixel_accuracy=None,
            iou={},
            on=on,
        )

    monkeypatch.setattr(ablation, "evaluate", evaluate)
    return studied(lambda config, row: {"miou": 0.3 + config.seed / 100 - (0.0 if config.uda.weight_kl else 0.02)})


def test_rows_over_seeds_and_what_each_ingredient_is_worth(made, tmp_path, capsys):
    flags = ["--config=configs/base.py", f"--workdir={tmp_path}", "--seeds=1,3", "--config.uda.steps=200"]
    ablation.main(flags)
    printed = capsys.readouterr().out
    full = tmp_path / "seed-1" / "full"
    assert (
        f"    bin/udas run --config=configs/base.py --config.uda.steps=200 --config.seed=3 "
        f"--config.data.target.label_seed=3 --config.rows={','.join(configs.base_config().rows)} "
        f"--workdir={tmp_path}/seed-3/full\n"
    ) in printed
    assert f"| adaptation | 32.0 ± 1.4 | `bin/udas train --stage=uda --name=adaptation --workdir={full}` |" in printed
    assert f"| student_3 | 32.0 ± 1.4 | `bin/udas train --stage=student --round=3 --workdir={full}` |" in printed
    assert "| nothing | 31.0 | | |" in printed
    assert "| kl | 29.0 | -2.0 | `bin/udas run --config=configs/base.py" in printed
    assert f"--config.uda.weight_kl=0 --workdir={tmp_path}/seed-1/without-kl` |" in printed
    assert (
        f"| translated | 20.0 ± 0.0 | `bin/udas evaluate --stage=supervised --on=translated --workdir={full}` |"
        in printed
    )
    assert f"| target | 32.0 ± 1.4 | `bin/udas evaluate --stage=supervised --on=target --workdir={full}` |" in printed

    before = len(made)
    ablation.main(flags)
    assert len(made) == before and capsys.readouterr().out == printed


def test_each_run_makes_only_what_its_ingredient_changes(made, tmp_path):
    ablation.main(["--config=configs/base.py", f"--workdir={tmp_path}", "--seeds=1"])
    of = {}
    for name in made:
        run, path = name.split()
        of.setdefault(run, []).append(path)
    students = [f"training/student_{number}" for number in (1, 2, 3)]
    labels = [f"pseudo_labels/student_{number}" for number in (1, 2, 3)]
    assert sorted(of["without-kl"]) == sorted(["training/cutmix", *students, *labels])
    assert sorted(of["without-cutmix"]) == sorted([*students, *labels])
    assert sorted(of["without-consistency"]) == sorted([*students, *labels[1:]])
    assert "without-later-rounds" not in of and (tmp_path / "seed-1/without-later-rounds/result.json").is_file()
    assert "training/no_adaptation" in of["without-auxiliary"] and "training/translate" not in of["without-auxiliary"]
    # The defaults have neither shares nor weights of classes, nor mixed pseudo-labels: nothing to take out.
    assert not (tmp_path / "seed-1/without-class-shares").exists()


def test_what_a_config_does_have_is_taken_out(tmp_path):
    found = dict(ablation.ingredients(configs.load("configs/quickstart.py")))
    assert list(found) == list(ablation.INGREDIENTS)
    assert dict(ablation.ingredients(configs.override(configs.base_config(), {"row.student.rounds": "1"}))).keys() == {
        *("kl", "auxiliary", "cutmix", "views", "threshold", "consistency"),
    }  # fmt: skip


def test_another_config_in_the_same_directory_is_refused(made, tmp_path):
    flags = ["--config=configs/base.py", f"--workdir={tmp_path}", "--seeds=1"]
    ablation.main(flags)
    with pytest.raises(ablation.UserError, match=r"holds an ablation of another config .uda.steps"):
        ablation.main([*flags, "--config.uda.steps=200"])


def test_unknown_arguments_are_refused(tmp_path):
    with pytest.raises(SystemExit):
        ablation.main(["--config=configs/base.py", f"--workdir={tmp_path}", "--sedes=1"])


def test_the_printed_commands_are_those_of_the_runs(made, tmp_path, capsys):
    """Typed again, a command finds the very config that its directory holds."""
    ablation.main(["--config=configs/quickstart.py", f"--workdir={tmp_path}", "--seeds=5"])
    commands = re.findall(r"bin/udas run ([^`\n]*)", capsys.readouterr().out)
    assert len(commands) == 1 + len(ablation.INGREDIENTS)
    for arguments in map(str.split, commands):
        given = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
        saved = configs.load(f"{given['workdir']}/config.json")
        overrides = {key.removeprefix("config."): v for key, v in given.items() if key.startswith("config.")}
        assert configs.differences(saved, configs.override(configs.load(given["config"]), overrides)) == []
