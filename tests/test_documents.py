"""Documents keep up with the program: every `udas` command in them has today's flags, keys and files."""

import re
import shlex
from pathlib import Path

import pytest

from udas_tf import cli
from udas_tf import config as configs

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("configs/**/*.py")]
PLACEHOLDERS = ("KEY=VALUE", "...", "$")  # in words that a reader fills in
EXAMPLES = ("mean_teacher", "bdd100k", "litert", "convnext_tiny")  # what CONTRIBUTING.md adds


def commands():
    """(document, words behind `bin/udas`) of every command."""
    found = []
    for document in DOCUMENTS:
        if document.name == "CHANGELOG.md":  # of names that are no more
            continue
        text = document.read_text("utf-8").replace("\\\n", " ")
        lines = re.findall(r"^ *(?:.*; do )?bin/udas (.*)$", text, re.MULTILINE)
        for line in lines + re.findall(r"`bin/udas ([^`]+)`", text):
            command = re.sub(r"\[.*?\]", "", re.split(r" #|;|&&", line)[0])
            words = [word for word in shlex.split(command) if not any(part in word for part in PLACEHOLDERS)]
            if words and "--help" not in words and not any(name in command for name in EXAMPLES):
                found.append((document.name, words))
    return found


COMMANDS = commands()


def test_the_documents_have_commands():
    assert len(COMMANDS) > 40
    assert {"README.md", "results.md", "performance.md", "streets_to_camvid.py"} <= {name for name, _ in COMMANDS}


def keys():
    """(document, key, value) of every `--config.KEY=VALUE`, in commands and in sentences."""
    found = set()
    for document in DOCUMENTS:
        pairs = re.findall(r"--config\.([a-z][\w.]*)=([^\s`\])]+)", document.read_text("utf-8"))
        found |= {(document.name, key, value) for key, value in pairs if "$" not in value}
    return sorted(found - {("results.md", "uda.KEY", "VALUE")} - {one for one in found if one[0] == "CHANGELOG.md"})


@pytest.mark.parametrize(("document", "key", "value"), keys())
def test_a_key_is_one_of_todays(document, key, value):
    if not any(name in value for name in EXAMPLES):
        configs.override(configs.base_config(), {key: value.rstrip(",.;")} | rows_of(key, value))


def rows_of(key, value):
    """The stage that a new row needs, where a key is of a row that documents add."""
    row = re.match(r"row\.(mine|NAME)\.", key)
    return {f"row.{row[1]}.stage": "uda"} if row and not key.endswith(".stage") else {}


@pytest.mark.parametrize(("document", "words"), COMMANDS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_command_has_todays_flags_keys_and_files(document, words):
    known = cli._commands()
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in known)
    flags = words[len(name.split()) :]
    if name == "weights import" and not any(word.startswith("--output") for word in flags):
        flags.append("--output=any.weights.h5")  # left out where a sentence is about another flag
    arguments = cli._parse(name, known[name], flags)
    config = getattr(arguments, "config", None)
    base = configs.load(config) if config and config != "mine.py" else configs.base_config()
    configs.override(base, arguments.overrides)
