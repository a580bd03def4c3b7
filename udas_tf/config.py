"""Configs: found, loaded, overridden, saved, compared.

A config is a locked `ml_collections.ConfigDict` with the keys of `configs/base.py`, each of the type of its
default there: bool, int, float, str, or a tuple of one of these. It comes from a Python file with
`get_config()`, read as a file and not imported, or from the JSON file saved with a run.
"""

from __future__ import annotations

import difflib
import inspect
import json
import math
import os
import re
import runpy
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from udas_tf.errors import UserError
from udas_tf.run_dir import write_json

TRUE, FALSE = ("true", "1"), ("false", "0")
PAIRS = (".size", ".crop", ".scale", ".val_full_size")  # ends of keys that hold two values
SHOWN_CHANGES = 6  # differences between two configs that one line has room for


def configs_directory() -> Path:
    """The configs that come with the program: `udas_tf/configs` once installed, `configs` in a checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def base_config() -> ConfigDict:
    """A locked config of its own with every key of `configs/base.py` at its default."""
    return _execute(configs_directory() / "base.py").lock()


def load(path: str | os.PathLike[str]) -> ConfigDict:
    """The locked config in a file.

    Args:
      path: a `.py` file with `get_config()`, or a `.json` file as `save` writes it; keys it lacks keep their
        default. The program's own, such as `configs/quickstart.py`, are found from any directory. After a colon, the
        argument of a `get_config(base)`: `configs/methods/advent.py:configs/quickstart.py` is AdvEnt on the data and
        network of the second.

    Raises:
      UserError: the file is missing, fails, or holds a key or a value that `configs/base.py` has no room for.
    """
    name, _, argument = str(path).partition(":")
    path = _find(Path(name))
    if path.suffix == ".json" and argument:
        raise UserError(
            f"{path} is a finished config and takes no other one after a colon, received {argument!r}"
        )
    content = _read_json(path) if path.suffix == ".json" else _execute(path, argument)
    try:
        return _onto(base_config(), flatten(content))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def override(config: ConfigDict, overrides: Mapping[str, str]) -> ConfigDict:
    """A locked copy of `config` in which the dotted keys of `overrides` have other values.

    Args:
      config: as `load` returns it.
      overrides: dotted key -> text, read as the type of the key's present value. A tuple is written `96,192`,
        with or without parentheses; a float may be written as an integer.

    Raises:
      UserError: a key does not exist (the nearest one is named) or a text is not of the key's type.
    """
    return _onto(config, overrides)


def save(config: ConfigDict, path: str | os.PathLike[str]) -> None:
    """Writes a config as JSON, whole or not at all."""
    try:
        write_json(Path(path), config.to_dict())
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}; choose another --workdir") from error


def told(changes: Sequence[str]) -> str:
    """`differences`, as many as one line has room for."""
    more = f"; and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
    return "; ".join(changes[:SHOWN_CHANGES]) + more


def differences(saved: ConfigDict, given: ConfigDict) -> list[str]:
    """One line for each key whose values differ, such as `uda.steps: 200 in the run, 300 given`."""
    in_run, now = flatten(saved), flatten(given)
    return [f"{key}: {in_run[key]} in the run, {now[key]} given" for key in in_run if in_run[key] != now[key]]


def flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted key -> value, in the order of the keys."""
    flat = {}
    for key, value in config.items():
        if isinstance(value, (Mapping, ConfigDict)):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def nearest(word: str, choices: Iterable[str]) -> str:
    """Which of `choices` a mistyped word most likely meant."""
    return difflib.get_close_matches(word, list(choices), n=1, cutoff=0.0)[0]


def _find(path: Path) -> Path:
    for candidate in (path, configs_directory().parent / path):
        if candidate.is_file() and candidate.suffix in (".py", ".json"):
            return candidate
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
    return UserError(f"{where}: {type(error).__name__}: {reason}")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, expected an object of config sections")
    return content


def _onto(config: ConfigDict, values: Mapping[str, Any]) -> ConfigDict:
    """A locked copy of `config` with `values` (dotted key -> value or text) set."""
    defaults = flatten(config)
    typed = {}
    for key, value in values.items():
        if key not in defaults:
            raise UserError(f"unknown config key {key!r}; the nearest is {nearest(key, defaults)!r}")
        try:
            typed[key] = _convert(value, defaults[key])
            if key.endswith(PAIRS) and len(typed[key]) != 2:
                raise ValueError(value)
        except ValueError as error:
            expected = _expected(defaults[key])
            raise UserError(f"config key {key!r} received {value!r}, expected {expected}") from error
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(typed)
    return config.lock()


def _convert(value: Any, default: Any) -> Any:
    """`value`, or what its text says, as the type of `default`; ValueError when it is none."""
    text = value.strip().lower() if isinstance(value, str) else None
    if isinstance(default, str):
        if text is not None:
            return value
    elif isinstance(default, bool):  # before int, which bool is too
        if isinstance(value, bool):
            return value
        if text in TRUE + FALSE:
            return text in TRUE
    elif isinstance(default, tuple):
        item = default[0] if default else ""  # only the key that holds names may be empty
        one_name = isinstance(item, str)  # while a lone number is more often a mistake for a pair
        if text is not None and (one_name or "," in text or text[:1] in ("(", "[")):
            value = [part for part in text.strip("()[] ").split(",") if part.strip()]
        if isinstance(value, (list, tuple)):
            return tuple(_convert(part, item) for part in value)
    elif text is not None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        if isinstance(default, float) and math.isfinite(float(value)):
            return float(value)
        if isinstance(default, int) and not isinstance(value, float):
            return int(value)
    raise ValueError(value)


def _expected(default: Any) -> str:
    kinds = {bool: "true or false", int: "a whole number", float: "a finite number", str: "a text"}
    if isinstance(default, tuple):
        kind = kinds[type(default[0] if default else "")]
        return f"comma-separated values like {','.join(map(str, default))}, each {kind}"
    return f"{kinds[type(default)]}, like {default!r}"
