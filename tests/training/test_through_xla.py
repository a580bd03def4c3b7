"""Whole steps through XLA: each stage's is the step without it."""

import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from udas_tf import config as configs
from udas_tf import plugins
from udas_tf.config import METHODS
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir
from udas_tf.runs import dry_run, rows
from udas_tf.training.loop import on_devices, through_xla

TINY = "tests/end_to_end/tiny.py"
ROWS = {"source": "no_adaptation", "uda": "cutmix", "student": "student_1"}


def _build(config, name):
    """The method of a stage and the specification of its batches, without data."""
    row = rows.named(config, ROWS[name]) if name in ROWS else rows.find(config, name, None, None)
    task = dry_run._task(open_run(config, RunDir("nowhere")), row)
    method = plugins.load(METHODS, name, "stage")
    return method.build(task), method.batches(task, 0).element_spec


def _two_steps(config, name):
    """The terms after each of two steps on one batch, and the weights that training changes."""
    with on_devices(config, name) as strategy:
        method, spec = _build(config, name)
        method.jit_compile = through_xla(config, strategy)
        draw = np.random.default_rng(0)

        def tensor(spec):
            if spec.dtype == tf.uint8:
                return tf.constant(draw.integers(0, 11 if len(spec.shape) == 3 else 256, spec.shape), tf.uint8)
            return tf.tile(tf.constant([[[1.0, 0, 0], [0, 1, 0]]]), [spec.shape[0], 1, 1])

        batches = iter(tf.data.Dataset.from_tensors(tf.nest.map_structure(tensor, spec)).repeat())
        method.make_train_function()
        terms = [{key: float(value) for key, value in method.train_function(batches).items()} for _ in range(2)]
        assert int(method.step) == 2
        return terms, [keras.ops.convert_to_numpy(one) for one in method.trainable_variables]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["source", *(pytest.param(name, marks=pytest.mark.long) for name in ("translate", "uda", "student"))],
)
def test_a_step_is_the_one_without(name):
    config = configs.load(TINY)
    (terms, weights), (expected_terms, expected_weights) = (
        _two_steps(configs.override(config, {"xla": xla}), name) for xla in (True, False)
    )
    for step, expected in zip(terms, expected_terms, strict=True):
        assert step == pytest.approx(expected, rel=2e-3, abs=1e-5)
    assert any(np.any(one != 0) for one in weights)
    for one, expected in zip(weights, expected_weights, strict=True):
        # Adam's first steps are of the rate's size whatever the gradient, also where it is rounding noise around 0.
        np.testing.assert_allclose(one, expected, rtol=1e-2, atol=1e-3)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_a_step_with_two_optimizers_in_half_precision(precision):
    config = configs.override(configs.load(TINY), {"xla": True})
    terms, weights = _two_steps(configs.override(config, {"precision": precision}), "uda")
    expected, _ = _two_steps(config, "uda")
    assert all(np.isfinite(one).all() for one in weights)
    assert terms[0]["L_seg_p"] == pytest.approx(expected[0]["L_seg_p"], rel=3e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "config, name", [(TINY, "translate"), (TINY, "student"), (f"configs/methods/cycada.py:{TINY}", "uda")]
)
def test_no_variable_of_a_step_stays_with_the_host_of_a_gpu(config, name):
    """TensorFlow keeps int32 variables in the host's memory, and XLA refuses them in a program for a GPU."""
    config = configs.load(config)
    with on_devices(config, name):
        method, spec = _build(config, name)
        step = tf.function(method.train_step).get_concrete_function(spec)
    types = {variable.dtype for variable in step.graph.variables}
    assert tf.float32 in types and tf.int32 not in types


def test_it_is_for_one_device():
    config = configs.override(configs.load(TINY), {"xla": True})
    one, two = (types.SimpleNamespace(num_replicas_in_sync=count) for count in (1, 2))
    assert through_xla(config, one)
    with pytest.raises(UserError, match="xla=True compiles steps for one device; here are 2 replicas"):
        through_xla(config, two)
    assert not through_xla(configs.load(TINY), two)
