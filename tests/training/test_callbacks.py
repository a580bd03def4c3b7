import pytest

from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir
from udas_tf.training import callbacks


def test_a_discriminator_wins_when_it_is_always_right():
    logs = {
        "D_accuracy_p": 0.99,
        "D_accuracy_a": 0.989,
        "L_D_p": 0.001,
        "L_D_source": 0.01,
        "L_D_target": 0.011,
    }
    found = callbacks.winning(logs)
    assert set(found) == {"D_accuracy_p", "L_D_source"}
    assert "0.990" in found["D_accuracy_p"] and "lower uda.discriminator_learning_rate" in found["D_accuracy_p"]
    assert "lower translate.discriminator_width" in found["L_D_source"]
    assert callbacks.winning({"L_seg_p": 0.0, "L_cyc": 0.0}) == {}


def test_each_discriminator_is_warned_of_once_also_after_a_resume(tmp_path, caplog):
    run_dir = RunDir(tmp_path)
    directory, log_directory = run_dir.training("cutmix"), run_dir.tensorboard("cutmix")

    def watch():
        return callbacks.DiscriminatorWatch(directory, log_directory, 25)

    first = watch()
    first.on_epoch_end(0, {"D_accuracy_p": 0.9})
    assert not directory.exists() and not log_directory.exists()
    assert callbacks.warnings_of(run_dir, "cutmix") == []
    first.on_epoch_end(1, {"D_accuracy_p": 0.999, "D_accuracy_a": 0.6})
    first.on_epoch_end(2, {"D_accuracy_p": 1.0, "D_accuracy_a": 0.6})
    watch().on_epoch_end(3, {"D_accuracy_p": 1.0, "D_accuracy_a": 1.0})
    warnings = callbacks.warnings_of(run_dir, "cutmix")
    assert [(warning.name, warning.step) for warning in warnings] == [("D_accuracy_p", 50), ("D_accuracy_a", 100)]
    assert len(list(log_directory.iterdir())) == 2  # an event file for each warning
    assert sum("wins outright" in record.message for record in caplog.records) == 2


def test_damaged_warnings_name_the_file_and_the_key(tmp_path):
    run_dir = RunDir(tmp_path)
    run_dir.training("cutmix").mkdir(parents=True)
    file = run_dir.training("cutmix") / callbacks.WARNINGS
    file.write_text('[{"step": "50", "name": "D_accuracy_p", "text": "it wins"}]')
    with pytest.raises(UserError, match=r"cutmix/warnings\.json is damaged \(Expected `int`.*at `\$\[0\]\.step`"):
        callbacks.warnings_of(run_dir, "cutmix")
