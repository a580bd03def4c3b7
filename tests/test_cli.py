"""The command line: help and mistakes without TensorFlow, exit codes, what each command calls and prints."""

import json
import os
import subprocess
import sys
import types
from fractions import Fraction
from pathlib import Path

import pytest

from udas_tf import cli, plugins, processes
from udas_tf import config as configs
from udas_tf.evaluation.scores import Scores
from udas_tf.run import Run

CHECKOUT = str(configs.configs_directory().parent)
COMMANDS = cli._commands()
pytestmark = pytest.mark.usefixtures("loggers_as_before")
# One command in a process of its own, which exits with 99 if it has loaded what takes time to load.
LIGHT = """
import sys
from udas_tf.cli import main
code = main(sys.argv[1:])
heavy = {"tensorflow", "keras", "numpy", "cv2", "PIL", "matplotlib"} & set(sys.modules)
if heavy:
    print(heavy, file=sys.stderr)
sys.exit(99 if heavy else code)
"""
SCORES = Scores(
    name="cutmix",
    stage="uda",
    round=None,
    step=3,
    images=2,
    miou=0.5,
    pixel_accuracy=0.75,
    iou={"road": 0.5, "bus": None},
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Every test in a directory of its own, with no UDAS_WORKDIR around; none begins processes, or gets ready to."""
    monkeypatch.setattr(processes, "load_ahead", lambda: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UDAS_WORKDIR", raising=False)


@pytest.fixture
def calls(monkeypatch):
    """Puts a recorder in the place of what each command calls; the list of (function, arguments)."""
    recorded = []

    def recorder(name, result):
        def function(*arguments):
            recorded.append((name, arguments))
            return result

        return function

    def replace(module, **functions):
        attributes = {name: recorder(name, result) for name, result in functions.items()}
        monkeypatch.setitem(sys.modules, f"udas_tf.{module}", types.SimpleNamespace(**attributes))
        return sys.modules[f"udas_tf.{module}"]

    replace("runs.everything", run_all=[SCORES])
    replace("runs.training", train=None, label=None)
    replace("runs.export", export=None)
    replace("runs.records", prepare=None)
    replace("runs.report", report=[SCORES]).Report = lambda rows: {"rows": rows}
    replace("evaluation.evaluate", evaluate=SCORES)
    replace("report.inspection", inspect={"gap": 0.25}).text = lambda inspection: f"the gap is {inspection['gap']}"
    replace("prediction", predict=None)
    replace("translation", translate=None)
    replace("weights", import_weights=None)
    replace("report.tables").score_table = lambda rows: f"table of {len(rows)}"
    return recorded


def in_a_light_process(*argv):
    command = [sys.executable, "-c", LIGHT, *argv]
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
def test_help_lists_every_command_with_its_summary(argv, capsys):
    assert cli.main(argv) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    for name, module in COMMANDS.items():
        [line] = [line for line in captured.out.splitlines() if line.startswith(f"  {name}  ")]
        assert line.endswith(f"  {plugins.declarations(cli.COMMANDS, module).summary}")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_lists_its_flags_only(name, capsys):
    assert cli.main([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert cli.main(["help", *name.split()]) == 0
    assert capsys.readouterr().out == text
    listed = [line.strip() for line in text.splitlines() if line.startswith("  --")]
    assert listed == [f"--{flag}" for flag in cli._flags_of(COMMANDS[name])]
    assert ("--workdir" in listed) == (name not in ("predict", "bench", "data map"))
    assert "--verbosity" in listed
    assert not {"--flagfile", "--undefok", "--logtostderr", "--only_check_args"} & set(listed)
    assert max(map(len, text.splitlines())) < 100


def test_help_of_a_group(capsys):
    assert cli.main(["data", "--help"]) == 0
    text = capsys.readouterr().out
    assert "data prepare" in text and "data inspect" in text and "translate" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_light(name):
    result = in_a_light_process(*name.split(), "--help")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["--help"], 0),
        (["train", "--stag=uda"], 2),
        (["train", "--stage=student"], 2),
        (["run", "--config.uda.step=3"], 2),
        (["sweep", "--labels=1/3,most"], 2),
        (["sweep", "--seeds=1,1"], 2),
    ],
)
def test_mistakes_are_found_in_a_light_process(argv, code):
    result = in_a_light_process(*argv)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "expected a command first, received nothing; `udas --help` lists the commands"),
        (["--workdir=x", "run"], "expected a command first, received '--workdir=x'"),
        (["trian"], "no command 'trian'; the nearest is 'train'"),
        (["psuedo_label", "--help"], "the nearest is 'pseudo_label'"),
        (["data"], "the nearest is 'data "),
        (["data", "inspekt"], "the nearest is 'data inspect'"),
        (["data_inspect"], "no command 'data_inspect'; the nearest is 'data inspect'"),
        (["train"], "which row? Give --stage or --name"),
        (["train", "--stage="], "see `udas train --help`"),
        (["train", "--stage=udaa"], "--stage=udaa: value should be one of <source|student|supervised|translate|uda>"),
        (["train", "--stage"], "Missing value for flag --stage"),
        (["train", "--stage=student"], "needs --round=N"),
        (["train", "--stage=uda", "--round=1"], "--round=1 was given with cutmix, which has no rounds"),
        (["train", "--stage=student", "--round=0"], "--round=0"),
        (["train", "--stage=student", "--round=one"], "--round=one"),
        (["train", "--stage=uda", "--name=translation"], "expected one of adaptation, cutmix, translation_adaptation"),
        (["train", "--name=cutmicks"], "--name=cutmicks is no row; the nearest is cutmix"),
        (["train", "--stage=translate", "--name=cutmix"], "takes neither --round nor --name"),
        (["train", "--rund=3"], "`udas train` has no flag --rund; the nearest is --round"),
        (["train", "uda"], "`udas train` takes flags only, written --flag=value; received 'uda'"),
        (["train", "--stage=uda", "--verbosity=loud"], "--verbosity=loud"),
        (["evaluate", "--stage=translate"], "<source|student|supervised|uda>"),
        (["evaluate", "--stage=uda", "--json=maybe"], "--json=maybe: expected true or false"),
        (["evaluate", "--stage=uda", "--tta=rotate"], "<none|flip|multi_scale>"),
        (["pseudo_label"], "needs --round=N"),
        (["predict", "--model=m", "--images=i"], "`udas predict` needs --output: folder for the overlays"),
        (["predict", "--model=m", "--images=i", "--config=x"], "has no flag --config"),
        (["predict", "--model=m", "--images=i", "--config.seed=1"], "has no flag --config.seed"),
        (["export", "--stage=uda"], "`udas export` needs --output: directory for the model"),
        (["export", "--stage=uda", "--output=m", "--format=onyx"], "--format=onyx: value should be one of <"),
        (["export", "--stage=uda", "--output=m", "--size=360"], "--size=360; expected height,width in pixels"),
        (["export", "--stage=uda", "--output=m", "--size=0,640"], "--size=0,640; expected height,width"),
        (["weights", "import", "--network=segmenter", "--output=w"], "`udas weights import` needs --from: "),
        (["weights", "import", "--network=generatr"], "<segmenter|"),
        (["data", "prepare", "--root=r"], "--root and --output belong to --dataset"),
        (["data", "prepare", "--dataset=gta5", "--root=r"], "needs --root and --output, and takes no --workdir"),
        (["run", "--config=nowhere.py"], "no config nowhere.py"),
        (["run", "--config.uda.learning_rat=1"], "the nearest is 'uda.learning_rate'"),
        (["run", "--config.uda.steps"], "write --config.uda.steps=VALUE"),
        (["run", "--config.uda.steps=x"], "'uda.steps' received 'x', expected a whole number >= 1"),
        (["run", "--config.classes=nowhere.yaml"], "cannot read nowhere.yaml"),
    ],
)
def test_a_mistake_is_one_line(argv, message, capsys, tmp_path):
    assert message in mistake(capsys, *argv)
    assert list(tmp_path.iterdir()) == []


def test_a_message_of_several_lines_becomes_one(capsys, tmp_path):
    lines = [
        "from udas_tf.config import base_config",
        "",
        "def get_config():",
        "    c = base_config()",
        "    c.sed = 3",
    ]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    message = mistake(capsys, "run", "--config=mine.py")
    assert "mine.py, line 5: AttributeError" in message and 'Did you mean "seed"' in message
    assert len(message) < 250


def test_a_fault_of_the_program_keeps_its_traceback(calls, monkeypatch):
    def broken(*arguments):
        raise RuntimeError("broken")

    monkeypatch.setattr(sys.modules["udas_tf.runs.everything"], "run_all", broken)
    with pytest.raises(RuntimeError, match="broken"):
        cli.main(["run"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device", "a/b"), "a/b: No space left on device; free some space, then run the"),
        (OSError(30, "Read-only file system", "a"), "a: Read-only file system; choose a place that can be written"),
        (NotADirectoryError(20, "Not a directory", "a"), "a: Not a directory; choose another place"),
        (OSError("Can't write data (errno = 28, error message = 'No space left on device')"), "Can't write data"),
    ],
)
def test_what_the_system_refuses_is_one_line(error, line, capsys, monkeypatch):
    def refuse(argv):
        raise error

    monkeypatch.setattr(cli, "_dispatch", refuse)
    assert cli.main([]) == 2
    assert capsys.readouterr().err.startswith(f"udas: {line}")


def test_a_missing_file_is_a_fault_of_the_program_unless_it_says_otherwise(monkeypatch):
    def fail(argv):
        raise FileNotFoundError(2, "No such file or directory", "a")

    monkeypatch.setattr(cli, "_dispatch", fail)
    with pytest.raises(FileNotFoundError):
        cli.main([])


def test_an_interrupted_command_says_how_to_go_on(calls, capsys, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["udas_tf.runs.everything"], "run_all", interrupted)
    assert cli.main(["run"]) == 130
    assert capsys.readouterr().err.strip() == "udas: interrupted; the same command goes on where it was"


@pytest.mark.parametrize(
    ("argv", "function", "rest"),
    [
        (["run"], "run_all", ()),
        (["train", "--stage=student", "--round=3"], "train", ("student_3",)),
        (["train", "--name=student", "--round=3"], "train", ("student_3",)),
        (["train", "--name=student_3"], "train", ("student_3",)),
        (["train", "--stage=source", "--name=translation"], "train", ("translation",)),
        (["train", "--name=translation"], "train", ("translation",)),
        (["train", "--stage=source"], "train", ("no_adaptation",)),
        (["train", "--stage=translate"], "train", ("translate",)),
        (["translate"], "translate", ()),
        (["pseudo_label", "--round=2"], "label", ("student_2",)),
        (["pseudo_label", "--name=student_2"], "label", ("student_2",)),
        (["evaluate", "--stage=uda"], "evaluate", ("cutmix", "target", "none", "training")),
        (
            ["evaluate", "--stage=supervised", "--on=translated"],
            "evaluate",
            ("supervised", "translated", "none", "training"),
        ),
        (
            ["evaluate", "--name=cutmix", "--tta=multi_scale", "--resolution=full"],
            "evaluate",
            ("cutmix", "target", "multi_scale", "full"),
        ),
        (["export", "--stage=uda", "--output=model"], "export", ("cutmix", "model", "saved_model", None, False)),
        (
            ["export", "--name=cutmix", "--output=model", "--size=360,640", "--frozen"],
            "export",
            ("cutmix", "model", "saved_model", (360, 640), True),
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
def test_a_command_calls_its_function(argv, function, rest, calls):
    assert cli.main(argv) == 0
    [(name, (run, *arguments))] = calls
    # A row is passed as its name, or as a whole.
    assert (name, tuple(getattr(argument, "name", argument) for argument in arguments)) == (function, rest)
    assert isinstance(run, Run) and str(run.dir.path) == os.path.join("runs", "default")
    assert configs.differences(run.config, configs.load("configs/quickstart.py")) == [] and run.config.is_locked
    assert run.classes.name == "cityscapes"
    reads = function in ("evaluate", "export", "inspect", "report")
    assert run.dir.config.exists() != reads


def test_weights_import_takes_the_network_of_the_config(calls, tmp_path):
    argv = ["weights", "import", "--from=imagenet", "--network=segmenter", "--output=w.weights.h5"]
    assert cli.main([*argv, "--config=configs/base.py"]) == 0
    [(_, (config, classes, *arguments))] = calls
    assert config.model.backbone == "resnet101" and len(classes) == 19
    assert arguments == ["imagenet", "segmenter", "w.weights.h5", None]
    assert list(tmp_path.iterdir()) == []


def test_run_ends_with_the_table(calls, capsys):
    assert cli.main(["run"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "table of 1\n"
    assert captured.err == "udas: the report lies in runs/default/report\n"


def test_messages_leave_standard_output_alone_and_verbosity_leaves_them_out(calls, capsys):
    assert cli.main(["run", "--config.uda.steps=250"]) == 0
    capsys.readouterr()
    assert cli.main(["run", "--config.uda.steps=300"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "table of 1\n"
    assert "udas: the run's config changes: uda.steps: 250 in the run, 300 now\n" in captured.err
    assert cli.main(["run", "--config.uda.steps=350", "--verbosity=-1"]) == 0
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("table of 1\n", "")


def test_run_links_what_other_runs_have_finished(calls, capsys, monkeypatch):
    shared = []

    def share(run, others):
        shared.append((str(run.dir.path), [str(other.path) for other in others]))
        return [Path("data/source_train")]

    monkeypatch.setattr("udas_tf.runs.reuse.share", share)
    cli.main(["run", "--workdir=one"])
    capsys.readouterr()
    assert cli.main(["run", "--workdir=other", "--reuse=one"]) == 0
    assert shared == [("other", ["one"])]
    assert "udas: linked from another run: data/source_train\n" in capsys.readouterr().err


def test_a_dry_run_writes_nothing(monkeypatch, capsys, tmp_path):
    stub = types.SimpleNamespace(dry_run=lambda run: [f"uda of {run.config.uda.steps} steps"])
    monkeypatch.setitem(sys.modules, "udas_tf.runs.dry_run", stub)
    assert cli.main(["run", "--dry_run", "--config.uda.steps=7"]) == 0
    assert capsys.readouterr().out.startswith("uda of 7 steps\nEvery stage can be built and trained")
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_is_prepared_in_its_own_classes_unless_a_config_says_otherwise(monkeypatch, capsys):
    called = []
    stub = types.SimpleNamespace(
        prepare_dataset=lambda *arguments: called.append(arguments) or "prepared",
        table=lambda prepared: f"table of {prepared}",
        REPORT="report.json",
    )
    monkeypatch.setitem(sys.modules, "udas_tf.runs.records", stub)
    argv = ["data", "prepare", "--dataset=camvid", "--root=r", "--output=o"]
    assert cli.main([*argv, "--config.data.size=48,96"]) == 0
    assert cli.main([*argv, "--config.classes=camvid", "--strict"]) == 0
    assert cli.main([*argv, "--config=configs/quickstart.py"]) == 0
    assert [config.data.size for config, *_ in called] == [(48, 96), (360, 640), (96, 192)]
    assert [getattr(classes, "name", None) for _, classes, *_ in called] == [None, "camvid", "cityscapes"]
    assert [rest for _, _, *rest in called] == [["camvid", "r", "o", strict] for strict in (False, True, False)]
    assert capsys.readouterr().out == "table of prepared\n" * 3


@pytest.mark.parametrize("flag", ["--labels=", "--labels=4/3", "--labels=a", "--seeds=", "--seeds=1,one"])
def test_a_sweep_over_nothing_is_refused(flag, capsys):
    assert "expected" in mistake(capsys, "sweep", flag)


def test_sweep_shows_its_table_or_json(monkeypatch, capsys, tmp_path):
    called = []

    def sweep(run, *arguments):
        called.append(arguments)
        (run.dir.path / "results").mkdir(exist_ok=True)
        (run.dir.path / "results" / "table.txt").write_text("the table")
        return {"sentence": "labels buy"}

    module = types.SimpleNamespace(sweep=sweep, RESULTS="results")
    monkeypatch.setitem(sys.modules, "udas_tf.runs.sweep", module)
    assert cli.main(["sweep", "--workdir=w"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "the table\n" and "udas: the table and the plot lie in w/results\n" in captured.err
    assert cli.main(["sweep", "--workdir=w", "--labels=1/2,3", "--seeds=4", "--reuse=a,b", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"sentence": "labels buy"}
    everything = [1, Fraction(1, 3), Fraction(1, 6), Fraction(1, 30), 0]
    assert called == [(everything, [1, 2, 3], ()), ([Fraction(1, 2), 3], [4], ["a", "b"])]
    assert (tmp_path / "w" / "config.json").is_file()


def test_predict_has_no_run(calls, tmp_path):
    assert cli.main(["predict", "--model=m", "--images=i", "--output=o"]) == 0
    assert cli.main(["predict", "--model=m", "--images=i", "--output=o", "--own_size"]) == 0
    assert calls == [("predict", ("m", "i", "o", own_size)) for own_size in (False, True)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["evaluate", "--stage=uda"], "table of 1\n"),
        (["report"], "table of 1\n"),
        (["data", "inspect"], "the gap is 0.25\n"),
    ],
)
def test_a_result_is_a_table_or_one_json_document(argv, text, calls, capsys):
    assert cli.main(argv) == 0
    assert capsys.readouterr().out == text
    assert cli.main([*argv, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    if argv[0] == "data":
        assert document == {"gap": 0.25}
    else:
        row = document if argv[0] == "evaluate" else document["rows"][0]
        assert (row["name"], row["iou"]) == ("cutmix", {"road": 0.5, "bus": None})


def test_the_workdir_is_the_flag_then_the_environment(calls, monkeypatch):
    monkeypatch.setenv("UDAS_WORKDIR", "from_environment")
    cli.main(["run"])
    cli.main(["run", "--workdir=from_flag"])
    assert [str(run.dir.path) for _, (run, *_) in calls] == ["from_environment", "from_flag"]


def test_the_saved_config_is_the_default_of_later_commands(calls, tmp_path):
    first = ["run", "--config=configs/base.py", "--config.uda.steps=7", "--workdir=w"]
    assert cli.main(first) == 0
    saved = (tmp_path / "w" / "config.json").read_text()
    assert cli.main(["train", "--stage=uda", "--workdir=w"]) == 0
    assert cli.main(first) == 0  # the same again is no change
    for _, (run, *_) in calls:
        assert run.config.uda.steps == 7 and run.config.data.size == (360, 640)
    assert (tmp_path / "w" / "config.json").read_text() == saved


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
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.PIPE, text=True)
    _, shown = process.communicate(timeout=60)
    assert ("oneDNN" in shown) == (level == "0")
    assert shown.endswith("F0000 the last words\n") and process.returncode < 0
