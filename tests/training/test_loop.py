"""What a training runs on, and what it refuses before it begins."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import cli, processes
from udas_tf.config import base_config, override
from udas_tf.errors import UserError
from udas_tf.training import callbacks, loop

TINY = "tests/end_to_end/tiny.py"


@pytest.mark.parametrize(
    ("batch_size", "gpus", "used"), [(1, 2, 1), (2, 2, 2), (2, 8, 2), (6, 4, 3), (7, 4, 1), (8, 1, 1)]
)
def test_as_many_gpus_as_share_a_batch_evenly(batch_size, gpus, used, monkeypatch):
    devices = [types.SimpleNamespace(name=f"GPU:{number}") for number in range(gpus)]
    mirrored = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", mirrored.extend)
    loop.strategy(None, batch_size)
    assert mirrored == ([f"GPU:{number}" for number in range(used)] if used > 1 else [])


def test_more_replicas_than_gpus_are_refused(monkeypatch):
    devices = [types.SimpleNamespace(name="GPU:0")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: devices)
    with pytest.raises(UserError, match="replicas=2, but this machine has 1: GPU:0"):
        loop.strategy(2, 2)


def test_a_stage_computes_in_its_own_precision_or_in_that_of_all():
    config = override(base_config(), {"precision": "mixed_bfloat16", "source.precision": "float32"})
    assert [loop.precision(config, stage) for stage in ("source", "uda", "translate")] == [
        *("float32", "mixed_bfloat16", "mixed_bfloat16"),
    ]


def test_a_run_that_would_stop_on_its_way_does_not_begin(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(processes, "load_ahead", lambda: None)
    workdir = tmp_path / "run"
    arguments = ["run", f"--config={TINY}", f"--workdir={workdir}", "--config.replicas=2"]
    assert cli.main(arguments) == 2
    assert "translate.batch_size=1 cannot be shared evenly by replicas=2" in capsys.readouterr().err
    assert {path.name for path in workdir.iterdir()} == {"config.json", "classes.yaml", "versions.json"}


def test_weights_that_are_no_numbers_are_not_saved():
    """The last step of an interval may break them without a trace in the means."""
    saved = []
    section = types.SimpleNamespace(log_every=5, checkpoint_every=10, steps=20)
    callback = callbacks.Checkpoints(types.SimpleNamespace(save=saved.append), section)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="head")])
    callback.set_model(network)
    callback.on_epoch_end(1)
    network.layers[0].bias.assign([0.0, np.nan, 0.0])
    callback.on_epoch_end(2)  # no checkpoint is due
    with pytest.raises(UserError, match="head/bias not finite between steps 15 and 20; lower the learning rate"):
        callback.on_epoch_end(3)
    assert saved == [10]
