"""Configs: made from the defaults of all sections, loaded, overridden, saved, compared.

A config is a locked `ml_collections.ConfigDict` with the keys of `udas_tf.schema` and of the modules that declare a
`Config`. It comes from a Python file with `get_config()`, read as a file and not imported, or from the JSON file
saved with a run. `ml_collections.config_flags` is not used, because it has no `int | None` and reports a wrong key with
a traceback instead of one line.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import inspect
import json
import math
import os
import re
import runpy
import traceback
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from ml_collections import ConfigDict

from udas_tf import plugins, schema
from udas_tf.errors import UserError
from udas_tf.run_dir import write_json

METHODS = "udas_tf.methods"
NETWORK_PARTS = ("udas_tf.models.backbones", "udas_tf.models.heads")  # their keys are below `model`
SHOWN = 6  # texts of a list that one line has room for
NOT_SET = ("none", "null", "")


def configs_directory() -> Path:
    """The configs that come with the program: `udas_tf/configs` once installed, `configs` in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def base_config() -> ConfigDict:
    """A locked config with every key at its default."""
    config = ConfigDict(_defaults(schema.Config()))
    for path, declared in _declared_sections().items():
        parent, _, name = path.rpartition(".")
        (config[parent] if parent else config)[name] = ConfigDict(_defaults(declared()))
    config.rows = tuple(schema.ROWS)
    config.row = ConfigDict({name: _defaults(row) for name, row in schema.ROWS.items()})
    return config.lock()


def add_row(config: ConfigDict, name: str, **keys: Any) -> None:
    """Adds a row at the end of the table. For config files of one's own.

    Args:
      config: locked or not.
      name: of the row, new.
      **keys: of `schema.Row`, such as stage="uda", source="translated", start="translation".

    Raises:
      UserError: the name is taken, or a key or value is wrong.
    """
    if name in config.row:
        raise UserError(f"row {name!r} exists already; change it as config.row.{name}.KEY")
    typed = {key: _typed(f"row.{name}.{key}", value) for key, value in keys.items()}
    if "stage" not in typed:
        raise UserError(f"row {name!r} needs stage=METHOD, one of {', '.join(plugins.names(METHODS))}")
    with config.unlocked():
        config.row[name] = ConfigDict(_defaults(schema.Row(**typed))).lock()
    config.rows = (*config.rows, name)


def load(path: str | os.PathLike[str]) -> ConfigDict:
    """The locked config in a file.

    Args:
      path: a `.py` file with `get_config()`, or a `.json` file as `save` writes it; keys it lacks keep their
        default. The program's own, such as `configs/quickstart.py`, are found from any directory. After a colon, the
        argument of a `get_config(base)`: `configs/methods/advent.py:configs/quickstart.py` is AdvEnt on the data and
        network of the second.

    Raises:
      UserError: the file is missing, fails, or holds an unknown key or a value of another type.
    """
    name, argument = _parted(str(path))
    path = _find(Path(name))
    if path.suffix == ".json" and argument:
        raise UserError(f"{path} is a finished config and takes no other one after a colon, received {argument!r}")
    content = _read_json(path) if path.suffix == ".json" else _execute(path, argument)
    try:
        return _with(base_config(), flatten(content))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def override(config: ConfigDict, overrides: Mapping[str, Any]) -> ConfigDict:
    """A locked copy of `config` with other values for some keys.

    Args:
      config: as `load` returns it.
      overrides: dotted key -> value, or the text a user typed for it. A tuple is written `96,192`, with or without
        parentheses; a key that may be unset takes `none`. `row.NAME.stage` adds a row.

    Raises:
      UserError: a key does not exist (the nearest one is named) or a value is not of the key's type.
    """
    return _with(config, overrides)


def save(config: ConfigDict, path: str | os.PathLike[str]) -> None:
    """Writes a config as JSON, whole or not at all."""
    try:
        write_json(Path(path), config.to_dict())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another --workdir") from error


def summary(texts: Sequence[str], separator: str = "; ") -> str:
    """The first of many texts, such as the lines of `differences`: as many as one line has room for."""
    more = f"{separator}and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return separator.join(texts[:SHOWN]) + more


