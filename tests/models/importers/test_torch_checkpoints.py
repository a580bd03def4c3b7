"""Checkpoints written by hand: what PyTorch writes, what only a liar writes, and what is no checkpoint."""

import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch_files
from hypothesis import given
from hypothesis import strategies as st
from torch_files import Built, Bytes, Call, Global, Opcodes, Stored

from udas_tf.errors import UserError
from udas_tf.models.importers import torch_checkpoints

TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
FLOATS = Global("torch", "FloatStorage")


@pytest.fixture(params=torch_files.SAVERS)
def save(request, tmp_path):
    """Saves in one of the two formats and returns the path."""

    def saved(value, name="file.pth"):
        request.param(tmp_path / name, value)
        return tmp_path / name

    return saved


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u1", "?"])
def test_types(save, dtype):
    array = np.arange(-3, 3).astype(dtype).reshape(2, 3)
    read = torch_checkpoints.read(save({"a": array}))
    assert list(read) == ["a"] and read["a"].dtype == array.dtype
    np.testing.assert_array_equal(read["a"], array)


def test_bfloat16_becomes_float32(save):
    halves = np.array([0x3FC0, 0xC000, 0x7F80], "u2")  # 1.5, -2, infinity
    read = torch_checkpoints.read(save({"a": halves}))["a"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, [1.5, -2, np.inf])


def test_views_share_a_storage(save):
    base = np.arange(24, dtype="f4")
    grid = base.reshape(4, 6)
    views = {"t": grid.T, "part": grid[1:3, 2:5], "every_third": base[1::3], "one": base[7:8].reshape(())}
    read = torch_checkpoints.read(save(views))
    for name, view in views.items():
        assert read[name].shape == view.shape
        np.testing.assert_array_equal(read[name], view)


def test_empty_tensors(save):
    read = torch_checkpoints.read(save({"a": np.zeros((0, 3), "f4"), "b": np.ones(2, "f4")}))
    assert read["a"].shape == (0, 3)
    np.testing.assert_array_equal(read["b"], [1, 1])


def test_parameters_and_attributes_of_the_dictionary(save):
    """What pickling a module's state_dict() and its nn.Parameters writes."""
    parameter = Call(Global("torch._utils", "_rebuild_parameter"), (np.ones(2, "f4"), True, OrderedDict()))
    state = Built(OrderedDict({"a": parameter}), {"_metadata": OrderedDict({"": {"version": 1}})})
    np.testing.assert_array_equal(torch_checkpoints.read(save(state))["a"], [1, 1])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"epoch": 3, "best": np.ones(1, "f4"), "state_dict": state, "optimizer": {"lr": 1}},
        lambda state: {"model": state, "optimizer": {"state": state}},
        lambda state: {"iteration": 1, "weights": state},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {f"module.{name}": array for name, array in state.items()},
        lambda state: {"net": {f"module.module.{name}": array for name, array in state.items()}},
        lambda state: {"n_averaged": np.array(7), **{f"module.{name}": array for name, array in state.items()}},
        lambda state: {f"module._orig_mod.{name}": array for name, array in state.items()},
        lambda state: {"epoch": 3, "note": "best", **state, "sizes": [1, 2]},
        lambda state: {"epoch": 1, "state_dict_ema": state, "optimizer": {"state": {0: {"step": 5}}}},
        lambda state: {"state_dict": {"other": np.zeros(2, "f4")}, "state_dict_ema": state},
        lambda state: {"ema": {"decay": 3, "updates": 4}, "model": state},
        lambda state: {"model_ema": {"n_averaged": np.array(2), "module": state}},
        lambda state: {"params": {"a": 1}, "params_ema": state},
    ],
)
def test_wrappers_and_prefixes(save, wrap):
    read = torch_checkpoints.read(save(wrap(OrderedDict({"a.weight": np.ones(2, "f4")}))))
    assert list(read) == ["a.weight"]


def test_another_entry_than_the_likeliest_may_be_asked_for(save, caplog):
    plain, averaged = ({"a.weight": np.full(2, value, "f4")} for value in (1, 2))
    path = save({"epoch": 3, "state_dict": plain, "state_dict_ema": averaged, "more": {"net": plain}})
    caplog.set_level("INFO", logger="absl")
    assert torch_checkpoints.read(path)["a.weight"].tolist() == [2, 2]
    assert "read what is in state_dict_ema; not used: state_dict, more" in caplog.text
    assert torch_checkpoints.read(path, "state_dict")["a.weight"].tolist() == [1, 1]
    assert torch_checkpoints.read(path, "more.net")["a.weight"].tolist() == [1, 1]
    with pytest.raises(
        UserError, match="has no entry 'stat': 'stat' is not among epoch, state_dict, state_dict_ema, more"
    ):
        torch_checkpoints.read(path, "stat")
    flat = save({"student.a": np.ones(2, "f4"), "teacher.a": np.zeros(2, "f4")})
    assert list(torch_checkpoints.read(flat)) == ["student.a", "teacher.a"]
    assert torch_checkpoints.read(flat, "teacher")["a"].tolist() == [0, 0]


