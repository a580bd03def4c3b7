"""What there is to compute on: how many cores, and in what they are quickest."""

import os
from pathlib import Path

from udas_tf.errors import UserError

CPU_INFO = Path("/proc/cpuinfo")
GPU = Path("/dev/nvidia0")
SEPARATE_BIASES = "--xla_disable_hlo_passes=cudnn-fused-convolution-rewriter"
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # Intel's and AMD's instructions that oneDNN has kernels for


def cores() -> int:
    """Those that this process may use, or TF_NUM_INTRAOP_THREADS where that is fewer; where the system does not say
    (macOS), all of the machine. UserError when the variable is no number."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS") or "0"
    if not threads.isdecimal():
        raise UserError(
            f"TF_NUM_INTRAOP_THREADS={threads!r} in the environment; expected a number, 0 for all cores"
        )
    return min(usable, int(threads) or usable)


def precision() -> str:
    """ "mixed_bfloat16" where trainings run on a CPU that computes in bfloat16, "float32" elsewhere: without such
    instructions bfloat16 is slower, and GPUs before Ampere do not have it."""
    if GPU.exists() or not CPU_INFO.is_file():
        return "float32"
    return "mixed_bfloat16" if BFLOAT16 & set(CPU_INFO.read_text().split()) else "float32"


def xla_flags() -> str:
    """The environment's XLA_FLAGS, after one for GPUs: convolutions stay without their bias and ReLU.

    XLA joins them, and cuDNN writes a kernel for each: a step took more than 400 s to compile, and 110 without.
    """
    given = os.environ.get("XLA_FLAGS", "")
    return given if SEPARATE_BIASES in given else f"{SEPARATE_BIASES} {given}".strip()
