"""The devices to compute on: GPUs, cores, and the precision they are fastest in.

TensorFlow takes seconds to load and is loaded only where a function needs it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from udas_tf.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

DEVICE_FILES = Path("/dev")
GPU_FILES = "nvidia[0-9]*"  # one for each GPU that the system or the container has; bin/bootstrap looks for the same
CPU_INFO = Path("/proc/cpuinfo")
SEPARATE_BIASES = "--xla_disable_hlo_passes=cudnn-fused-convolution-rewriter"
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # Intel's and AMD's instructions that oneDNN has kernels for


def has_gpu() -> bool:
    """Whether this process can compute on a GPU.

    Once TensorFlow is loaded, its answer counts. Before that, a GPU is a device file that
    CUDA_VISIBLE_DEVICES does not hide.
    """
    return bool(gpus()) if "tensorflow" in sys.modules else _has_visible_gpu_file()


def gpus() -> list[tf.config.PhysicalDevice]:
    """The GPUs that TensorFlow lists, in its order. Loads TensorFlow."""
    import tensorflow as tf

    return tf.config.list_physical_devices("GPU")


def logical() -> list[str]:
    """Names of the devices a batch can be split over: all GPUs, or without any the parts of the CPU. Loads
    TensorFlow, and fixes how many parts the CPU has."""
    import tensorflow as tf

    return [device.name for device in tf.config.list_logical_devices("GPU" if gpus() else "CPU")]


def cores() -> int:
    """Cores that this process may use, or TF_NUM_INTRAOP_THREADS where that is fewer; where the system does
    not say (macOS), all of the machine. UserError when the variable is no number."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = os.environ.get("TF_NUM_INTRAOP_THREADS") or "0"
    if not threads.isdecimal():
        raise UserError(f"TF_NUM_INTRAOP_THREADS={threads!r} in the environment; expected a number, 0 for all cores")
    return min(usable, int(threads) or usable)


def precision() -> str:
    """ "mixed_bfloat16" on a machine without a GPU whose CPU computes in bfloat16, "float32" on others:
    without such instructions bfloat16 is slower, and GPUs before Ampere do not have it.

    Looks at device files and never asks TensorFlow: a config must come out the same whether TensorFlow is
    loaded or not.
    """
    if _has_visible_gpu_file() or not CPU_INFO.is_file():
        return "float32"
    return "mixed_bfloat16" if BFLOAT16 & set(CPU_INFO.read_text().split()) else "float32"


def xla_flags() -> str:
    """The environment's XLA_FLAGS, after one for GPUs: convolutions stay without their bias and ReLU.

    XLA joins them, and cuDNN writes a kernel for each: a step took more than 400 s to compile, and 110
    without.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    return flags if SEPARATE_BIASES in flags else f"{SEPARATE_BIASES} {flags}".strip()


def _has_visible_gpu_file() -> bool:
    """CUDA_VISIBLE_DEVICES lists indices or identifiers (GPU-..., MIG-...). CUDA reads it up to the first
    entry that is neither, so "" and "-1" leave no GPU."""
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").partition(",")[0].strip()
    visible = first.isdecimal() or first.startswith(("GPU-", "MIG-"))
    return visible and any(DEVICE_FILES.glob(GPU_FILES))
