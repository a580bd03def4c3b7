"""Every path of a run, and the rule for when a directory is finished.

A directory holds a finished artefact exactly when its `manifest.json` is there; the manifest is written last and
appears whole or not at all. Stages look only at finished artefacts of other stages.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from udas_tf.errors import UserError

MANIFEST = "manifest.json"


def write_json(path: Path, content: Any) -> None:
    """Writes JSON so that `path` holds either what it held before or all of `content`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of its own for each process: runs that share a directory may write at once.
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path) -> Any:
    """Parses a JSON file; UserError naming the file when it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path} is damaged ({error}); remove its directory and run the stage again"
        ) from error


def is_finished(directory: Path) -> bool:
    return (directory / MANIFEST).is_file()


def finish(directory: Path, manifest: dict[str, Any]) -> None:
    """Declares the artefact in `directory` finished."""
    write_json(directory / MANIFEST, manifest)


class RunDir:
    """Where everything of one run lies."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    def data(self, name: str) -> Path:
        """Records of one data set: source_train, target_unlabelled, target_labelled, target_hidden or target_val."""
        return self.path / "data" / name

    @property
    def translated(self) -> Path:
        """Records of the source images in the target's style, with the source's labels."""
        return self.path / "translated"

    def pseudo_labels(self, round_number: int) -> Path:
        return self.path / f"round-{round_number}" / "pseudo_labels"

    def training(self, name: str) -> Path:
        """Weights, checkpoints and metrics of one row of the table, or of "translate"."""
        return self.path / "training" / name

    def scores(self, name: str) -> Path:
        """What a row scores on sets of this run: its training may be shared with runs that have others."""
        return self.path / "scores" / name

    def tensorboard(self, name: str) -> Path:
        """Event files of one stage; `self.path / "tensorboard"` is the log directory of the run."""
        return self.path / "tensorboard" / name

    @property
    def compiled(self) -> Path:
        """What XLA has compiled for this run's processes; only while these run."""
        return self.path / "compiled"

    @property
    def report(self) -> Path:
        return self.path / "report"

    def require(self, directory: Path, what: str, command: str) -> Path:
        """`directory`, or a UserError that says which command makes what is missing."""
        if not is_finished(directory):
            raise UserError(
                f"{what} not found in {directory}; run first: bin/udas {command} --workdir={self.path}"
            )
        return directory
