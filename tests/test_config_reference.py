"""docs/configuration.md: made from the declarations, with every key and what it means."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from udas_tf import config as configs
from udas_tf import schema
from udas_tf.config_reference import comments, reference

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
LINES = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in reference().splitlines()
    if line.startswith("| `") and line.count("|") > 4
]


def test_the_page_is_what_the_module_prints():
    command = [sys.executable, "-m", "udas_tf.config_reference"]
    printed = subprocess.run(command, cwd=PAGE.parents[1], text=True, capture_output=True, check=True).stdout
    assert printed == reference()
    assert PAGE.read_text("utf-8") == printed, "run: python -m udas_tf.config_reference > docs/configuration.md"


def test_every_key_has_a_line_of_its_own():
    keys = [key.strip("`") for key, *_ in LINES]
    expected = [*configs.key_types(), *(f"row.NAME.{key}" for key in configs.key_types(schema.Row))]
    assert sorted(keys) == sorted(expected)


@pytest.mark.parametrize(("key", "kind", "default", "meaning"), LINES, ids=[line[0].strip("`") for line in LINES])
def test_every_key_has_a_type_a_default_and_a_meaning(key, kind, default, meaning):
    assert kind and default and len(meaning) > 3
    assert "None" not in meaning, "the page says none, as the command line does"
    if ", or none" in kind and default == "`none`":
        assert "none" in meaning.lower() or "as the" in meaning, "what follows from a key that is not set?"


def test_defaults_are_those_of_the_base_config_as_the_command_line_takes_them():
    base = configs.base_config()
    for key, _, default, _ in LINES:
        key = key.strip("`")
        if not key.startswith("row."):
            assert configs.flatten(configs.override(base, {key: default.strip("`")})) == configs.flatten(base)


def test_the_rows_of_the_base_config_are_listed():
    for name in schema.ROWS:
        assert f"\n| `{name}` | stage = " in reference()


SOURCE = '''
class Other:
    width: int = 1  # of another class


class Config:
    """A docstring with # no comment."""

    # of no key, since a line is free

    behind: int = 1  # behind | it
    # above it,
    # in two lines
    above: str = "# no comment"
    lines: tuple[int, ...] = (
        6,  # the first
        12,
    )  # and all
    bare: int = 2

    def method(self):
        inner: int = 3  # of no key
'''


def test_a_comment_stands_behind_its_key_or_above_it():
    assert comments(SOURCE, "Config") == {
        "behind": "behind | it",
        "above": "above it, in two lines",
        "lines": "the first and all",
        "bare": "",
    }
