"""The command line: help and mistakes without TensorFlow, exit codes, and which config a command gets."""

import json
import os
import subprocess
import sys
import types
from fractions import Fraction
from pathlib import Path

import pytest

from udas_tf import cli, processes, run_dir, verbs
from udas_tf import config as configs

CHECKOUT = str(configs.configs_directory().parent)
# One command in a process of its own, which exits with 99 if it has brought in TensorFlow or Keras.
WITHOUT_TENSORFLOW = """
import sys
from udas_tf.cli import main
code = main(sys.argv[1:])
sys.exit(99 if {"tensorflow", "keras"} & set(sys.modules) else code)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every test in a directory of its own, with no UDAS_WORKDIR around; none begins processes, or gets ready to."""
    monkeypatch.setattr(processes, "load_ahead", lambda: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UDAS_WORKDIR", raising=False)


@pytest.fixture
def calls(monkeypatch):
    """Puts a recorder in the place of each stage; yields the list of (stage, arguments)."""
    recorded = []

    def recorder(name, result=None):
        def stage(*arguments):
            recorded.append((name, arguments))
            print("a line of the stage")
            return result

        return stage

    score = {
        "stage": "uda",
        "round": None,
        "step": 3,
        "images": 2,
        "miou": 0.5,
        "iou": {"road": 0.5, "bus": None},
    }
    table = {"rows": [{"name": "cutmix", **score}]}
    results = {"evaluate": score, "report": table, "run": table}
    stages = (
        "run",
        "train",
        "translate",
        "pseudo_label",
        "evaluate",
        "predict",
        "export",
        "report",
        "inspect",
    )
    for name in stages:
        module = types.SimpleNamespace(**{name: recorder(name, results.get(name))})
        monkeypatch.setitem(sys.modules, f"udas_tf.stages.{name}", module)
    data = types.SimpleNamespace(prepare=recorder("prepare"))
    monkeypatch.setitem(sys.modules, "udas_tf.stages.data", data)
    tables = types.SimpleNamespace(score_table=lambda rows: f"table of {len(rows)}")
    monkeypatch.setitem(sys.modules, "udas_tf.report.tables", tables)
    return recorded


def in_process_without_tensorflow(*argv):
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, *argv]
    environment = {**os.environ, "PYTHONPATH": CHECKOUT}
    return subprocess.run(command, text=True, capture_output=True, env=environment)


def mistake(capsys, *argv):
    """The one line that a command with a mistake leaves on standard error."""
    assert cli.main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("udas: ") and captured.err.count("\n") == 1
    return captured.err