def differences(saved: ConfigDict, config: ConfigDict) -> list[str]:
    """One line for each key whose values differ, such as `uda.steps: 200 in the run, 300 now`."""
    in_run, now = flatten(saved), flatten(config)
    return [
        f"{key}: {in_run.get(key)} in the run, {now.get(key)} now"
        for key in dict.fromkeys([*in_run, *now])
        if in_run.get(key) != now.get(key)
    ]


def flatten(config: Mapping[str, Any] | ConfigDict, prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, in the order of the keys."""
    flat = {}
    for key, value in config.items():
        if isinstance(value, (Mapping, ConfigDict)):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def nearest(word: str, choices: Iterable[str]) -> str:
    """The one of `choices` that a mistyped word most likely means."""
    return difflib.get_close_matches(word, list(choices), n=1, cutoff=0.0)[0]


# --- the schema ---------------------------------------------------------------------------------------------


@functools.cache
def _declared_sections() -> dict[str, type]:
    """Dotted path of a section -> its dataclass, for the sections that modules declare."""
    sections = {}
    for package in (METHODS, *NETWORK_PARTS):
        for name in plugins.names(package):
            declared = plugins.declarations(package, name).config
            if declared is not None:
                sections[name if package == METHODS else f"model.{name}"] = declared
    return sections


@functools.cache
def key_types(section: type | None = None) -> dict[str, Any]:
    """Dotted key -> its type; of all keys but those of rows, or of one section's."""
    if section is not None:
        return _hints(section)
    hints = _hints(schema.Config)
    for path, declared in _declared_sections().items():
        hints |= _hints(declared, f"{path}.")
    return hints


def _hints(section: type, prefix: str = "") -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(section, include_extras=True).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            hints |= _hints(hint, f"{prefix}{name}.")
        else:
            hints[prefix + name] = hint
    return hints


def _defaults(section: Any) -> dict[str, Any]:
    """Keys and values of a section, sections within as dictionaries; tuples stay tuples."""
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}
    return {name: _defaults(value) if dataclasses.is_dataclass(value) else value for name, value in values.items()}


def _type_of(key: str) -> Any:
    """The type of a key; UserError naming today's key for an old one, and the nearest for a wrong one."""
    if key in key_types():
        return key_types()[key]
    row_keys = key_types(schema.Row)
    match key.split("."):
        case ["row", name, field] if name and field in row_keys:
            return row_keys[field]
        case ["row", name, _] if name:
            rows_own = [f"row.{name}.{field}" for field in row_keys]
        case _:
            rows_own = [f"row.NAME.{field}" for field in row_keys]
    raise UserError(_unknown(key, [*key_types(), *rows_own]))


def _unknown(key: str, known: Sequence[str]) -> str:
    section, _, name = key.rpartition(".")
    today = schema.RENAMED.get(key) or schema.RENAMED.get(f"*.{name}", "").replace("*", section)
    if today and any(other.startswith(f"{section}.") for other in known):
        return f"config key {key!r} is called {today} now"
    return f"unknown config key {key!r}; the nearest is {nearest(key, known)!r}"


def _with(config: ConfigDict, values: Mapping[str, Any]) -> ConfigDict:
    """A locked copy of `config` with `values` (dotted key -> value or text) set."""
    typed = {key: _typed(key, value) for key, value in values.items()}
    config = config.copy_and_resolve_references()
    with config.unlocked():
        for name in dict.fromkeys(key.split(".")[1] for key in typed if key.startswith("row.")):
            if name not in config.row:
                if f"row.{name}.stage" not in typed:
                    raise UserError(f"row.{name} is no row; set row.{name}.stage to add it")
                config.row[name] = ConfigDict(_defaults(schema.Row(stage=typed[f"row.{name}.stage"])))
    config.update_from_flattened_dict(typed)
    return config.lock()


def _typed(key: str, value: Any) -> Any:
    """A value, or the text of one, as the type of its key."""
    hint = _type_of(key)
    if isinstance(value, str) and value.strip().lower() in NOT_SET and _is_optional(hint):
        return None
    parts = _parts(value, hint) if isinstance(value, str) and _is_tuple(hint) else value
    try:
        typed = msgspec.convert(parts, hint, strict=not isinstance(parts, (str, list)))
    except msgspec.ValidationError:
        _refuse(key, value, hint)
    items = typed if isinstance(typed, tuple) else (typed,)
    if any(isinstance(item, float) and not math.isfinite(item) for item in items):
        _refuse(key, value, hint)
    return typed


