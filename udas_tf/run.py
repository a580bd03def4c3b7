"""A run: its config, its directory and its class set, opened together."""

from __future__ import annotations

import dataclasses
import itertools
import platform

from ml_collections import ConfigDict

from udas_tf import config as configs
from udas_tf.data import class_file
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, write_json
from udas_tf.taxonomy import ClassSet

RECORDED = ("udas_tf", "tensorflow", "keras", "numpy")  # packages whose versions a run keeps


@dataclasses.dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
      config: locked.
      dir: where its files lie.
      classes: its class set.
    """

    config: ConfigDict
    dir: RunDir
    classes: ClassSet

    def with_config(self, config: ConfigDict) -> Run:
        return dataclasses.replace(self, config=config)


def open_run(config: ConfigDict, run_dir: RunDir) -> Run:
    """A run with the class set that lies in its directory, or else the one that the config names."""
    return Run(config, run_dir, class_set(config, run_dir))


def class_set(config: ConfigDict, run_dir: RunDir) -> ClassSet:
    """The class set of a run.

    A run keeps a copy of its class set. So it can be moved without the user's classes.yaml, and a name that is swapped
    in that file after a training does not go unnoticed. Before the run has data, the file counts.

    Raises:
      UserError: the config names a class set that is not the run's.
    """
    if not (run_dir.classes.is_file() and run_dir.has_data):
        return class_file.class_set(config.classes)
    own = class_file.read(run_dir.classes).classes
    difference = _difference(class_file.class_set(config.classes), own) if class_file.exists(config.classes) else ""
    if difference:
        raise UserError(
            f"the class set {config.classes} is not that of the run in {run_dir.path}: {difference}; choose another "
            "--workdir, or give the class set its classes and colours back"
        )
    return own


def _difference(now: ClassSet, in_run: ClassSet) -> str:
    """The first class that differs, in words; "" where classes and colours are the same, whatever their sets' names."""
    pairs = itertools.zip_longest(
        zip(now.classes, now.colours, strict=True), zip(in_run.classes, in_run.colours, strict=True)
    )
    for number, (new, old) in enumerate(pairs):
        if new != old:
            new_text, old_text = (f"{one[0]} {one[1]}" if one else "missing" for one in (new, old))
            return f"class {number} is {new_text} now, {old_text} in the run"
    return ""


def save(run: Run) -> None:
    """Writes config, class set and, the first time, versions into the run's directory."""
    configs.save(run.config, run.dir.config)
    class_file.write(run.classes, run.dir.classes)
    if not run.dir.versions.is_file():
        packages = {name: _version(name) for name in RECORDED}
        write_json(run.dir.versions, {"python": platform.python_version(), **packages})


def _version(package: str) -> str | None:
    """The version of an installed package; None where none is installed by this name (tensorflow-cpu is another)."""
    from importlib import metadata  # here, because the help of commands does without it

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
