"""PyTorch checkpoints read without PyTorch, and without executing anything in them.

Both formats of `torch.save`: the zip archive (from PyTorch 1.6 on) and the stacked pickles before it. A
pickle is a program; this reader lets it name nothing but tensors, their storages and ordered dictionaries, so
the worst a hostile file does is to be refused. NumPy's scalars and a few other things that stand beside weights are
named and not made.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import io
import math
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from udas_tf.errors import UserError
from udas_tf.models.importers import unwrapping

# torch.{name}Storage and the little-endian numbers it holds. bfloat16 is the upper half of a float32.
DTYPES = {
    "Double": "<f8",
    "Float": "<f4",
    "Half": "<f2",
    "BFloat16": "<u2",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first of the stacked pickles
LEGACY_PROTOCOL = 1001  # the second
DIMENSIONS, NUMBERS = 16, 2**40  # of one tensor, at most
# What stands beside weights: settings, scores as NumPy's scalars, states of generators. Nothing of it is made.
IGNORED = {
    *(("numpy", "dtype"), ("numpy", "ndarray"), ("_codecs", "encode"), ("argparse", "Namespace")),
    *((f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(("collections", "defaultdict"), ("collections", "Counter"), ("datetime", "datetime"), ("torch", "device")),
    *(("pathlib", name) for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(("torch", name) for name in ("float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")),
}


def read(path: str | Path, entry: str | None = None) -> dict[str, np.ndarray]:
    """The state dict in a PyTorch checkpoint, as names and arrays.

    Wrappers such as `{"state_dict": ..., "optimizer": ...}` are unwrapped, averaged weights first, and the prefix
    "module." of DataParallel goes. Arrays are read-only, of the tensors' dtypes; bfloat16 becomes float32.

    Args:
        path: of the file.
        entry: key of the state dict, as for `unwrapping.state_dict`; None = the likeliest.

    Raises:
        UserError: the file is missing, truncated, no PyTorch checkpoint, or needs more than tensors and
            dictionaries to be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            tensors = unwrapping.state_dict(_load(file), _Tensor, entry)
            arrays = {name: tensor.array() for name, tensor in tensors.items()}
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    return unwrapping.without_wrappers(arrays)


def _load(file: BinaryIO) -> Any:
    """The object saved, with `_Tensor`s for tensors."""
    start = file.read(4)
    file.seek(0)
    if start == b"PK\x03\x04":
        return _load_zip(file)
    if start[:1] == b"\x80":
        return _load_stacked(file)
    raise UserError(
        f"not a PyTorch checkpoint: starts with {start!r}, expected a zip archive or a pickle of torch.save"
    )


@contextlib.contextmanager
def _damage_in(part: str) -> Iterator[None]:
    """The user's error for whatever fails within: a damaged file makes pickle and zipfile fail in any way."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise UserError(f"damaged or truncated: {part} fails with {reason}; fetch it again") from error


# --- the pickle ---------------------------------------------------------------------------------------------


# Named tuples, since a pickle may set the attributes of any object that takes them.


class _Storage(NamedTuple):
    """A storage of `numel` numbers; `fetch` returns their bytes."""

    kind: str
    numel: int
    fetch: Callable[[], bytes]

    def array(self) -> np.ndarray:
        array = np.frombuffer(self.fetch(), DTYPES[self.kind])
        return (array.astype(np.uint32) << 16).view(np.float32) if self.kind == "BFloat16" else array


class _Tensor(NamedTuple):
    """A tensor as the pickle describes it: where in which storage, before anything of that is read."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        storage = self.storage.array()
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, storage.dtype)
        steps = [stride * storage.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, steps, writeable=False)


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_unused: Any) -> _Tensor:
    """torch._utils._rebuild_tensor and its second version, which adds gradients and hooks. The numbers come
    from the file: whoever follows them blindly reads foreign memory."""
    shape, strides = tuple(shape), tuple(strides)
    numbers = (offset, *shape, *strides)
    plain = all(type(number) is int and 0 <= number < NUMBERS for number in numbers)
    bounded = plain and len(shape) <= DIMENSIONS and math.prod(size or 1 for size in shape) < NUMBERS
    if not bounded or len(shape) != len(strides) or not isinstance(storage, _Storage):
        raise UserError("damaged: a tensor's storage, offset, shape and strides do not fit together")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.numel:
        raise UserError(f"damaged: a tensor of shape {shape} reaches beyond its {storage.numel} numbers")
    return _Tensor(storage, offset, shape, strides)


def _rebuild_parameter(tensor: Any, *_unused: Any) -> Any:
    return tensor


class _Ignored:
    """Stands for an object that is named and not made: it takes any arguments, state and items, and keeps nothing."""

    __slots__ = ()

    def __new__(cls, *_arguments: Any, **_named: Any) -> _Ignored:
        return super().__new__(cls)

    def __setstate__(self, _state: Any) -> None:
        """Keeps nothing."""

    def __setitem__(self, _key: Any, _value: Any) -> None:
        """Keeps nothing."""