@pytest.mark.parametrize("argv", [["--help"], ["help"], ["-h"]])
def test_help_lists_every_verb(argv, capsys):
    assert cli.main(argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for name in verbs.VERBS:
        assert f"\n  {name} " in captured.out


@pytest.mark.parametrize("name", verbs.VERBS)
def test_help_of_a_verb_lists_its_flags_only(name, capsys):
    assert cli.main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert cli.main(["help", *name.split()]) == 0
    assert capsys.readouterr().out == text
    listed = [line.strip() for line in text.splitlines() if line.startswith("  --")]
    assert len(listed) == len(verbs.VERBS[name].flags)
    assert ("--workdir" in listed) == (name not in ("predict", "bench"))
    assert not {"--flagfile", "--undefok", "--logtostderr", "--only_check_args"} & set(listed)


def test_help_of_a_group(capsys):
    assert cli.main(["data", "--help"]) == 0
    text = capsys.readouterr().out
    assert "data prepare" in text and "data inspect" in text and "translate" not in text


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["train", "--stag=uda"], 2),
        (["train", "--stage=student"], 2),
        (["run", "--config.uda.step=3"], 2),
        (["sweep", "--labels=1/3,most"], 2),
        (["sweep", "--seeds=1,1"], 2),
    ],
)
def test_help_and_mistakes_leave_tensorflow_alone(argv, code):
    result = in_process_without_tensorflow(*argv)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "expected a command first"),
        (["--workdir=x", "run"], "expected a command first, received '--workdir=x'"),
        (["trian"], "no command 'trian'; the nearest is 'train'"),
        (["psuedo_label", "--help"], "the nearest is 'pseudo_label'"),
        (["data"], "the nearest is 'data "),
        (["data", "inspekt"], "the nearest is 'data inspect'"),
        (["train"], "`udas train` needs --stage: <translate|source|supervised|uda|student>"),
        (["train", "--stage="], "see `udas train --help`"),
        (["train", "--stage=udaa"], "--stage=udaa: value should be one of <translate|source|"),
        (["train", "--stage"], "Missing value for flag --stage"),
        (["train", "--stage=student"], "--round=N"),
        (["train", "--stage=uda", "--round=1"], "only students have rounds"),
        (["train", "--stage=student", "--round=0"], "--round=0"),
        (["train", "--stage=student", "--round=one"], "--round=one"),
        (["train", "--stage=uda", "--name=translation"], "adaptation, translation_adaptation, cutmix"),
        (["train", "--stage=translate", "--name=cutmix"], "takes neither --round nor --name"),
        (["train", "--rund=3"], "`udas train` has no flag --rund; the nearest is --round"),
        (["train", "uda"], "received 'uda'"),
        (["evaluate", "--stage=translate"], "<source|supervised|uda|student>"),
        (["evaluate", "--stage=uda", "--json=maybe"], "--json=maybe: expected true or false"),
        (["pseudo_label"], "needs --round"),
        (["predict", "--model=m", "--images=i"], "needs --output"),
        (["predict", "--model=m", "--images=i", "--config=x"], "has no flag --config"),
        (["predict", "--model=m", "--images=i", "--config.seed=1"], "has no flag --config.seed"),
        (["export", "--stage=uda"], "needs --output"),
        (
            ["export", "--stage=uda", "--output=m", "--size=360"],
            "--size=360; expected height,width in pixels",
        ),
        (["export", "--stage=uda", "--output=m", "--size=0,640"], "--size=0,640; expected height,width"),
        (["run", "--config=nowhere.py"], "no config nowhere.py"),
        (["run", "--config.uda.learning_rat=1"], "the nearest is 'uda.learning_rate'"),
        (["run", "--config.uda.steps"], "write --config.uda.steps=VALUE"),
        (["run", "--config.uda.steps=x"], "'uda.steps' received 'x', expected a whole number"),
    ],
)
def test_a_mistake_is_told_in_one_line(argv, told, capsys, tmp_path):
    assert told in mistake(capsys, *argv)
    assert list(tmp_path.iterdir()) == []


def test_a_message_of_several_lines_is_told_in_one(capsys, tmp_path):
    lines = [
        "from udas_tf.config import base_config",
        "",
        "def get_config():",
        "    c = base_config()",
        "    c.sed = 3",
    ]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    told = mistake(capsys, "run", "--config=mine.py")
    assert "mine.py, line 5: AttributeError" in told and 'Did you mean "seed"' in told
    assert len(told) < 250