def numpy_number(module="numpy.core.multiarray"):
    """NumPy's float64(0.5), as pickle protocol 2 has it."""
    kind = Built(Call(Global("numpy", "dtype"), ("f8", False, True)), (3, "<", None, None, None, -1, -1, 0))
    raw = Call(Global("_codecs", "encode"), ("\0\0\0\0\0\0\u00e0?", "latin1"))
    return Call(Global(module, "scalar"), (kind, raw))


@pytest.mark.parametrize(
    "beside",
    [
        numpy_number(),
        numpy_number("numpy._core.multiarray"),
        {"lr": [numpy_number()], "best": {"miou": numpy_number()}},
        Built(
            Call(Global("argparse", "Namespace"), ()),
            {"lr": 1, "root": Call(Global("pathlib", "PosixPath"), ("a", "b"))},
        ),
        Call(Global("torch", "device"), ("cuda", 0)),
        Global("torch", "float32"),
        Opcodes(b"cargparse\nNamespace\n)\x81}X\x01\x00\x00\x00aK\x01sb"),  # made by its class, as protocol 2 does
        Global("numpy.dtypes", "Float64DType"),
    ],
)
def test_what_stands_beside_weights_is_named_and_not_made(save, beside):
    read = torch_checkpoints.read(save({"score": beside, "state_dict": {"a.weight": np.ones(2, "f4")}}))
    assert list(read) == ["a.weight"]
    assert list(torch_checkpoints.read(save({"score": beside, "a.weight": np.ones(2, "f4")}))) == ["a.weight"]


def test_numpy_arrays_are_no_weights(save):
    array = Call(Global("numpy.core.multiarray", "_reconstruct"), (Global("numpy", "ndarray"), (0,), Bytes(b"b")))
    with pytest.raises(UserError, match="holds conv1.weight, expected tensors by name"):
        torch_checkpoints.read(save({"conv1.weight": Built(array, (1, (2,), None, False, Bytes(b"12345678")))}))


def test_names_that_python_2_wrote(save):
    assert list(torch_checkpoints.read(save({Bytes(b"a.weight"): np.ones(2, "f4")}))) == ["a.weight"]


def test_views_of_the_old_format(tmp_path):
    """Before PyTorch 0.4 a persistent id could name a part of a storage; offsets count from there."""
    base = np.arange(10, dtype="f4")
    pid = ("storage", FLOATS, "0", "cpu", 10, ("1", 4, 5))
    part = Call(Global("torch._utils", "_rebuild_tensor"), (Stored(pid), 1, (2, 2), (2, 1)))
    torch_files.save_stacked(tmp_path / "file.pth", {"whole": base, "part": part})
    read = torch_checkpoints.read(tmp_path / "file.pth")
    np.testing.assert_array_equal(read["part"], [[5, 6], [7, 8]])


# --- hostile ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        Global("os", "system"),
        Global("posix", "system"),
        Global("builtins", "eval"),
        Global("builtins", "getattr"),
        Global("subprocess", "Popen"),
        Global("torch", "load"),
        Global("torch.storage", "_load_from_bytes"),
        Global("torch", "FloatStorage.__new__"),
        Global("collections", "OrderedDict.fromkeys"),
        Global("torch._utils", "os.system"),
        Opcodes(b"\x8c\x02os\x8c\x06system\x93"),  # protocol 4's way of naming one
        Opcodes(b"(ios\nsystem\n"),  # protocol 0's
    ],
)
def test_nothing_is_executed(save, tmp_path, function):
    victim = tmp_path / "victim"
    path = save({"a": np.ones(2, "f4"), "b": Call(function, (f"touch {victim}",))})
    with pytest.raises(UserError, match=r"refused: it needs .* save the weights alone"):
        torch_checkpoints.read(path)
    assert not victim.exists()


def test_pickle_would_have_executed_it(tmp_path):
    """That the files above are what they claim to be."""
    victim = tmp_path / "victim"
    pickle.loads(torch_files.Encoder().pickle(Call(Global("os", "system"), (f"touch {victim}",))))
    assert victim.exists()


def test_the_headers_of_the_old_format_are_read_as_carefully(tmp_path):
    victim, path = tmp_path / "victim", tmp_path / "file.pth"
    path.write_bytes(torch_files.Encoder().pickle(Call(Global("os", "system"), (f"touch {victim}",))))
    with pytest.raises(UserError, match="refused: it needs os.system"):
        torch_checkpoints.read(path)
    assert not victim.exists()


STORED = Stored(("storage", FLOATS, "0", "cpu", 4))