def _nbytes(kind: str, numel: int) -> int:
    return numel * np.dtype(DTYPES[kind]).itemsize


class _Unpickler(pickle.Unpickler):
    """Knows the globals of tensors, and no other. `fetch(key, nbytes)` reads a storage."""

    def __init__(self, file: BinaryIO, fetch: Callable[[str, int], bytes] | None = None):
        super().__init__(file, encoding="utf-8")  # of strings that Python 2 wrote
        self._fetch = fetch
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        kind = name.removesuffix("Storage")
        if module in ("torch", "torch.cuda") and kind != name and kind in DTYPES:
            return kind
        # Lambdas of this call's own: a pickle may set attributes of the functions it is given.
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda *args: _rebuild_tensor(*args)
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda *args: _rebuild_parameter(*args)
        if (module, name) == ("torch", "Size"):
            return lambda sizes: tuple(sizes)
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) in IGNORED or module == "numpy.dtypes":
            return type("Ignored", (_Ignored,), {})  # a class of this call's own, as above
        raise UserError(
            f"refused: it needs {module}.{name}, and only tensors and dictionaries are read; "
            "save the weights alone, torch.save(model.state_dict(), FILE)"
        )

    def persistent_load(self, pid: Any) -> _Storage:
        damaged = UserError(f"damaged: {str(pid)[:80]} is no reference to a storage")
        if self._fetch is None or not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise damaged
        kind, key, _device, numel = pid[1:5]
        counted = type(numel) is int and 0 <= numel < NUMBERS
        if kind not in DTYPES or type(key) is not str or not counted:
            raise damaged
        fetch = functools.cache(functools.partial(self._fetch, key, _nbytes(kind, numel)))
        storage = self.storages.setdefault(key, _Storage(kind, numel, fetch))
        if storage[:2] != (kind, numel):
            raise damaged
        if len(pid) > 5 and pid[5] is not None:  # before PyTorch 0.4: key, start and length of a view
            _key, start, length = pid[5]
            if not (type(start) is type(length) is int and 0 <= start <= start + length <= numel):
                raise damaged
            begin, end = _nbytes(kind, start), _nbytes(kind, start + length)
            return _Storage(kind, length, lambda: fetch()[begin:end])
        return storage

    def load(self) -> Any:
        with _damage_in("its pickle"):
            return super().load()


# --- the two formats ----------------------------------------------------------------------------------------


def _load_zip(file: BinaryIO) -> Any:
    """ROOT/data.pkl and a file ROOT/data/KEY for each storage."""
    with _damage_in("its zip archive"):
        archive = zipfile.ZipFile(file)
    roots = [name.removesuffix("data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise UserError("not a PyTorch checkpoint: a zip archive without a data.pkl")
    root = roots[0]

    def member(name: str, nbytes: int | None = None) -> bytes:
        with _damage_in(name):
            size = archive.getinfo(root + name).file_size
            if nbytes not in (None, size):
                raise UserError(f"damaged: storage {name} has {size} bytes, expected {nbytes}")
            return archive.read(root + name)

    if f"{root}byteorder" in archive.namelist() and member("byteorder") != b"little":
        raise UserError("written on a big-endian machine, which is not read; save it again on another")
    pickled = io.BytesIO(member("data.pkl"))
    return _Unpickler(pickled, lambda key, nbytes: member(f"data/{key}", nbytes)).load()


def _load_stacked(file: BinaryIO) -> Any:
    """Pickles of the magic number, the protocol, the machine, the object and the keys of its storages; then
    each storage as its length (int64) and its numbers."""
    if _Unpickler(file).load() != LEGACY_MAGIC:
        raise UserError("not a PyTorch checkpoint: a pickle of something else")
    if (protocol := _Unpickler(file).load()) != LEGACY_PROTOCOL:
        raise UserError(f"has protocol {protocol!r} of PyTorch's old format, expected {LEGACY_PROTOCOL}")
    machine = _Unpickler(file).load()
    if not (isinstance(machine, dict) and machine.get("little_endian") is True):
        raise UserError("written on a big-endian machine, which is not read; save it again on another")

    places: dict[str, int] = {}

    def fetch(key: str, nbytes: int) -> bytes:
        file.seek(places[key])
        return file.read(nbytes)

    unpickler = _Unpickler(file, fetch)
    saved, keys = unpickler.load(), _Unpickler(file).load()
    if not isinstance(keys, list) or set(keys) != set(unpickler.storages):
        raise UserError("damaged: the storages it lists are not those of its tensors")
    size = os.fstat(file.fileno()).st_size
    for key in keys:
        kind, expected, _ = unpickler.storages[key]
        if file.read(8) != expected.to_bytes(8, "little"):
            raise UserError(f"damaged or truncated: storage {key} does not start with its length, {expected}")
        places[key] = file.tell()
        if file.seek(_nbytes(kind, expected), os.SEEK_CUR) > size:
            raise UserError(f"truncated: it ends within storage {key}; fetch it again")
    return saved