def test_a_fault_of_the_program_keeps_its_traceback(calls, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("broken")

    monkeypatch.setattr(sys.modules["udas_tf.stages.run"], "run", broken)
    with pytest.raises(RuntimeError, match="broken"):
        cli.main(["run"])


def test_an_interrupted_command_says_how_to_go_on(calls, capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["udas_tf.stages.run"], "run", interrupted)
    assert cli.main(["run"]) == 130
    assert capsys.readouterr().err.strip() == "udas: interrupted; the same command goes on where it was"


@pytest.mark.parametrize(
    ("argv", "stage", "rest"),
    [
        (["run"], "run", ()),
        (["train", "--stage=student", "--round=3"], "train", ("student", 3, None)),
        (["train", "--stage=source", "--name=translation"], "train", ("source", None, "translation")),
        (["train", "--stage=translate"], "train", ("translate", None, None)),
        (["translate"], "translate", ()),
        (["pseudo_label", "--round=2"], "pseudo_label", (2,)),
        (["evaluate", "--stage=uda"], "evaluate", ("uda", None, None, "target", "plain", "training")),
        (
            ["evaluate", "--stage=supervised", "--on=translated"],
            "evaluate",
            ("supervised", None, None, "translated", "plain", "training"),
        ),
        (
            ["evaluate", "--stage=uda", "--views=multi_scale", "--resolution=full"],
            "evaluate",
            ("uda", None, None, "target", "multi_scale", "full"),
        ),
        (["export", "--stage=uda", "--output=model"], "export", ("uda", None, None, "model", None, False)),
        (
            ["export", "--stage=uda", "--output=model", "--size=360,640", "--frozen"],
            "export",
            ("uda", None, None, "model", (360, 640), True),
        ),
        (["data", "prepare"], "prepare", (False,)),
        (["data", "prepare", "--strict"], "prepare", (True,)),
        (["data", "inspect"], "inspect", (None, None, None, 200)),
        (["data", "inspect", "--output=a.png"], "inspect", ("a.png", None, None, 200)),
        (["data", "inspect", "--source=a,b", "--images=9"], "inspect", (None, ["a", "b"], None, 9)),
        (["report"], "report", ((),)),
        (["report", "--runs=a,b"], "report", (["a", "b"],)),
    ],
)
def test_a_verb_calls_its_stage(argv, stage, rest, calls, tmp_path):
    assert cli.main(argv) == 0
    [(name, (config, directory, *arguments))] = calls
    assert (name, tuple(arguments)) == (stage, rest)
    assert isinstance(directory, run_dir.RunDir) and str(directory.path) == os.path.join("runs", "default")
    assert configs.differences(config, configs.load("configs/quickstart.py")) == [] and config.is_locked
    reads = stage in ("evaluate", "export", "inspect", "report")
    assert directory.config.exists() != reads


def test_run_ends_with_the_table(calls, capsys):
    assert cli.main(["run"]) == 0
    assert capsys.readouterr().out.splitlines()[:2] == ["a line of the stage", "table of 1"]


def test_run_takes_over_what_other_runs_have_finished(calls, tmp_path, monkeypatch):
    shared = []
    monkeypatch.setattr("udas_tf.stages.sharing.share", lambda *arguments: shared.append(arguments))
    cli.main(["run", "--workdir=one"])
    assert cli.main(["run", "--workdir=other", "--reuse=one"]) == 0
    [(_, run, others)] = shared
    assert (str(run.path), [str(other.path) for other in others]) == ("other", ["one"])


def test_a_long_list_of_differences_is_cut(calls, capsys):
    assert cli.main(["run"]) == 0
    Path("runs/default/data").mkdir()
    capsys.readouterr()
    told = mistake(capsys, "run", "--config=configs/base.py")
    assert told.count(" in the run, ") == configs.SHOWN_CHANGES
    given = configs.differences(configs.load("configs/quickstart.py"), configs.base_config())
    assert f"; and {len(given) - configs.SHOWN_CHANGES} more)" in told


@pytest.mark.parametrize("flag", ["--labels=", "--labels=4/3", "--labels=a", "--seeds=", "--seeds=1,one"])
def test_a_sweep_over_nothing_is_refused(flag, capsys):
    assert "expected" in mistake(capsys, "sweep", flag)


def test_sweep_shows_its_table_or_json(monkeypatch, capsys, tmp_path):
    called = []

    def sweep(config, directory, *arguments):
        called.append(arguments)
        print("a line of a training")
        (directory.path / "results").mkdir(exist_ok=True)
        (directory.path / "results" / "table.txt").write_text("the table")
        return {"sentence": "labels buy"}

    module = types.SimpleNamespace(sweep=sweep, RESULTS="results")
    monkeypatch.setitem(sys.modules, "udas_tf.stages.sweep", module)
    assert cli.main(["sweep", "--workdir=w"]) == 0
    assert "\nthe table\nThe table and the plot lie in w" in capsys.readouterr().out
    assert cli.main(["sweep", "--workdir=w", "--labels=1/2,3", "--seeds=4", "--reuse=a,b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sentence": "labels buy"}
    everything = [1, Fraction(1, 3), Fraction(1, 6), Fraction(1, 30), 0]
    assert called == [(everything, [1, 2, 3], ()), ([Fraction(1, 2), 3], [4], ["a", "b"])]
    assert (tmp_path / "w" / "config.json").is_file()


def test_predict_has_no_run(calls, tmp_path):
    assert cli.main(["predict", "--model=m", "--images=i", "--output=o"]) == 0
    assert calls == [("predict", ("m", "i", "o", False))]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argv", [["evaluate", "--stage=uda"], ["report"]])
def test_json_is_all_of_standard_output(argv, calls, capsys):
    assert cli.main([*argv, "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    row = document if argv[0] == "evaluate" else document["rows"][0]
    assert row["iou"] == {"road": 0.5, "bus": None}
    assert captured.err == "a line of the stage\n"
    assert cli.main(argv) == 0
    assert "table of 1" in capsys.readouterr().out


def test_the_workdir_is_the_flag_then_the_environment(calls, monkeypatch):
    monkeypatch.setenv("UDAS_WORKDIR", "from_environment")
    cli.main(["run"])
    cli.main(["run", "--workdir=from_flag"])
    assert [str(arguments[1].path) for _, arguments in calls] == ["from_environment", "from_flag"]


def test_the_saved_config_is_the_default_of_later_commands(calls, tmp_path):
    first = ["run", "--config=configs/base.py", "--config.uda.steps=7", "--workdir=w"]
    assert cli.main(first) == 0
    saved = (tmp_path / "w" / "config.json").read_text()
    assert cli.main(["train", "--stage=uda", "--workdir=w"]) == 0
    assert cli.main(first) == 0  # the same again is no change
    for _, (config, _, *_) in calls:
        assert config.uda.steps == 7 and config.data.size == (360, 640)
    assert (tmp_path / "w" / "config.json").read_text() == saved


@pytest.mark.parametrize("verb", [["run"], ["evaluate", "--stage=uda"]])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (["--config.uda.steps=300"], "(uda.steps: 250 in the run, 300 given)"),
        (
            ["--config.seed=2", "--config.data.size=48,96"],
            "(data.size: (96, 192) in the run, (48, 96) given; seed",
        ),
        (["--config=configs/base.py"], "data.cache: True in the run, False given"),
    ],
)
def test_another_config_is_refused_with_the_differences(verb, change, told, calls, capsys):
    assert cli.main(["run", "--config.uda.steps=250"]) == 0
    Path("runs/default/data").mkdir()
    capsys.readouterr()
    message = mistake(capsys, *verb, *change)
    assert told in message and "--accept_config_change" in message
    assert len(calls) == 1
    assert configs.load("runs/default/config.json").uda.steps == 250


def test_a_config_is_mended_where_nothing_was_made_with_it(calls):
    assert cli.main(["run", "--config.uda.steps=250"]) == 0
    assert cli.main(["run", "--config.uda.steps=300"]) == 0
    assert calls[-1][1][0].uda.steps == 300 == configs.load("runs/default/config.json").uda.steps


def test_an_accepted_change_is_saved_by_commands_that_write(calls):
    change = ["--config.uda.steps=300", "--accept_config_change"]
    saved = "runs/default/config.json"
    assert cli.main(["run", "--config.uda.steps=250"]) == 0
    Path("runs/default/data").mkdir()
    assert cli.main(["evaluate", "--stage=uda", *change]) == 0
    assert calls[-1][1][0].uda.steps == 300 and configs.load(saved).uda.steps == 250
    assert cli.main(["train", "--stage=uda", *change]) == 0
    assert calls[-1][1][0].uda.steps == 300 and configs.load(saved).uda.steps == 300


def test_resume_false_refuses_a_used_directory(calls, capsys):
    assert cli.main(["run", "--resume=false"]) == 0
    capsys.readouterr()
    assert "is not empty" in mistake(capsys, "run", "--resume=false")
    assert cli.main(["run"]) == 0
    assert len(calls) == 2


def test_a_damaged_saved_config_is_named(capsys, tmp_path):
    path = tmp_path / "runs" / "default" / "config.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    assert os.path.join("runs", "default", "config.json") in mistake(capsys, "run")


@pytest.mark.parametrize("level", ["0", "3"])
def test_what_tensorflow_says_of_itself_is_left_out_and_errors_are_not(level):
    script = """
import os
from udas_tf.loading import loading_tensorflow
with loading_tensorflow():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"I0000 00:00:1.2 3 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"2026-01-02 03:04:05.6: I tensorflow/core/util/port.cc:153] oneDNN\\n")
    os.write(2, b"F0000 the last words\\n")
    os.abort()
"""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": level, "PYTHONPATH": CHECKOUT}
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True
    )
    _, told = process.communicate(timeout=60)
    assert ("oneDNN" in told) == (level == "0")
    assert told.endswith("F0000 the last words\n") and process.returncode < 0
