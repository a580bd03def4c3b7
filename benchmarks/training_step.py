"""Where the time of an adaptation step goes, on the networks and records of a run.

    .venv/bin/python benchmarks/training_step.py runs/quickstart

Prints, for each part, the median wall time in milliseconds over its repeats: the input pipeline alone, the segmenter
(forward and backward, both domains in one pass), the segmenter's losses, the discriminators' update, the whole step.
"""

from __future__ import annotations

import os
import statistics
import sys
import time

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from udas_tf import config as configs
from udas_tf import inference
from udas_tf.methods.method import weighted_sum
from udas_tf.run_dir import RunDir
from udas_tf.stages import fit, rounds, train

REPEATS = 30


def median_ms(call) -> float:
    for _ in range(3):
        call()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1_000 * statistics.median(times)


def main(workdir: str) -> None:
    run_dir = RunDir(workdir)
    config = configs.load(run_dir.config)
    row = rounds.find(config, "uda", None, "cutmix")
    with fit.stage(config, config.uda.batch_size):
        batches = iter(train._batches(config, run_dir, row, train._inputs(run_dir, row))(0))
        batch = next(batches)
        method = train._method(config, run_dir, row)
        segmenter, images = method.segmenter, (batch["source"]["image"], batch["target"]["image"])
        source, target = inference.joint_logits(segmenter, *images)

        def network():
            with tf.GradientTape() as tape:
                outputs = segmenter(tf.concat(images, 0), training=True)
                loss = tf.add_n([tf.reduce_sum(maps) for maps in outputs.values()])
            return tape.gradient(loss, segmenter.trainable_variables)

        def losses():
            with tf.GradientTape() as tape:
                tape.watch((source, target))
                loss = weighted_sum(method.loss_terms(batch, source, target), method.term_weights)
            return tape.gradient(loss, (source, target))

        def discriminators():
            variables = [v for d in method.discriminators.values() for v in d.trainable_variables]
            with tf.GradientTape() as tape:
                terms = method.discriminator_terms(source, target)
                loss = tf.add_n([terms[f"L_D_{inference.LEVELS[level]}"] for level in method.discriminators])
            return tape.gradient(loss, variables)

        print(f"{'input pipeline':15} {median_ms(lambda: next(batches)):7.1f} ms", flush=True)
        parts = {
            "network": network,
            "losses": losses,
            "discriminators": discriminators,
            "whole step": lambda: method.train_step(batch),
        }
        for name, part in parts.items():
            print(f"{name:15} {median_ms(tf.function(part, autograph=False)):7.1f} ms", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
