"""A command and the run in its directory: which config counts, and which changed keys are refused."""

import pytest

from udas_tf import config as configs
from udas_tf.commands import _opening
from udas_tf.commands._flags import Arguments
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import plan

RECORDS = ("source_train", "target_unlabelled", "target_labelled", "target_hidden", "target_val")
ROWS = "no_adaptation,translation,cutmix"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("UDAS_WORKDIR", raising=False)


def arguments(overrides=None, config=None, workdir="run", accept_config_change=False):
    return Arguments(
        workdir=workdir, config=config, accept_config_change=accept_config_change, overrides=overrides or {}
    )


def opened(overrides=None, **flags):
    return _opening.opened(arguments(overrides, **flags))


@pytest.fixture
def run():
    """A run of three rows whose records are finished."""
    run = opened({"rows": ROWS, "uda.steps": "250"}, config="configs/base.py")
    _opening.save(run)
    for name in RECORDS:
        finish(run.dir.data(name), {})
    return run


def refusal(overrides):
    """What the error says between the directory and the advice."""
    with pytest.raises(UserError) as caught:
        opened(overrides)
    message = str(caught.value)
    assert "\n" not in message
    start, end = "run holds ", "; choose another --workdir, where --reuse links what stays the same, leave the config"
    assert message.startswith(start) and end in message and message.endswith("--accept_config_change")
    return message[len(start) : message.index(end)]


# --- which directory and which config ---------------------------------------------------------------------------


def test_the_directory_is_the_flag_then_the_environment_then_the_default(monkeypatch, tmp_path):
    assert str(_opening.run_dir(arguments(workdir=None)).path) == "runs/default"
    monkeypatch.setenv("UDAS_WORKDIR", "from_environment")
    assert str(_opening.run_dir(arguments(workdir=None)).path) == "from_environment"
    assert str(_opening.run_dir(arguments(workdir="flag")).path) == "flag"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert _opening.run_dir(arguments(workdir="~/run")).path == tmp_path / "run"


def test_the_saved_config_counts_where_none_is_named(run):
    assert configs.differences(opened().config, run.config) == []
    assert opened({"jobs": "2"}).config.uda.steps == 250


def test_without_a_run_the_quickstart_counts():
    assert configs.differences(opened().config, configs.load("configs/quickstart.py")) == []


def test_opening_writes_nothing(tmp_path):
    opened({"uda.steps": "3"})
    assert list(tmp_path.iterdir()) == []


# --- which changes are refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "uda.learning_rate=1",
        "translate.steps=300",
        "model.head=fcn",
        "pseudo_label.views=2",
        "precision=mixed_bfloat16",
    ],
)
def test_records_alone_take_a_new_key_of_any_training_without_a_word(run, key, caplog):
    name, _, value = key.partition("=")
    assert str(configs.flatten(opened({name: value}).config)[name]).startswith(value)
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("key", "value", "names"),
    [
        ("data.source.images", "7", "source_train"),
        ("data.target.labelled", "7", "target_labelled, target_hidden"),
        ("data.target.images", "7", "target_unlabelled, target_labelled, target_hidden, target_val"),
        ("data.size", "96,192", ", ".join(RECORDS)),
        ("seed", "2", ", ".join(RECORDS)),
    ],
)
def test_a_key_of_the_records_is_refused_with_the_sets_it_would_change(run, key, value, names):
    before = configs.flatten(run.config)[key]
    now = configs.flatten(configs.override(run.config, {key: value}))[key]
    assert refusal({key: value}) == f"{names}, made with another config ({key}: {before} in the run, {now} now)"


def test_a_set_that_is_not_begun_hinders_no_change(run):
    (run.dir.data("source_train") / "manifest.json").unlink()
    run.dir.data("source_train").rmdir()
    assert opened({"data.source.images": "7"}).config.data.source.images == 7


def test_a_set_that_is_begun_and_not_finished_hinders_a_change(run):
    (run.dir.data("source_train") / "manifest.json").unlink()
    assert refusal({"data.source.images": "7"}).startswith("source_train, made with another config")


def test_after_a_training_a_key_of_its_row_is_refused_and_of_another_row_not(run):
    finish(run.dir.training("no_adaptation"), {})
    change = "source.learning_rate: 0.00025 in the run, 0.1 now"
    assert refusal({"source.learning_rate": "0.1"}) == f"no_adaptation, made with another config ({change})"
    for key, value in (("uda.learning_rate", "0.1"), ("translate.steps", "300"), ("student.steps", "300")):
        assert configs.flatten(opened({key: value}).config)[key] == float(value)


