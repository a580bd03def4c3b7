"""Messages: which of them are shown, how they read, and that standard output is left to results."""

import logging as standard
import sys
from pathlib import Path

import pytest
from absl import logging

import udas_tf
from udas_tf import log, progress

pytestmark = pytest.mark.usefixtures("loggers_as_before")
PACKAGE = Path(udas_tf.__file__).parent
LIBRARY = Path(standard.__file__)


def say(level, text, file=PACKAGE / "runs" / "training.py"):
    """A message as if the code in `file` sent it."""
    code = compile(f"logging.log(level, '%s', {text!r})", str(file), "exec")
    exec(code, {"logging": logging, "level": level})


def shown(capsys):
    captured = capsys.readouterr()
    assert captured.out == "", "standard output is for results"
    return captured.err


def test_by_default_what_is_done_and_what_is_skipped_is_shown(capsys):
    log.set_up()
    say(logging.INFO, "cutmix is trained already: training/cutmix")
    say(logging.DEBUG, "checkpoint at step 50")
    say(logging.WARNING, "3 files are skipped")
    assert shown(capsys) == "udas: cutmix is trained already: training/cutmix\nudas: warning: 3 files are skipped\n"


def test_verbosity_minus_one_shows_warnings_only(capsys):
    log.set_up(-1)
    say(logging.INFO, "cutmix is trained already: training/cutmix")
    say(logging.WARNING, "3 files are skipped")
    assert shown(capsys) == "udas: warning: 3 files are skipped\n"


def test_verbosity_one_shows_details_too(capsys):
    log.set_up(1)
    say(logging.DEBUG, "checkpoint at step 50")
    assert shown(capsys) == "udas: checkpoint at step 50\n"


def test_of_libraries_only_warnings_are_shown(capsys):
    log.set_up()
    say(logging.INFO, "retracing", LIBRARY)
    say(logging.WARNING, "this is deprecated", LIBRARY)
    standard.getLogger("a_library").info("started")
    standard.getLogger("a_library").error("stopped")
    assert shown(capsys) == "udas: warning: this is deprecated\nudas: error: stopped\n"


def test_setting_up_twice_shows_a_message_once(capsys):
    log.set_up()
    log.set_up()
    say(logging.INFO, "once")
    assert shown(capsys) == "udas: once\n"


def test_a_message_has_a_line_of_its_own_beside_a_progress_bar(capsys):
    log.set_up()
    with progress.bar(10, "train", "step") as bar:
        bar.update(3)
        bar.refresh()
        say(logging.INFO, "a checkpoint")
    lines = shown(capsys).replace("\r", "\n").splitlines()
    assert "udas: a checkpoint" in lines
    assert sum("train" in line for line in lines) > 1, "the bar is drawn again"


def test_messages_follow_standard_error_where_it_goes(capsys, monkeypatch, tmp_path):
    log.set_up()
    with (tmp_path / "err").open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        say(logging.INFO, "elsewhere")
        monkeypatch.undo()
    assert (tmp_path / "err").read_text() == "udas: elsewhere\n"
    assert shown(capsys) == ""
