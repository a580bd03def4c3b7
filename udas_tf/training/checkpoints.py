"""Checkpoints of a training: written whole or not at all, and found again wherever its directory goes.

TensorFlow's CheckpointManager takes the path of a checkpoint for a pattern, so that it finds nothing in `exp [seed=1]`.
It also keeps absolute paths, and begins anew where the file with its list is damaged.
"""

from __future__ import annotations

import re
from pathlib import Path

import tensorflow as tf
from absl import logging

from udas_tf.errors import UserError
from udas_tf.no_patterns import no_pattern

KEPT = 2  # the last ones
UNFINISHED = "writing"


class CheckpointDirectory:
    """The last checkpoints of a training: `ckpt-STEP.index`, and beside it the data.

    Args:
      checkpoint: what is saved and restored.
      directory: of the checkpoints.
    """

    def __init__(self, checkpoint: tf.train.Checkpoint, directory: Path) -> None:
        self._checkpoint, self._directory = checkpoint, directory

    def steps(self) -> list[int]:
        """The steps of the checkpoints that are there, ascending."""
        names = [path.name for path in self._directory.iterdir()] if self._directory.is_dir() else []
        return sorted(int(found[1]) for name in names if (found := re.fullmatch(r"ckpt-(\d+)\.index", name)))

    def restore_last(self) -> None:
        """Restores the last checkpoint that is whole; does nothing where there is none.

        Raises:
          UserError: it is of other networks or optimizers, or every one is damaged.
        """
        damaged = []
        for step in reversed(self.steps()):
            path = self._directory / f"ckpt-{step}"
            try:
                self._restore(path)
            except (tf.errors.OpError, IndexError) as error:  # the latter where a file ends early
                damaged.append(f"{path} is damaged: {_first_line(error)}")
                continue
            for reason in damaged:
                logging.warning("%s; the training goes on from step %d", reason, step)
            return
        if damaged:
            raise UserError(f"{damaged[0]}; remove {self._directory.parent} to train from the start")

    def _restore(self, path: Path) -> None:
        try:
            with no_pattern(self._directory) as directory:
                self._checkpoint.read(str(directory / path.name)).assert_existing_objects_matched()
        except (ValueError, AssertionError) as error:
            raise UserError(
                f"{path} is of other networks or optimizers than the config's ({_first_line(error)}); give it back the "
                "config it was begun with, or remove the directory of the training"
            ) from error

    def save(self, step: int) -> None:
        """Writes the checkpoint of a step, and removes all but the last `KEPT`."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with no_pattern(self._directory) as directory:
            self._checkpoint.write(str(directory / UNFINISHED))
        parts = [path for path in self._directory.iterdir() if path.is_file() and path.stem == UNFINISHED]
        # The index goes last: a checkpoint is there once it has one.
        for path in sorted(parts, key=lambda path: path.suffix == ".index"):
            path.replace(self._directory / f"ckpt-{step}{path.suffix}")
        for old in self.steps()[:-KEPT]:
            (self._directory / f"ckpt-{old}.index").unlink()
            for path in [path for path in self._directory.iterdir() if path.stem == f"ckpt-{old}"]:
                path.unlink()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