def test_all_that_follows_from_a_change_is_named(run):
    for name in ("no_adaptation", "translate", "translation", "cutmix"):
        finish(run.dir.training(name), {})
    finish(run.dir.translated, {})
    assert refusal({"uda.kl": "memory"}).startswith("cutmix, made with")
    assert refusal({"source.momentum": "0.5"}).startswith("no_adaptation, translation, made with")
    assert refusal({"translate.width": "8"}).startswith("translate, translated, translation, cutmix, made with")
    assert refusal({"row.translation.start": "no_adaptation"}).startswith("translation, made with")


def test_keys_of_how_fast_and_of_which_rows_change_nothing_that_is_made(run):
    for name in ("no_adaptation", "translate", "translation", "cutmix"):
        finish(run.dir.training(name), {})
    changes = {"jobs": "2", "xla": "true", "replicas": "1", "data.cache": "true", "evaluate.batch_size": "1"}
    assert opened({**changes, "rows": "no_adaptation,supervised"}).config.jobs == 2


def test_keys_of_a_network_that_the_run_does_not_have_change_nothing(run):
    finish(run.dir.training("no_adaptation"), {})
    assert opened({"model.compact.width": "8", "model.fcn.dropout": "0"}).config.model.compact.width == 8
    assert refusal({"model.deeplab_v2.rates": "6,12"}).startswith("no_adaptation, made with")


def test_many_names_and_many_changes_are_cut(run):
    for name in ("no_adaptation", "translate", "translation", "cutmix"):
        finish(run.dir.training(name), {})
    text = refusal({"seed": "1", "uda.learning_rate": "0.5", "uda.momentum": "0.5"})
    names, _, changes = text.partition(", made with another config ")
    assert names == ", ".join([*RECORDS, "no_adaptation"]) + ", and 3 more"
    assert changes.count(" in the run, ") == 3
    many = configs.load("configs/quickstart.py")
    with pytest.raises(UserError) as caught:
        opened(config="configs/quickstart.py")
    different = configs.differences(run.config, many)
    assert str(caught.value).count(" in the run, ") == configs.SHOWN
    assert f"; and {len(different) - configs.SHOWN} more)" in str(caught.value)


def test_an_accepted_change_is_opened_and_saved(run, caplog):
    accepted = opened({"seed": "2"}, accept_config_change=True)
    assert accepted.config.seed == 2 and opened().config.seed == 0
    caplog.set_level("INFO", logger="absl")
    _opening.save(accepted)
    assert caplog.messages == ["the run's config changes: seed: 0 in the run, 2 now"]
    assert opened().config.seed == 2
    caplog.clear()
    _opening.save(opened())
    assert caplog.messages == [], "nothing has changed"


def test_a_round_beyond_the_table_is_looked_at_too():
    run = opened({"row.student.rounds": "1"}, config="configs/base.py", workdir="rounds")
    _opening.save(run)
    for artefact in plan.plan(run):
        finish(run.dir.path / artefact.path, {})
    for directory in (run.dir.pseudo_labels("student_2"), run.dir.training("student_2")):
        finish(directory, {})
    with pytest.raises(
        UserError, match="rounds holds student_1, pseudo_labels/student_2, student_2, made with another config"
    ):
        opened({"student.momentum": "0.5"}, workdir="rounds")
    with pytest.raises(
        UserError, match="holds pseudo_labels/student_1, student_1, pseudo_labels/student_2, student_2, made"
    ):
        opened({"pseudo_label.views": "1"}, workdir="rounds")


def test_a_config_whose_rows_are_wrong_is_refused_before_it_is_saved(run):
    with pytest.raises(UserError, match="rows holds 'cutmicks'"):
        opened({"rows": "cutmicks", "uda.steps": "300"})
    assert configs.load(run.dir.config).uda.steps == 250


def test_the_run_of_another_directory_has_its_own_classes(run, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert _opening.opened(arguments(workdir="../run")).classes == run.classes
    with pytest.raises(UserError, match=r"the class set camvid is not that of the run in \.\./run"):
        opened({"classes": "camvid"}, workdir="../run")


def test_json_is_one_line_of_dataclasses(capsys):
    _opening.print_json({"rows": [1.5, None], "path": "ß"})
    assert capsys.readouterr().out == '{"rows":[1.5,null],"path":"ß"}\n'


def test_saved_config_of_no_run_is_none(tmp_path):
    assert _opening.saved_config(RunDir(tmp_path)) is None
