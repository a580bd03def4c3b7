"""Two replicas that share a batch take the step that one replica takes on the whole of it."""

import subprocess
import sys

import numpy as np
import pytest
from command_line import CHECKOUT, TINY, udas
from test_resume import read_weights

pytestmark = pytest.mark.slow

OVERFLOW = """
import numpy as np, tensorflow as tf, keras
from udas_tf.losses.reduction import share_of_mean
from udas_tf.training import loop, optimizers
from udas_tf.training.method import Method

loop.split_cpu(2)
keras.config.set_dtype_policy("mixed_float16")

class Mean(Method):
    def __init__(self, segmenter, optimizer):
        super().__init__(["L"])
        self.segmenter, self.term_weights = segmenter, {"L": 1.0}
        self.prepare(optimizer)

    def loss_terms(self, batch):
        return {"L": share_of_mean(tf.cast(self.segmenter(batch, training=True), tf.float32))}

for replica in (0, 1):
    with loop.strategy(2, 2).scope():
        segmenter = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
        sgd = optimizers.SegmenterSGD(1e-3, 0.9, 0.0, {})
        optimizer = optimizers.built(sgd, segmenter.trainable_variables)
        method = Mean(segmenter, optimizer)
    images = np.ones((2, 1), np.float32)
    images[replica] = 6e4  # times the scale more than float16 holds
    method.fit(tf.data.Dataset.from_tensors(images).repeat(), steps_per_epoch=3, verbose=0, shuffle=False)
    print(segmenter.get_weights()[0].item(), float(keras.ops.convert_to_numpy(optimizer.dynamic_scale)))
"""


def assert_alike(one, two, keys=""):
    one, two = read_weights(one), read_weights(two)
    chosen = {key: value for key, value in one.items() if key.endswith(keys)}
    assert chosen
    for key, value in chosen.items():
        np.testing.assert_allclose(two[key], value, rtol=2e-4, atol=2e-5, err_msg=key)


def test_two_replicas_equal_one(tmp_path):
    """Adaptation on two logical CPU devices: losses are means over pixels whose number differs between replicas."""
    for replicas in (1, 2):
        workdir = tmp_path / str(replicas)
        common = (f"--config={TINY}", f"--workdir={workdir}", f"--config.replicas={replicas}")
        steps = ("--config.uda.steps=4", "--config.row.adaptation.start=none", "--config.uda.optimizer=sgd")
        udas(
            "data",
            "prepare",
            *common,
            *steps,
            "--config.uda.learning_rate=0.05",
            "--config.uda.kl_warmup=0.0",
        )
        udas("train", "--stage=uda", "--name=adaptation", f"--workdir={workdir}")
    one, two = (tmp_path / n / "training/adaptation/segmenter.weights.h5" for n in ("1", "2"))
    assert_alike(one, two)


def test_two_replicas_translate_as_one(tmp_path):
    """CycleGAN; without its pool, which holds the first replica's images alone."""
    for replicas in (1, 2):
        workdir = tmp_path / str(replicas)
        steps = (
            "--config.translate.batch_size=2",
            "--config.translate.steps=2",
            "--config.translate.pool_size=0",
        )
        udas(
            "data",
            "prepare",
            f"--config={TINY}",
            f"--workdir={workdir}",
            f"--config.replicas={replicas}",
            *steps,
        )
        udas("train", "--stage=translate", f"--workdir={workdir}")
    one, two = (tmp_path / n / "training/translate/generator.weights.h5" for n in ("1", "2"))
    # The kernels alone: instance norm cancels a bias, so that Adam makes a full step of its gradient's rounding noise.
    assert_alike(one, two, keys="vars/0")


def test_a_run_of_two_replicas_goes_through(tmp_path):
    """A student's process writes pseudo-labels, and so uses TensorFlow, before it trains."""
    udas(
        "run",
        f"--config={TINY}",
        f"--workdir={tmp_path}",
        "--config.replicas=2",
        "--config.rows=no_adaptation,adaptation,student",
        "--config.row.student.teacher=adaptation",
        "--config.student.cutmix_pseudo=false",
    )
    assert (tmp_path / "training/student_1/manifest.json").is_file()


def test_an_overflow_on_any_replica_is_skipped_by_all():
    result = subprocess.run([sys.executable, "-c", OVERFLOW], cwd=CHECKOUT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    first, second = (tuple(map(float, line.split())) for line in result.stdout.splitlines())
    # Each of the three steps is skipped and halves the scale of 2 ** 15.
    assert first == second == (1.0, 4096.0)
