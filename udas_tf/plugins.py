"""Folders of modules in which one file is the whole addition: methods, backbones, heads, data sets, export formats.

A module is found by its name; nothing is registered. Importing one loads TensorFlow, which takes seconds. So what a
command needs to check its flags is read from the module's source instead: its summary (the first line of its
docstring), its constants (upper-case names with literal values) and `Config`, the dataclass of its keys. `Config` may
use these constants and imports from LIGHT, nothing else.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from udas_tf.errors import UserError

LIGHT = ("dataclasses", "typing", "msgspec", "udas_tf.schema")  # modules that a `Config` may use


@dataclasses.dataclass(frozen=True)
class Declarations:
    """What a module declares without being imported.

    Attributes:
      name: of the module, without its package.
      summary: first line of its docstring, without the full stop.
      constants: upper-case name -> value.
      config: its dataclass `Config`; None where it has no keys of its own.
    """

    name: str
    summary: str
    constants: dict[str, Any]
    config: type | None


def names(package: str) -> list[str]:
    """The modules of a package, such as "udas_tf.methods", in alphabetical order."""
    files = folder(package).glob("*.py")
    return sorted(file.stem for file in files if not file.stem.startswith("_"))


def require(package: str, name: str, what: str) -> None:
    """UserError with the nearest name where `package` has no module `name`; `what` says what received it."""
    known = names(package)
    if name not in known:
        raise UserError(f"{what}={name!r} is unknown; expected one of {', '.join(known)}{_nearest(name, known)}")


def load(package: str, name: str, what: str) -> ModuleType:
    """The module, imported; UserError as for `require`."""
    require(package, name, what)
    return importlib.import_module(f"{package}.{name}")


@functools.cache
def declarations(package: str, name: str) -> Declarations:
    """What the module `name` of `package` declares, read from its source."""
    path = folder(package) / f"{name}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    summary = (ast.get_docstring(tree) or "").partition("\n")[0].removesuffix(".")
    light: list[ast.stmt] = []
    constants: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            light += _light(statement)
        elif isinstance(statement, ast.ClassDef) and statement.name == "Config":
            light.append(statement)
        elif isinstance(statement, ast.Assign):
            constants |= _literal(statement.targets[0], statement.value)
        elif isinstance(statement, ast.AnnAssign):
            constants |= _literal(statement.target, statement.value)
    namespace: dict[str, Any] = {"__name__": f"{package}.{name}", **constants}
    code = compile(ast.Module(light, []), str(path), "exec", dont_inherit=True)
    try:
        exec(code, namespace)  # imports of LIGHT modules and one dataclass, all of this package's own source
    except NameError as error:
        raise ImportError(f"{path}: Config uses {error.name}; it may use {', '.join(LIGHT)} and literals") from error
    return Declarations(name, summary, constants, namespace.get("Config"))


def _light(statement: ast.Import | ast.ImportFrom) -> list[ast.stmt]:
    """What an import has of LIGHT, as an import; nothing where it has none of it."""
    origin = f"{statement.module}." if isinstance(statement, ast.ImportFrom) else ""
    kept = [alias for alias in statement.names if origin[:-1] in LIGHT or origin + alias.name in LIGHT]
    if not kept:
        return []
    if isinstance(statement, ast.ImportFrom):
        return [ast.copy_location(ast.ImportFrom(statement.module, kept, 0), statement)]
    return [ast.copy_location(ast.Import(kept), statement)]


def _literal(target: ast.expr, value: ast.expr | None) -> dict[str, Any]:
    """An assignment as {name: value}; nothing where it is no constant with a literal value."""
    if value is None or not isinstance(target, ast.Name) or not target.id.isupper():
        return {}
    try:
        return {target.id: ast.literal_eval(value)}
    except ValueError:  # an expression: known once the module is imported
        return {}


def folder(package: str) -> Path:
    """The directory of a package, without importing its modules."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"{package} is not a package")
    return Path(spec.submodule_search_locations[0])


def _nearest(word: str, choices: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(choices), n=1)
    return f"; did you mean {near[0]}?" if near else ""
