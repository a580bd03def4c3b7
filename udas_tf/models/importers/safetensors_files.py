"""Files of safetensors: a header in JSON that names tensors, then their numbers. Nothing in them is executed.

The format: 8 bytes with the length of the header, the header, {name: {"dtype", "shape", "data_offsets"}}, and the
numbers of all tensors, to which the offsets count (huggingface/safetensors, README, "Format").
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from udas_tf.errors import UserError
from udas_tf.models.importers import unwrapping

# Little-endian numbers by the format's names. BF16 is the upper half of a float32.
DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}
LONGEST_HEADER = 100_000_000  # bytes, as the format says
METADATA = "__metadata__"


def is_one(path: Path) -> bool:
    """Whether a file begins as one of safetensors; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError:
        return False
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= LONGEST_HEADER


def read(path: str | Path, entry: str | None = None) -> dict[str, np.ndarray]:
    """The tensors of a file by name, of their own types but for bfloat16, which becomes float32.

    The prefix "module." of DataParallel goes, as with `torch_checkpoints.read`.

    Args:
      path: of the file.
      entry: first parts of the names of the tensors that are wanted, such as "model_ema"; None = all.

    Raises:
      UserError: the file is truncated or damaged, or has numbers of a type that NumPy lacks.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    end = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:end])
        tensors = {name: value for name, value in header.items() if name != METADATA}
        numbers = memoryview(data)[end:]
        arrays = {name: _tensor(name, value, numbers) for name, value in tensors.items()}
        return unwrapping.without_wrappers(unwrapping.state_dict(arrays, np.ndarray, entry))
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: damaged or truncated: {error}; fetch it again") from error
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _tensor(name: str, value: Any, numbers: memoryview) -> np.ndarray:
    """A tensor; ValueError where its description is damaged or reaches beyond the file."""
    if not isinstance(value, dict) or not {"dtype", "shape", "data_offsets"} <= set(value):
        raise ValueError(f"{name} has no type, shape and place")
    kind, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if kind not in DTYPES:
        raise UserError(f"{name} is of type {kind!r}, expected one of {', '.join(DTYPES)}")
    counts = [*shape, *offsets] if isinstance(shape, list) and isinstance(offsets, list) else [-1]
    if not all(type(count) is int and count >= 0 for count in counts) or len(offsets) != 2:
        raise ValueError(f"{name} has the shape {shape} and lies at {offsets}")
    start, stop = offsets
    size = math.prod(shape) * np.dtype(DTYPES[kind]).itemsize
    if stop - start != size or stop > len(numbers):
        raise ValueError(f"{name} is of {size} bytes and lies at {start} to {stop} of {len(numbers)}")
    array = np.frombuffer(numbers[start:stop], DTYPES[kind]).reshape(shape)
    return (array.astype(np.uint32) << 16).view(np.float32) if kind == "BF16" else array