@pytest.mark.parametrize(
    "tensor",
    [
        Call(TENSOR, (STORED, 0, (5,), (1,))),  # longer than its storage
        Call(TENSOR, (STORED, 3, (2,), (1,))),
        Call(TENSOR, (STORED, 0, (2, 2), (3, 1))),
        Call(TENSOR, (STORED, -1, (2,), (1,))),
        Call(TENSOR, (STORED, 2, (2,), (-1,))),
        Call(TENSOR, (STORED, 0, (2, 2), (1,))),
        Call(TENSOR, (STORED, 0, (2**60,), (0,))),
        Call(TENSOR, (STORED, 0, (1,) * 70, (0,) * 70)),
        Call(TENSOR, (STORED, 0, (1,), (2**70,))),
        Call(TENSOR, (STORED, 0, (0, 2**39, 2**39), (1, 1, 1))),
        Call(TENSOR, ("storage", 0, (1,), (1,))),
        Call(TENSOR, (Stored(("storage", FLOATS, "0", "cpu", -4)), 0, (1,), (1,))),
        Call(TENSOR, (Stored(("storage", FLOATS, "0", "cpu", 2**50)), 0, (1,), (1,))),
        Call(TENSOR, (Stored(("storage", Global("torch", "DoubleStorage"), "0", "cpu", 4)), 0, (1,), (1,))),
        Call(TENSOR, (Stored(("storage", FLOATS, "../version", "cpu", 1)), 0, (1,), (1,))),
        Call(TENSOR, (Stored(("storage", FLOATS, "none", "cpu", 1)), 0, (1,), (1,))),
        Call(TENSOR, (Stored("storage"), 0, (1,), (1,))),
        Built(Call(TENSOR, (STORED, 0, (4,), (1,))), {"offset": 2**40}),  # rewritten after it was checked
        Built(Call(TENSOR, (STORED, 0, (4,), (1,))), (None, {"offset": 2**40})),
        Built(STORED, {"numel": 2**40}),
    ],
)
def test_numbers_are_not_followed_out_of_the_file(save, tensor):
    path = save({"honest": np.ones(4, "f4"), "a": tensor})
    with pytest.raises(UserError, match="damaged|truncated"):
        torch_checkpoints.read(path)


def test_a_function_given_to_a_pickle_is_its_own(save):
    path = save({"f": Built(TENSOR, (None, {"__defaults__": (1,)})), "a": np.ones(2, "f4")})
    assert list(torch_checkpoints.read(path)) == ["a"]
    np.testing.assert_array_equal(torch_checkpoints.read(save({"a": np.ones(2, "f4")}))["a"], [1, 1])


def test_a_dictionary_within_itself_ends(save):
    circular = Opcodes(b"}q\x01X\x05\x00\x00\x00modelh\x01s")
    with pytest.raises(UserError, match="expected tensors"):
        torch_checkpoints.read(save(circular))


@given(st.data())
def test_random_damage_is_a_user_error_or_harmless(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "file.pth"
    data.draw(st.sampled_from(torch_files.SAVERS))(path, {"a": np.arange(6, dtype="f4").reshape(2, 3)})
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        torch_checkpoints.read(path)
    except UserError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize("place", [24, 28, 32, 48, 64, 96])
@pytest.mark.parametrize("value", [0, 1, 64, 200, 255])
def test_a_damaged_directory_of_a_zip_archive_is_a_user_error_or_harmless(tmp_path, place, value):
    """Its versions, sizes, names and offsets make zipfile fail in more ways than BadZipFile."""
    path = tmp_path / "file.pth"
    torch_files.save_zip(path, {"a": np.arange(6, dtype="f4").reshape(2, 3)})
    content = bytearray(path.read_bytes())
    content[-place] = value
    path.write_bytes(content)
    try:
        torch_checkpoints.read(path)
    except UserError as error:
        assert str(path) in str(error)


# --- no checkpoints -----------------------------------------------------------------------------------------


def test_every_truncation_is_noticed(save):
    path = save({"a": np.arange(6, dtype="f4"), "b": np.arange(4, dtype="i8")})
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"truncated|damaged|not a PyTorch checkpoint"):
            torch_checkpoints.read(path)


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (lambda path: None, "cannot read .*: No such file"),
        (lambda path: path.mkdir(), "cannot read"),
        (lambda path: path.write_bytes(b""), "not a PyTorch checkpoint"),
        (lambda path: path.write_bytes(b"<html>404</html>"), "not a PyTorch checkpoint: starts with b'<htm'"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "a pickle of something else"),
        (_zip, "a zip archive without a data.pkl"),
        (lambda path: torch_files.save_zip(path, [1, 2]), "holds a list, expected a state dict"),
        (lambda path: torch_files.save_zip(path, np.ones(2, "f4")), "holds a tensor, expected a state dict"),
        (lambda path: torch_files.save_zip(path, {}), "holds nothing, expected tensors"),
        (lambda path: torch_files.save_zip(path, {"epoch": 3}), "holds epoch, expected tensors"),
        (lambda path: torch_files.save_stacked(path, {}, {"little_endian": False}), "big-endian"),
    ],
)
def test_what_is_no_checkpoint(tmp_path, write, reason):
    path = tmp_path / "file.pth"
    write(path)
    with pytest.raises(UserError, match=reason):
        torch_checkpoints.read(path)
