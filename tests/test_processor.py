import pytest

from udas_tf import processor
from udas_tf.errors import UserError


def test_a_process_with_fewer_threads_counts_as_many_cores(monkeypatch):
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    usable = processor.cores()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")
    assert processor.cores() == 1
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", str(usable + 1))
    assert processor.cores() == usable
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "0")  # TensorFlow's word for all
    assert processor.cores() == usable
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "two")
    with pytest.raises(UserError, match="TF_NUM_INTRAOP_THREADS='two' in the environment; expected a number"):
        processor.cores()


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
def test_bfloat16_where_it_is_quicker(flags, gpu, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor, "GPU", tmp_path / "gpu")
    if flags:
        processor.CPU_INFO.write_text(f"processor : 0\n{flags}\n")
    if gpu:
        processor.GPU.touch()
    assert processor.precision() == expected


def test_xla_flags_are_added_to_once(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    alone = processor.xla_flags()
    assert alone == "--xla_disable_hlo_passes=cudnn-fused-convolution-rewriter"
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=here")
    assert processor.xla_flags() == f"{alone} --xla_dump_to=here"  # of two of a kind XLA takes the last
    monkeypatch.setenv("XLA_FLAGS", processor.xla_flags())
    assert processor.xla_flags() == f"{alone} --xla_dump_to=here"
