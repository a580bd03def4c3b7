"""Files of safetensors, written by hand as the format says."""

import json
import struct

import numpy as np
import pytest

from udas_tf.errors import UserError
from udas_tf.models.importers import safetensors_files

KINDS = {
    "F64": "f8",
    "F32": "f4",
    "F16": "f2",
    "I64": "i8",
    "I32": "i4",
    "I16": "i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def written(path, tensors, **header):
    """A file of name -> (type by the format's name, array)."""
    numbers = b""
    entries = {"__metadata__": {"format": "pt"}}
    for name, (kind, array) in tensors.items():
        place = [len(numbers), len(numbers) + array.nbytes]
        entries[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        numbers += array.tobytes()
    text = json.dumps(entries | header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + numbers)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_types(tmp_path, kind):
    array = np.arange(-3, 3).astype(KINDS[kind]).reshape(2, 3)
    path = written(tmp_path / "a.safetensors", {"first": ("F32", np.ones(3, "f4")), "a": (kind, array)})
    read = safetensors_files.read(path)
    assert safetensors_files.is_one(path) and list(read) == ["first", "a"] and read["a"].dtype == array.dtype
    np.testing.assert_array_equal(read["a"], array)


def test_bfloat16_becomes_float32(tmp_path):
    halves = np.array([0x3FC0, 0xC000, 0x7F80], "u2")  # 1.5, -2, infinity
    read = safetensors_files.read(written(tmp_path / "a", {"a": ("BF16", halves)}))["a"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, [1.5, -2, np.inf])


def test_prefixes_of_wrappers_go_and_others_may_be_asked_for(tmp_path):
    one = ("F32", np.ones(2, "f4"))
    assert list(safetensors_files.read(written(tmp_path / "a", {"module.a.weight": one}))) == ["a.weight"]
    both = written(tmp_path / "b", {"model.a": one, "model_ema.a": ("F32", np.zeros(2, "f4"))})
    assert list(safetensors_files.read(both)) == ["model.a", "model_ema.a"]
    assert safetensors_files.read(both, "model_ema")["a"].tolist() == [0, 0]


def test_every_truncation_is_noticed(tmp_path):
    path = written(tmp_path / "a", {"a": ("F32", np.arange(6, dtype="f4"))})
    content = path.read_bytes()
    for length in range(9, len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"a: damaged or truncated: .*; fetch it again"):
            safetensors_files.read(path)


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [8, 16]},
        {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2.0], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": "2", "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2], "data_offsets": [-8, 0]},
        {"dtype": "F32", "shape": [2], "data_offsets": [0]},
        {"dtype": "F32", "shape": [2]},
        [1, 2],
    ],
)
def test_numbers_are_not_followed_out_of_the_file(tmp_path, entry):
    path = written(tmp_path / "a", {"b": ("F32", np.ones(2, "f4"))}, a=entry)
    with pytest.raises(UserError, match="damaged or truncated: a "):
        safetensors_files.read(path)


def test_types_that_numpy_lacks_are_named(tmp_path):
    with pytest.raises(UserError, match="a is of type 'F8_E4M3', expected one of F64"):
        safetensors_files.read(written(tmp_path / "w", {"a": ("F8_E4M3", np.ones(2, "u1"))}))


def test_what_is_no_file_of_safetensors(tmp_path):
    assert not safetensors_files.is_one(tmp_path / "none")
    for content in (b"", b"PK\x03\x04abcdefg", b"\x80\x02}q\x00.abcdef", b"\xff" * 8 + b"{"):
        (tmp_path / "a").write_bytes(content)
        assert not safetensors_files.is_one(tmp_path / "a")
    with pytest.raises(UserError, match="cannot read .*none: No such file"):
        safetensors_files.read(tmp_path / "none")
