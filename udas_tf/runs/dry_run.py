"""A run without its data and its hours: every network is built and every training step traced at full size."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from udas_tf import config as configs
from udas_tf import networks, plugins
from udas_tf.config import METHODS
from udas_tf.data import pipeline
from udas_tf.run import Run
from udas_tf.runs.plan import plan
from udas_tf.runs.rows import Row
from udas_tf.training.loop import on_devices
from udas_tf.training.method import Method
from udas_tf.training.task import Task

NETWORK_KINDS = ("segmenter", "teacher", "generators", "discriminators")  # attributes of methods


@dataclasses.dataclass(frozen=True)
class NoData(pipeline.Loading):
    """Batches of black images of a size, without any records behind them."""

    size: tuple[int, int] = (0, 0)

    def batches(
        self,
        directory: Path,
        fields: Sequence[str],
        stream: int,
        repeat_factor_threshold: float | None = None,
    ) -> tf.data.Dataset:
        shapes = {"image": (*self.size, 3), "label": self.size, "confidence": self.size}
        record = {field: tf.zeros((self.batch_size, *shapes[field]), tf.uint8) for field in fields}
        return tf.data.Dataset.from_tensors(record).repeat()


def dry_run(run: Run) -> Iterator[str]:
    """Builds each stage that `run` would train, and traces its input and its step on one replica.

    Rows of one stage share a step; they differ in the sets that they read. Nothing is read from disk, so the weights
    that a stage would start from are random.

    Yields:
      One line a stage: rows, batch, parameters of each network, terms.

    Raises:
      UserError: a stage cannot be trained with this config.
    """
    by_stage: dict[str, list[Row]] = {}
    for row in plan(run).trainings:
        by_stage.setdefault(row.stage, []).append(row)
    for stage in by_stage:
        plugins.load(METHODS, stage, "stage").check(run.config)
    weights = run.config.model.initial_weights
    if weights is not None and not Path(weights).is_file():
        yield f"model.initial_weights: no file {weights} yet; `udas weights import` writes one"
    run = run.with_config(configs.override(run.config, {"replicas": 1, "model.initial_weights": None}))
    for stage, rows in by_stage.items():
        method = plugins.load(METHODS, stage, "stage")
        with on_devices(run.config, stage):
            task = _task(run, max(rows, key=lambda row: row.mixed))
            model: Method = method.build(task)
            batch = method.batches(task, 0).element_spec
            traced = tf.function(model.train_step, autograph=False).get_concrete_function(batch)
            yield _line(stage, [row.name for row in rows], batch, model, list(traced.structured_outputs))


def _task(run: Run, row: Row) -> Task:
    def segmenter() -> keras.Model:
        return networks.segmenter(run.config, len(run.classes))

    loading = functools.partial(NoData, size=tuple(run.config.data.size))
    sets = {role: Path(role) for role in row.reads if role != "mixed" or row.mixed}
    made = dict.fromkeys(("initial", "teacher", "judge"), segmenter)
    return Task(run.config, row.stage, run.classes, sets, made, lambda: np.zeros((256, 256), np.int64), loading)


def _line(stage: str, rows: list[str], batch: dict[str, Any], model: Method, terms: list[str]) -> str:
    shape = "x".join(map(str, tf.nest.flatten(batch)[0].shape))
    return f"{stage} ({', '.join(rows)}): images {shape}; parameters: {_parameters(model)}; terms: {', '.join(terms)}"


def _parameters(model: Method) -> str:
    """The number of parameters of each network, in words."""
    words = []
    for kind in NETWORK_KINDS:
        part = getattr(model, kind, None)
        if part:
            networks_of_kind = part.values() if isinstance(part, dict) else [part]
            words.append(f"{kind} {' + '.join(f'{network.count_params():,}' for network in networks_of_kind)}")
    return ", ".join(words)
