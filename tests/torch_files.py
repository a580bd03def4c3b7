"""Writes PyTorch checkpoints without PyTorch, opcode by opcode, honest and hostile ones alike."""

import struct
import zipfile
from collections import OrderedDict
from typing import NamedTuple

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
MACHINE = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}
KINDS = {
    "<f8": "Double", "<f4": "Float", "<f2": "Half", "<i8": "Long", "<i4": "Int", "<i2": "Short",
    "|i1": "Char", "|u1": "Byte", "|b1": "Bool", "<u2": "BFloat16",
}  # fmt: skip


class Global(NamedTuple):
    """What find_class is asked for."""

    module: str
    name: str


class Call(NamedTuple):
    """A function and its arguments: what makes pickles dangerous."""

    function: object
    arguments: tuple


class Built(NamedTuple):
    """An object whose state is set."""

    target: object
    state: object


class Stored(NamedTuple):
    """A persistent id."""

    pid: object


class Bytes(NamedTuple):
    """A string as Python 2 wrote it."""

    text: bytes


class Opcodes(NamedTuple):
    raw: bytes


class Encoder:
    """Encodes objects as a pickle; arrays become tensors, whose storages are gathered by memory."""

    def __init__(self):
        self.storages = {}  # address -> key, array

    def pickle(self, value) -> bytes:
        return b"\x80\x02" + self.encode(value) + b"."

    def encode(self, value) -> bytes:
        match value:
            case np.ndarray():
                return self.encode(self.tensor(value))
            case Global(module, name):
                return f"c{module}\n{name}\n".encode()
            case Call(function, arguments):
                return self.encode(function) + self.encode(arguments) + b"R"
            case Built(target, state):
                return self.encode(target) + self.encode(state) + b"b"
            case Stored(pid):
                return self.encode(pid) + b"Q"
            case Bytes(text):
                return b"U" + bytes([len(text)]) + text
            case Opcodes(raw):
                return raw
            case OrderedDict():
                made = self.encode(Call(Global("collections", "OrderedDict"), ()))
                return made + b"(" + self.items(value) + b"u"
            case dict():
                return b"}(" + self.items(value) + b"u"
            case tuple():
                return b"(" + b"".join(map(self.encode, value)) + b"t"
            case list():
                return b"](" + b"".join(map(self.encode, value)) + b"e"
            case None | True | False:
                return {None: b"N", True: b"\x88", False: b"\x89"}[value]
            case str():
                return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
            case int():
                data = value.to_bytes(10, "little", signed=True)
                return b"\x8a" + bytes([len(data)]) + data
        raise TypeError(value)

    def items(self, mapping) -> bytes:
        return b"".join(self.encode(key) + self.encode(value) for key, value in mapping.items())

    def tensor(self, array):
        base = array if array.base is None else array.base
        start = base.__array_interface__["data"][0]
        key, base = self.storages.setdefault(start, (str(len(self.storages)), base))
        offset = (array.__array_interface__["data"][0] - start) // array.itemsize
        strides = tuple(step // array.itemsize for step in array.strides)
        kind = Global("torch", f"{KINDS[array.dtype.str]}Storage")
        storage = Stored(("storage", kind, key, "cpu", base.size))
        arguments = (storage, offset, array.shape, strides, False, OrderedDict())
        return Call(Global("torch._utils", "_rebuild_tensor_v2"), arguments)


def save_zip(path, value, root="archive"):
    encoder = Encoder()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", encoder.pickle(value))
        archive.writestr(f"{root}/byteorder", "little")
        for key, array in encoder.storages.values():
            archive.writestr(f"{root}/data/{key}", array.tobytes(order="A"))
        archive.writestr(f"{root}/version", "3\n")


def save_stacked(path, value, machine=None):
    encoder = Encoder()
    parts = [encoder.pickle(part) for part in (MAGIC, PROTOCOL, machine or MACHINE, value)]
    parts.append(encoder.pickle([key for key, _ in encoder.storages.values()]))
    for _, array in encoder.storages.values():
        parts += [struct.pack("<q", array.size), array.tobytes(order="A")]
    path.write_bytes(b"".join(parts))


SAVERS = (save_zip, save_stacked)
