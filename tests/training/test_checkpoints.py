"""Checkpoints in directories of any name, damaged ones, and those of other networks."""

import pytest
import tensorflow as tf

from udas_tf.errors import UserError
from udas_tf.training.checkpoints import CheckpointDirectory

NAMES = ["plain", "exp [seed=1]", "a*b?", "[", "back\\slash", "with space", "straße"]


def of(directory, **values):
    """The checkpoints in a directory, of variables with these values, and the variables."""
    variables = {name: tf.Variable(value) for name, value in values.items()}
    return CheckpointDirectory(tf.train.Checkpoint(**variables), directory), variables


def saved(directory, *steps):
    """Checkpoints of a variable that holds its step."""
    checkpoints, variables = of(directory, weights=[0.0, 0.0])
    for step in steps:
        variables["weights"].assign([float(step), 0.5])
        checkpoints.save(step)


def restored(directory):
    checkpoints, variables = of(directory, weights=[-1.0, -1.0])
    checkpoints.restore_last()
    return variables["weights"].numpy().tolist()


@pytest.mark.parametrize("name", NAMES)
def test_the_last_checkpoint_is_found_whatever_its_directory_is_called(tmp_path, name):
    directory = tmp_path / name / "checkpoints"
    assert restored(directory) == [-1.0, -1.0]  # there is none yet
    saved(directory, 2, 4, 10)
    assert restored(directory) == [10.0, 0.5]
    assert {path.name for path in directory.iterdir()} == {
        f"ckpt-{step}.{part}" for step in (4, 10) for part in ("index", "data-00000-of-00001")
    }


def test_a_directory_may_be_moved_and_linked(tmp_path):
    saved(tmp_path / "a", 3)
    (tmp_path / "a").rename(tmp_path / "b [1]")
    (tmp_path / "c").symlink_to(tmp_path / "b [1]")
    assert restored(tmp_path / "b [1]") == restored(tmp_path / "c") == [3.0, 0.5]


def test_checkpoints_of_tensorflows_own_manager_are_restored(tmp_path):
    """As earlier versions wrote them."""
    variable = tf.Variable([7.0, 0.5])
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(weights=variable), str(tmp_path), max_to_keep=2)
    manager.save(checkpoint_number=5)
    (tmp_path / "checkpoint").write_text("")  # its list, damaged
    assert restored(tmp_path) == [7.0, 0.5]


def test_a_checkpoint_that_was_being_written_does_not_count(tmp_path):
    saved(tmp_path, 2)
    for name in ("ckpt-4.data-00000-of-00001", "writing.index"):
        (tmp_path / name).write_bytes(b"half")
    assert restored(tmp_path) == [2.0, 0.5]
    saved(tmp_path, 4)
    assert restored(tmp_path) == [4.0, 0.5]


@pytest.mark.parametrize("part", ["index", "data-00000-of-00001"])
@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[: len(data) // 2], lambda data: bytes([data[0] ^ 64]) + data[1:]]
)
def test_the_one_before_a_damaged_checkpoint_is_taken_and_named(tmp_path, part, damage, caplog):
    saved(tmp_path, 2, 4)
    path = tmp_path / f"ckpt-4.{part}"
    path.write_bytes(damage(path.read_bytes()))
    assert restored(tmp_path) == [2.0, 0.5]
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert f"{tmp_path / 'ckpt-4'} is damaged: " in record.message and "goes on from step 2" in record.message


def test_damaged_checkpoints_alone_are_an_error_with_a_remedy(tmp_path):
    saved(tmp_path / "training/checkpoints", 2)
    (tmp_path / "training/checkpoints/ckpt-2.index").write_bytes(b"")
    with pytest.raises(UserError, match=r"ckpt-2 is damaged: .*; remove .*training to train from the start"):
        restored(tmp_path / "training/checkpoints")


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    saved(tmp_path, 1)
    for other in ({"weights": [0.0]}, {"others": [0.0, 0.0]}):
        checkpoints, _ = of(tmp_path, **other)
        with pytest.raises(UserError, match="ckpt-1 is of other networks or optimizers than the config's"):
            checkpoints.restore_last()
