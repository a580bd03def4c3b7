"""Where the time of an adaptation step goes, on the networks and records of a run.

    .venv/bin/python benchmarks/training_step.py runs/quickstart

Prints the median wall time of each part in milliseconds: the input pipeline, the segmenter (forward and backward, both
domains in one pass), the segmenter's losses, the discriminators' update, and the whole step.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from udas_tf import config as configs
from udas_tf import inference
from udas_tf.methods import uda
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir
from udas_tf.runs import rows
from udas_tf.runs.training import sets_of, task_of
from udas_tf.training.loop import on_devices
from udas_tf.training.method import weighted_sum
from udas_tf.training.optimizers import trainable

ROW = "cutmix"
WARM_UP, REPEATS = 3, 30


def median_ms(call: Callable[[], object]) -> float:
    for _ in range(WARM_UP):
        call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1_000 * statistics.median(times)


def main(workdir: str) -> None:
    run_dir = RunDir(workdir)
    run = open_run(configs.load(run_dir.config), run_dir)
    row = rows.named(run.config, ROW)
    with on_devices(run.config, row.stage):
        task = task_of(run, row, sets_of(run, row))
        batches = iter(uda.batches(task, 0))
        batch = next(batches)
        print(f"{'input pipeline':15} {median_ms(lambda: next(batches)):7.1f} ms", flush=True)
        for name, part in parts(uda.build(task), batch).items():
            print(f"{name:15} {median_ms(tf.function(part, autograph=False)):7.1f} ms", flush=True)


def parts(method: uda.OutputAdaptation, batch: uda.Batch) -> dict[str, Callable[[], object]]:
    """The parts of a step on one batch, each a function to be traced."""
    segmenter, images = method.segmenter, (batch["source"]["image"], batch["target"]["image"])
    source, target = inference.joint_logits(segmenter, *images)

    def network() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = segmenter(tf.concat(images, 0), training=True)
            loss = tf.add_n([tf.reduce_sum(maps) for maps in outputs.values()])
        return tape.gradient(loss, segmenter.trainable_variables)

    def losses() -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch((source, target))
            loss = weighted_sum(method.loss_terms(batch, source, target), method.term_weights)
        return tape.gradient(loss, (source, target))

    def discriminators() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            terms = method.discriminator_terms(source, target)
            loss = tf.add_n([terms[f"L_D_{inference.LEVELS[level]}"] for level in method.discriminators])
        return tape.gradient(loss, trainable(method.discriminators.values()))

    return {
        "network": network,
        "losses": losses,
        "discriminators": discriminators,
        "whole step": lambda: method.train_step(batch),
    }


if __name__ == "__main__":
    main(sys.argv[1])
