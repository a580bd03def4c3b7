"""The comparison without its trainings: which runs there are, and what is printed of them."""

import re

import methods
import pytest

from udas_tf import config as configs

GAIN = {"adaptation": 0.02, "translation_adaptation": 0.04, "student_1": 0.05, "student_3": 0.08}


@pytest.fixture
def made(studied):
    """What is made, in order; a row's score is what GAIN says above 0.3, and a hundredth more a seed."""
    return studied(lambda config, row: {"miou": 0.3 + config.seed / 100 + GAIN.get(row.name, 0.0)})


def compare(tmp_path, *flags):
    methods.main(["--config=configs/quickstart.py", f"--workdir={tmp_path}", *flags])


def test_last_rows_over_seeds_and_above_no_adaptation(made, tmp_path, capsys):
    compare(tmp_path, "--seeds=1,3", "--config.row.student.rounds=3")
    printed = capsys.readouterr().out
    for system, row, scores in (
        ("adaptsegnet_single", "adaptation", "34.0 ± 1.4 | 2.0 ± 0.0"),
        ("advent", "adaptation", "34.0 ± 1.4 | 2.0 ± 0.0"),
        ("seg_uncertainty", "student_1", "37.0 ± 1.4 | 5.0 ± 0.0"),
        ("cycada", "translation_adaptation", "36.0 ± 1.4 | 4.0 ± 0.0"),
        ("udas", "student_3", "40.0 ± 1.4 | 8.0 ± 0.0"),
    ):
        assert f"| {system} | {row} | {scores} | `bin/udas run --config=configs/methods/{system}.py:" in printed

    before = len(made)
    compare(tmp_path, "--seeds=1,3", "--config.row.student.rounds=3")
    assert len(made) == before and capsys.readouterr().out == printed


def test_what_systems_have_in_common_is_made_once(made, tmp_path):
    compare(tmp_path, "--seeds=1")
    of = {}
    for name in made:
        run, path = name.split()
        of.setdefault(run, []).append(path)
    assert "training/no_adaptation" in of["udas"] and "training/no_adaptation" in of["adaptsegnet_single"]
    for system in ("adaptsegnet", "advent", "minent"):
        assert of[system] == ["training/adaptation"]
    # CyCADA's network has one classifier, as AdaptSegNet's with one level, and a translation of its own.
    assert sorted(of["cycada"]) == sorted(
        ["training/translate", "translated", "training/translation", "training/translation_adaptation"]
    )


def test_no_system_has_labels(tmp_path):
    flags = methods.studies.Flags("", ["--config=configs/quickstart.py", f"--workdir={tmp_path}"])
    configs.save(configs.load(flags.config), tmp_path / "config.json")
    for system in (*methods.FIRST, *methods.THEN):
        config = methods.planned_config(flags, system, 2)
        assert config.data.target.labelled == 0 and config.seed == config.data.target.label_seed == 2


def test_the_printed_commands_are_those_of_the_runs(made, tmp_path, capsys):
    """Typed again, a command finds the very config that its directory holds."""
    compare(tmp_path, "--seeds=5", "--config.uda.steps=200")
    commands = re.findall(r"bin/udas run ([^`\n]*)", capsys.readouterr().out)
    assert len(commands) == len(methods.LISTED)
    for arguments in map(str.split, commands):
        given = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
        saved = configs.load(f"{given['workdir']}/config.json")
        overrides = {key.removeprefix("config."): v for key, v in given.items() if key.startswith("config.")}
        assert configs.differences(saved, configs.override(configs.load(given["config"]), overrides)) == []
