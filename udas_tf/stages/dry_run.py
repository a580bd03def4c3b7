"""A run without its data and its hours: every network is built and every training step traced at full size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from udas_tf.data import geometry
from udas_tf.methods.method import Method
from udas_tf.stages import networks, rounds, trainings
from udas_tf.stages.checks import check
from udas_tf.stages.fit import stage


def dry_run(config) -> Iterator[str]:
    """Builds each stage that `run` would train and traces its step on the shapes of its batch, for one replica.

    Rows of one stage have one step: they differ in what they read. Nothing is read, so weights that a stage would
    start from are random.

    Yields:
      One line a stage: rows, batch, parameters of each network, terms.

    Raises:
      UserError: what the stages raise for a config that they cannot train.
    """
    sections = rounds.sections(config)
    for name in sections:
        check(config, name)
    config = config.copy_and_resolve_references()
    config.replicas = 1
    weights, config.model.initial_weights = config.model.initial_weights, ""
    if weights and not Path(weights).is_file():
        yield f"model.initial_weights: no file {weights} yet; `udas weights import` writes one"
    for name, rows in sections.items():
        with stage(config, config[name].batch_size, networks.precision(config, name)):
            method, batch = _method(config, name), _batch(config, name)
            traced = tf.function(method.train_step, autograph=False).get_concrete_function(batch)
            yield _told(name, rows, batch, method, list(traced.structured_outputs))


def _method(config, name: str) -> Method:
    segmenter = (
        networks.segmenter(config) if name != "translate" or config.translate.weight_semantic else None
    )
    match name:
        case "translate":
            return trainings.image_translation(config, segmenter)
        case "uda":
            return trainings.output_adaptation(config, segmenter)
        case "student":
            teacher = networks.segmenter(config) if config.student.weight_consistency else None
            class_weights = np.ones(len(networks.class_set(config)), np.float32)
            return trainings.self_training(config, segmenter, teacher, class_weights)
        case _:
            return trainings.supervised(config[name], segmenter)


def _batch(config, name: str) -> dict:
    """The shapes of the batches of data/pipeline.py."""
    count = config[name].batch_size

    def images(size) -> tf.TensorSpec:
        return tf.TensorSpec([count, *size, 3], tf.uint8)

    whole = images(config.data.size)
    pair = {"image": whole, "label": tf.TensorSpec([count, *config.data.size], tf.uint8)}
    match name:
        case "translate":
            return dict.fromkeys(("source", "target"), images(trainings.translation_size(config)))
        case "uda":
            return {"source": pair, "target": {"image": whole}}
        case "student":
            moved = {"clean": whole, "transform": tf.TensorSpec.from_tensor(geometry.identity(count))}
            return {"labelled": pair | moved, "pseudo": pair}
        case _:
            return pair


def _told(name: str, rows: list[str], batch: dict, method: Method, terms: list[str]) -> str:
    shape = "x".join(map(str, tf.nest.flatten(batch)[0].shape))
    return (
        f"{name} ({', '.join(rows)}): images {shape}; parameters: {_parameters(method)}; "
        f"terms: {', '.join(terms)}"
    )


def _parameters(method: Method) -> str:
    kinds = {}
    for kind in ("segmenter", "teacher", "generators", "discriminators"):
        found = getattr(method, kind, None)
        if found:
            kinds[kind] = found.values() if isinstance(found, dict) else [found]
    return ", ".join(
        f"{kind} {' + '.join(f'{model.count_params():,}' for model in models)}"
        for kind, models in kinds.items()
    )