def _parts(text: str, hint: Any) -> Any:
    """`96,192`, `(96, 192)` or one name as a list; a lone number is more often a mistake for a pair."""
    names_alone = "str" in str(hint)
    if names_alone or "," in text or text.strip()[:1] in ("(", "["):
        return [part.strip() for part in text.strip("()[] ").split(",") if part.strip()]
    return text


def _refuse(key: str, value: Any, hint: Any) -> NoReturn:
    raise UserError(f"config key {key!r} received {value!r}, expected {type_in_words(hint)}")


def type_in_words(hint: Any) -> str:
    """A type in words."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        bounds = [f"{sign} {bound:g}" for sign, bound in _bounds(arguments[1]) if bound is not None]
        return f"{type_in_words(arguments[0])} {' and '.join(bounds)}"
    if origin is typing.Literal:
        return f"one of {', '.join(map(str, arguments))}"
    if origin in (typing.Union, types.UnionType):
        kinds = [type_in_words(argument) for argument in arguments if argument is not types.NoneType]
        return f"{' or '.join(kinds)}, or none"
    if origin is tuple:
        count = "" if arguments[-1] is Ellipsis else f"{len(arguments)} "
        return f"{count}values separated by commas, each {type_in_words(arguments[0])}"
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}[hint]


def _bounds(meta: msgspec.Meta) -> list[tuple[str, Any]]:
    return [(">=", meta.ge), (">", meta.gt), ("<=", meta.le), ("<", meta.lt)]


def _is_optional(hint: Any) -> bool:
    return types.NoneType in typing.get_args(hint)


def _is_tuple(hint: Any) -> bool:
    return tuple in (typing.get_origin(part) for part in (hint, *typing.get_args(hint)))


# --- files --------------------------------------------------------------------------------------------------


def _parted(text: str) -> tuple[str, str]:
    """A config's path and its argument behind a colon; the path may have colons itself, such as those of a time."""
    parts = text.split(":")
    for count in range(len(parts), 0, -1):
        if _existing(Path(":".join(parts[:count]))):
            return ":".join(parts[:count]), ":".join(parts[count:])
    return text, ""


def _existing(path: Path) -> Path | None:
    candidates = (path, configs_directory().parent / path)
    return next((one for one in candidates if one.is_file() and one.suffix in (".py", ".json")), None)


def _find(path: Path) -> Path:
    if existing := _existing(path):
        return existing
    directory = configs_directory()
    own = ", ".join(sorted(f"configs/{file.relative_to(directory)}" for file in directory.rglob("*.py")))
    raise UserError(f"no config {path}; expected a .py or .json file, or one of the program's: {own}")


def _execute(path: Path, argument: str = "") -> ConfigDict:
    """What `get_config()` of a Python file returns, or `get_config(argument)` where there is one."""
    try:
        get_config = runpy.run_path(str(path)).get("get_config")
        if argument and get_config and not inspect.signature(get_config).parameters:
            raise UserError(f"{path} takes no other config after a colon, received {argument!r}")
        config = get_config(*[argument] * bool(argument)) if get_config else None
    except UserError:
        raise
    except Exception as error:  # the file is the user's and may fail in any way
        raise _failure(path, error) from error
    if not isinstance(config, ConfigDict):
        raise UserError(f"{path} needs a get_config() that returns a ConfigDict, like configs/quickstart.py")
    return config


def _failure(path: Path, error: Exception) -> UserError:
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    where = f"{path}, line {lines[-1]}" if lines else str(path)
    # A locked config answers a wrong key with all that it holds, before the key that was meant.
    reason = re.sub("Other fields present: .*?(?=Did you mean|$)", "", str(error), flags=re.DOTALL)
    return UserError(f"{where}: {type(error).__name__}: {reason.strip()}{_today(reason)}")


def _today(reason: str) -> str:
    """How a key of an earlier version, which a locked config has refused, is called now; "" for other reasons."""
    refused = re.search(r'Key "(\w+)" does not exist', reason)
    today = [
        new.removeprefix("*.")
        for old, new in schema.RENAMED.items()
        if refused and old.rpartition(".")[2] == refused.group(1)
    ]
    return f" It is called {' or '.join(today)} now." if today else ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected an object of config sections")
    return content
