"""Which data set a directory holds, asked of every set that can say so."""

from __future__ import annotations

from pathlib import Path

from udas_tf import plugins
from udas_tf.data import sets
from udas_tf.errors import UserError

AUTO = "auto"  # as a data set's name: the one that is recognised
FALLBACK = "folder"  # counts only where no other set is recognised


def recognise(root: Path) -> dict[str, str]:
    """Data set -> why `root` is one, for every set of files that recognises it; `FALLBACK` alone where no other does.

    Raises:
      UserError: there is no such directory.
    """
    if not root.is_dir():
        raise UserError(f"{root} is no directory; expected the root of a data set")
    reasons = {}
    for dataset in sets.of_files():
        module = plugins.load(sets.PACKAGE, dataset.name, "dataset")
        why = module.recognise(root)
        if why is not None:
            reasons[dataset.name] = why
    others = {name: why for name, why in reasons.items() if name != FALLBACK}
    return others or reasons


def the_one(root: Path) -> tuple[str, str]:
    """The data set that `root` is, and why; UserError where none recognises it, or several do."""
    reasons = recognise(root)
    if not reasons:
        layouts = "; ".join(f"{dataset.name}: {dataset.layout}" for dataset in sets.of_files())
        raise UserError(f"no known data set lies in {root}; expected one of {layouts}")
    if len(reasons) > 1:
        listed = "; ".join(f"{name} ({why})" for name, why in reasons.items())
        raise UserError(f"{root} may be several data sets: {listed}; name one with --dataset")
    return next(iter(reasons.items()))
