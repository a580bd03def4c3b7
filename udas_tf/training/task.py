"""A task: what a method trains with, its config, class set, sets of records and networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from ml_collections import ConfigDict

from udas_tf.data import pipeline
from udas_tf.errors import UserError
from udas_tf.taxonomy import ClassSet

NetworkMaker = Callable[[], keras.Model]


@dataclasses.dataclass(frozen=True)
class Task:
    """One training of a method.

    A method sees the paths of its sets and no others, and it knows nothing of rows: the runs decide which network a
    training starts from and which one teaches it.

    Attributes:
      config: the whole config.
      stage: name of the method, and of its section of the config.
      classes: class set of the run.
      sets: role -> directory of records, for those roles of the method's READS that this training has.
      networks: role -> function that makes the network. "initial" is the segmenter with the weights that training
        starts from, "teacher" the one that labelled the target, "judge" the one that judges translations.
      histogram: makes int [256, 256], pseudo-labelled pixels by label and stored confidence; None where the training
        reads no pseudo-labels.
      loading: makes a `pipeline.Loading`.
    """

    config: ConfigDict
    stage: str
    classes: ClassSet
    sets: Mapping[str, Path]
    networks: Mapping[str, NetworkMaker]
    histogram: Callable[[], np.ndarray] | None = None
    loading: Callable[..., pipeline.Loading] = pipeline.Loading

    @property
    def section(self) -> ConfigDict:
        """The config's section of the method."""
        return self.config[self.stage]

    def network(self, role: str) -> keras.Model:
        """A network by its role.

        Raises:
          ValueError: this training has none.
        """
        if role not in self.networks:
            raise ValueError(f"this training of {self.stage} has no network {role!r}")
        return self.networks[role]()

    def loader(self, start: int, **augmentation: Any) -> pipeline.Loading:
        """How records become batches, the first of them that of step `start`.

        Args:
          augmentation: further fields of `pipeline.Loading`.
        """
        data = self.config.data
        return self.loading(
            self.section.batch_size,
            self.config.seed,
            start,
            data.shuffle_buffer,
            data.cache,
            repeat_factor_threshold=data.repeat_factor_threshold,
            **augmentation,
        )

    def augmenting_loader(self, start: int) -> pipeline.Loading:
        """`loader` with the augmentation of a segmenter's section."""
        section = self.section
        return self.loader(
            start,
            autoaugment_probability=section.autoaugment_probability,
            scale_range=section.scale_range and tuple(section.scale_range),
        )


def require_levels(task: Task, levels: tuple[str, ...], key: str, segmenter: keras.Model) -> None:
    """Raises a UserError where the key `key` needs classifiers that the segmenter does not have."""
    missing = [level for level in levels if level not in segmenter.output]
    if missing:
        raise UserError(
            f"{task.stage}.{key} needs the {' and '.join(missing)} classifier; set model.auxiliary=true with a head "
            "that has both"
        )
