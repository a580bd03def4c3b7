import os
import subprocess
import sys

import pytest
import tensorflow as tf

from udas_tf import devices
from udas_tf.errors import UserError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine of which a test says what it has, before TensorFlow is loaded."""
    monkeypatch.setattr(devices, "DEVICE_FILES", tmp_path)
    monkeypatch.setattr(devices, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow")
    return tmp_path


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((), False),
        (("nvidia0",), True),
        (("nvidia1", "nvidiactl", "nvidia-uvm"), True),  # a container that was given the second GPU alone
        (("nvidia10",), True),
        (("nvidiactl", "nvidia-uvm", "nvidia-modeset"), False),  # the driver without a GPU
    ],
)
def test_a_gpu_is_one_that_has_a_device_file(machine, files, expected):
    for name in files:
        (machine / name).touch()
    assert devices.has_gpu() is expected


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        ("", False),
        ("-1", False),
        ("-1,0", False),  # CUDA stops at the first entry that is no device
        ("none", False),
        ("0", True),
        ("1", True),
        ("1,-1", True),
        ("0,1", True),
        ("GPU-8f3e6a2c-1b7d-4c55-9e0a-2d6f1c3b5a79", True),
        ("MIG-5c89852c-d268-4a87-a57b-8f5f8b4b2b4e", True),
    ],
)
def test_cuda_visible_devices_hides_gpus(machine, monkeypatch, visible, expected):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices.has_gpu() is False, "there is none to be seen"
    (machine / "nvidia1").touch()
    assert devices.has_gpu() is expected


def test_once_tensorflow_is_loaded_its_gpus_count(machine, monkeypatch):
    (machine / "nvidia0").touch()
    monkeypatch.setitem(sys.modules, "tensorflow", tf)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert devices.has_gpu() is False and devices.gpus() == []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"] if kind == "GPU" else [])
    assert devices.has_gpu() is True and devices.gpus() == ["GPU:0"]


def test_batches_are_split_over_gpus_or_over_the_cpus_parts(monkeypatch):
    assert devices.gpus() or devices.logical() == [one.name for one in tf.config.list_logical_devices("CPU")]
    kinds = []
    monkeypatch.setattr(devices, "gpus", lambda: ["a GPU"])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: kinds.append(kind) or [])
    assert devices.logical() == [] and kinds == ["GPU"]


def test_nothing_of_it_loads_tensorflow():
    program = (
        "import sys; from udas_tf import devices; devices.has_gpu(), devices.cores(), devices.precision(), "
        "devices.xla_flags(); sys.exit('tensorflow' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


def test_a_process_with_fewer_threads_counts_as_many_cores(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    usable = devices.cores()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    assert devices.cores() == 1
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", str(usable + 1))
    assert devices.cores() == usable
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "0")  # TensorFlow's word for all
    assert devices.cores() == usable
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "two")
    with pytest.raises(UserError, match="TF_NUM_INTRAOP_THREADS='two' in the environment; expected a number"):
        devices.cores()


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize(
    ("flags", "gpu", "expected"),
    [
        ("flags : fpu avx512f avx512_bf16", False, "mixed_bfloat16"),
        ("flags : fpu amx_bf16 amx_tile", False, "mixed_bfloat16"),
        ("flags : fpu avx2 avx512f", False, "float32"),
        ("flags : fpu avx512_bf16", True, "float32"),
        (None, False, "float32"),  # not Linux
    ],
)
def test_bfloat16_where_it_is_quicker_whether_tensorflow_is_loaded_or_not(
    machine, monkeypatch, flags, gpu, expected, loaded
):
    if flags:
        devices.CPU_INFO.write_text(f"processor : 0\n{flags}\n")
    if gpu:
        (machine / "nvidia1").touch()
    if loaded:
        monkeypatch.setitem(sys.modules, "tensorflow", tf)
    assert devices.precision() == expected


def test_xla_flags_are_added_to_once(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    alone = devices.xla_flags()
    assert alone == "--xla_disable_hlo_passes=cudnn-fused-convolution-rewriter"
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    assert devices.xla_flags() == f"{alone} --xla_dump_to=here"  # of two of a kind XLA takes the last
    monkeypatch.setenv("XLA_FLAGS", devices.xla_flags())
    assert devices.xla_flags() == f"{alone} --xla_dump_to=here"
