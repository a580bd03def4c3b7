"""Two replicas that share a batch take the step that one replica takes on the whole of it."""

import numpy as np
import pytest
from command_line import TINY, udas
from test_resume import read_weights

pytestmark = pytest.mark.slow


def test_two_replicas_equal_one(tmp_path):
    """Adaptation on two logical CPU devices: losses are means over pixels whose number differs between replicas."""
    for replicas in (1, 2):
        workdir = tmp_path / str(replicas)
        common = (f"--config={TINY}", f"--workdir={workdir}", f"--config.replicas={replicas}")
        steps = ("--config.uda.steps=4", "--config.uda.start_from=", "--config.uda.optimizer=sgd")
        udas(
            "data",
            "prepare",
            *common,
            *steps,
            "--config.uda.learning_rate=0.05",
            "--config.uda.kl_warmup=0.0",
        )
        udas("train", "--stage=uda", "--name=adaptation", f"--workdir={workdir}")
    one, two = (read_weights(tmp_path / n / "training/adaptation/segmenter.weights.h5") for n in ("1", "2"))
    for key, value in one.items():
        np.testing.assert_allclose(two[key], value, rtol=2e-4, atol=2e-5, err_msg=key)
