"""Every path of a run, and the rule for when a directory is finished.

A directory holds a finished artefact exactly when its `manifest.json` is there. The manifest is written last and
appears whole or not at all; nothing is written into the directory after it. Later results about an artefact (scores,
audits, checks) lie beside it, so that runs can share artefacts by links. Stages read only finished artefacts of other
stages.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from udas_tf import typed_json
from udas_tf.errors import UserError

MANIFEST = "manifest.json"


def write_json(path: Path, content: Any) -> None:
    """Writes JSON so that `path` holds either what it held before or all of `content`."""
    typed_json.write(path, content)


def read_json(path: Path) -> Any:
    """Parses a JSON file; UserError naming the file when it is damaged."""
    return typed_json.read(path, Any)


def is_finished(directory: Path) -> bool:
    return (directory / MANIFEST).is_file()


def finish(directory: Path, manifest: Any) -> None:
    """Declares the artefact in `directory` finished, and seals it: nothing may be written there afterwards."""
    typed_json.write(directory / MANIFEST, manifest)


class RunDir:
    """Where everything of one run lies."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def classes(self) -> Path:
        """The class set of the run, in the form of a classes.yaml."""
        return self.path / "classes.yaml"

    @property
    def versions(self) -> Path:
        """The versions of Python and of packages when the run was begun."""
        return self.path / "versions.json"

    def data(self, name: str) -> Path:
        """Records of one data set: source_train, target_unlabelled, target_labelled, target_hidden or target_val."""
        return self.path / "data" / name

    @property
    def has_data(self) -> bool:
        """Whether records have been begun; everything else of a run follows from them."""
        return self.data("").exists()

    @property
    def translated(self) -> Path:
        """Records of the source images in the target's style, with the source's labels."""
        return self.path / "translated"

    @property
    def translation_check(self) -> Path:
        """How translation changed the classes that a network sees, where that was checked."""
        return self.path / "audits" / "translated.json"

    def pseudo_labels(self, name: str) -> Path:
        """Records of the target images with the pseudo-labels for the row `name`, such as student_1."""
        return self.path / "pseudo_labels" / name

    def audit(self, name: str) -> Path:
        """The audit of the pseudo-labels for the row `name`."""
        return self.path / "audits" / f"{name}.json"

    def training(self, name: str) -> Path:
        """Weights, checkpoints and the score of one row of the table, or of "translate"."""
        return self.path / "training" / name

    def scores(self, name: str) -> Path:
        """Scores of a row that `evaluate` measured after its training."""
        return self.path / "scores" / name

    def tensorboard(self, name: str) -> Path:
        """Event files of one training; `self.path / "tensorboard"` is the log directory of the run."""
        return self.path / "tensorboard" / name

    @property
    def inspection(self) -> Path:
        """The mosaic of `data inspect`."""
        return self.path / "inspection"

    @property
    def compiled(self) -> Path:
        """Programs that XLA compiled for this run's processes; there only while these run."""
        return self.path / "compiled"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def require(self, directory: Path, what: str, command: str) -> Path:
        """`directory`, or a UserError that says which command makes what is missing."""
        if not is_finished(directory):
            raise UserError(f"{what} not found in {directory}; run first: bin/udas {command} --workdir={self.path}")
        return directory
