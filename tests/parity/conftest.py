"""What the comparisons share: a process for PyTorch, and the deviations, which `pytest -rP tests/parity` prints."""

import importlib.util
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import pytest
import torch_process


@pytest.fixture
def within(request):
    """within(deviation, limit): prints the deviation measured, and fails where it is beyond the limit."""

    def check(deviation, limit):
        print(f"parity: {request.node.name}: {deviation:.2g} (limit {limit:g})")
        assert deviation <= limit

    return check


@pytest.fixture(scope="session")
def pytorch():
    """pytorch("torch_losses.minent", *arguments, **keys): the result of a function of one of the modules torch_*.py.

    The function is called in a process of its own, which lasts for the session: PyTorch as pip installs it crashes in
    the process of TensorFlow. Arguments and results are numpy arrays and plain Python.
    """
    if importlib.util.find_spec("torch") is None:
        pytest.skip("needs PyTorch")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:

        def call(function, *arguments, **keys):
            return executor.submit(torch_process.call, function, *arguments, **keys).result()

        yield call
