"""Folders in which a module is the whole addition: what is read from a module's source is what the module has."""

import dataclasses
import importlib
import inspect
import os
import subprocess
import sys
import typing

import pytest

from udas_tf import plugins
from udas_tf.errors import UserError

# Constants that are looked up in the sources of a package: one that is no literal would be overlooked there.
LOOKED_UP = {
    "udas_tf.methods": {"READS", "LEARNS", "COLOUR", "NETWORKS", "ALSO"},
    "udas_tf.models.backbones": {"OUTPUT_STRIDES", "KERAS_APPLICATION", "WEIGHTS_PACKAGE"},
    "udas_tf.models.heads": {"LEVELS", "AT_IMAGE_SIZE"},
    "udas_tf.data.sets": {"LAYOUT", "LABELLED", "PUBLISHED", "CLASSES", "CLASS_SET", "CLASS_MAPS"},
    "udas_tf.serving": {"FILE"},
    "udas_tf.commands": {"NAME", "REQUIRED"},
}
MODULES = [(package, name) for package in LOOKED_UP for name in plugins.names(package)]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """`package(name=source)` writes modules into a new package and returns its name."""

    def written(**modules):
        root = tmp_path / "things"
        root.mkdir()
        for name, source in {"__init__": "", **modules}.items():
            (root / f"{name}.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "things", raising=False)
        plugins.declarations.cache_clear()
        return "things"

    yield written
    plugins.declarations.cache_clear()


def keys(config):
    """Name -> (type, default) of the keys of a `Config`."""
    hints = typing.get_type_hints(config, include_extras=True)
    return {field.name: (hints[field.name], field.default) for field in dataclasses.fields(config)}


@pytest.mark.parametrize(("package_name", "name"), MODULES)
def test_declarations_are_what_the_module_has(package_name, name):
    declared = plugins.declarations(package_name, name)
    module = importlib.import_module(f"{package_name}.{name}")
    assert declared.name == name
    assert declared.summary == inspect.getdoc(module).splitlines()[0].removesuffix(".")
    for constant, value in declared.constants.items():
        assert getattr(module, constant) == value
    looked_up = LOOKED_UP[package_name]
    assert {constant for constant in looked_up if hasattr(module, constant)} == looked_up & set(declared.constants)
    own = getattr(module, "Config", None)
    assert (declared.config is None) == (own is None)
    if own is not None:
        assert keys(declared.config) == keys(own)
        assert dataclasses.asdict(declared.config()) == dataclasses.asdict(own())
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(declared.config(), dataclasses.fields(own)[0].name, None)


def test_declarations_load_no_tensorflow():
    code = f"""
import sys
from udas_tf import plugins
for package, name in {MODULES!r}:
    assert plugins.declarations(package, name).summary
loaded = {{"tensorflow", "keras", "cv2", "PIL", "numpy"}} & set(sys.modules)
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True)
    assert result.returncode == 0, result.stderr


def test_names_are_in_alphabetical_order_and_leave_out_what_modules_share(package):
    name = package(zebra="", ant="", _shared="")
    assert plugins.names(name) == ["ant", "zebra"]


def test_a_module_without_docstring_constants_and_config_declares_nothing(package):
    assert plugins.declarations(package(bare=""), "bare") == plugins.Declarations("bare", "", {}, None)


def test_constants_are_upper_case_names_with_literal_values(package):
    source = """\"\"\"First line.

More.
\"\"\"
import dataclasses, no_such_module
from typing import Literal
from no_such_module import Thing
READS = ("source", "target")
TYPED: dict[str, int] = {"train": -3}
DECLARED: int
lower = 1
A, B = 1, 2
SUM = len("ab")
FIRST = SECOND = 5


@dataclasses.dataclass(frozen=True)
class Config:
    reads: tuple = READS
    kind: Literal["a", "b"] = "a"
"""
    declared = plugins.declarations(package(one=source), "one")
    assert declared.summary == "First line"
    assert declared.constants == {"READS": ("source", "target"), "TYPED": {"train": -3}, "FIRST": 5}
    assert keys(declared.config) == {
        "reads": (tuple, ("source", "target")),
        "kind": (typing.Literal["a", "b"], "a"),
    }


def test_a_config_that_needs_more_than_light_imports_says_so(package):
    source = """
import dataclasses
import numpy as np


@dataclasses.dataclass(frozen=True)
class Config:
    width: np.int64 = 1
"""
    name = package(heavy=source)
    with pytest.raises(ImportError, match=r"heavy\.py: Config uses np; it may use dataclasses, .* literals"):
        plugins.declarations(name, "heavy")


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("self_training", ""),
        ("studnet", "; did you mean student?"),
        ("", ""),
        ("_shared", ""),
        ("../uda", "; did you mean uda?"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_known_ones(name, near):
    with pytest.raises(UserError) as caught:
        plugins.load("udas_tf.methods", name, "row.mine.stage")
    expected = ", ".join(plugins.names("udas_tf.methods"))
    assert str(caught.value) == f"row.mine.stage={name!r} is unknown; expected one of {expected}{near}"


def test_a_known_name_loads_its_module():
    assert plugins.load("udas_tf.methods", "uda", "stage") is importlib.import_module("udas_tf.methods.uda")


def test_a_folder_that_is_no_package_is_a_fault_of_the_program():
    with pytest.raises(ValueError, match=r"udas_tf\.errors is not a package"):
        plugins.names("udas_tf.errors")
