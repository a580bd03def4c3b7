"""Finds the weights of one network in what a training script has saved beside it and around it.

Averaged weights (EMA, SWA) go first: they are what their authors evaluate. What is chosen and what is left out is
logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from absl import logging

from udas_tf.errors import UserError
from udas_tf.models.importers.format import Entries

T = TypeVar("T")

# Where training scripts put the state dict beside optimisers and counters, the likeliest first.
AVERAGED = (
    *("state_dict_ema", "ema_state_dict", "model_state_dict_ema", "model_ema_state_dict", "model_ema", "ema_model"),
    *("params_ema", "ema", "averaged_model", "swa_model"),
)
WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network", "module", "params")
# First parts of the names of all entries, from wrappers around the network.
PREFIXES = ("module", "_orig_mod", "model", "net", "network", *AVERAGED)
ALWAYS = ("module", "_orig_mod")  # of DataParallel, AveragedModel and torch.compile: no network is built of these
DEPTH = 4  # wrappers around the state dict, at most
NAMED = 5  # names that a message has room for


def state_dict(saved: Any, kind: type[T], entry: str | None = None) -> dict[str, T]:
    """The mapping from names to tensors in a saved object.

    Args:
      saved: what the file holds.
      kind: of tensors.
      entry: key of the state dict, or first part of the names of tensors; with points between several of these. None =
        the likeliest.

    Raises:
      UserError: there is none.
    """
    saved = saved if entry is None else _entry(saved, entry)
    for _ in range(DEPTH):
        if not isinstance(saved, Mapping):
            raise UserError(f"holds a {type(saved).__name__.strip('_').lower()}, expected a state dict")
        tensors = {str(name): value for name, value in saved.items() if isinstance(value, kind)}
        inside = {str(name): value for name, value in saved.items() if _holds(value, kind)}
        wrapper = next((name for name in (*AVERAGED, *WRAPPERS) if name in inside), None)
        if wrapper is None and tensors:
            _log_unused("", [str(name) for name in saved if str(name) not in tensors])
            return tensors
        if wrapper is None and len(inside) == 1:
            wrapper = next(iter(inside))
        if wrapper is None:
            break
        _log_unused(wrapper, [name for name in inside if name != wrapper])
        saved = inside[wrapper]
    names = list(map(str, saved))
    raise UserError(f"holds {_some(names) or 'nothing'}, expected tensors by name, alone or as {WRAPPERS[0]!r}")


def _entry(saved: Any, entry: str) -> Any:
    for key in entry.split("."):
        held = {str(name): value for name, value in saved.items()} if isinstance(saved, Mapping) else {}
        below = {name.removeprefix(f"{key}."): held[name] for name in held if name.startswith(f"{key}.")}
        if key not in held and not below:
            raise UserError(f"has no entry {entry!r}: {key!r} is not among {_some(list(held)) or 'nothing'}")
        saved = held.get(key, below)
    return saved


def _holds(value: Any, kind: type, depth: int = DEPTH) -> bool:
    """Whether a mapping has a tensor somewhere below it."""
    if not isinstance(value, Mapping) or not depth:
        return False
    return any(isinstance(one, kind) or _holds(one, kind, depth - 1) for one in value.values())


def without_wrappers(entries: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Entries without the prefixes of DataParallel, of averages and of compiled modules, and without their counters."""
    of_modules = any("." in name for name in entries)
    entries = {name: array for name, array in entries.items() if "." in name or array.size > 1 or not of_modules}
    while entries and (first := _common_prefix(entries)) in ALWAYS:
        entries = {name.removeprefix(f"{first}."): array for name, array in entries.items()}
    return entries


def _common_prefix(entries: Iterable[str]) -> str | None:
    firsts = {name.partition(".")[0] for name in entries if "." in name}
    return firsts.pop() if len(firsts) == 1 and all("." in name for name in entries) else None


def network(entries: Entries, fits: Callable[[Entries], bool]) -> Entries:
    """The entries of a network of a known kind: all, or those below one of `PREFIXES` without it.

    Args:
      entries: of a file.
      fits: whether entries are those of a known kind.

    Returns:
      `entries` where none fit.
    """
    return _network(entries, fits, DEPTH) or entries


def _network(entries: Entries, fits: Callable[[Entries], bool], depth: int) -> Entries | None:
    if fits(entries):
        return entries
    for prefix in (*AVERAGED, *PREFIXES) if depth else ():
        start = f"{prefix}."
        below = {name.removeprefix(start): value for name, value in entries.items() if name.startswith(start)}
        found = _network(below, fits, depth - 1) if below else None
        if found is not None:
            _log_unused(prefix, sorted({name.partition(".")[0] for name in entries if not name.startswith(start)}))
            return found
    return None


def _log_unused(chosen: str, names: list[str]) -> None:
    if names:
        logging.info("read %s; not used: %s", f"what is in {chosen}" if chosen else "the tensors", _some(names))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
