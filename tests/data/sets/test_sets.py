"""What the modules of data sets declare, and that they keep to it."""

import importlib
import subprocess
import sys

import pytest

from udas_tf import plugins
from udas_tf.data import sets
from udas_tf.data.class_sets import built_in
from udas_tf.errors import UserError


def test_a_data_set_is_a_module():
    of_files = {"camvid", "cityscapes", "folder", "gta5", "synthia"}
    assert of_files | {"records", "streets"} <= set(sets.names())
    assert of_files <= {dataset.name for dataset in sets.of_files()}
    assert not {"records", "streets"} & {dataset.name for dataset in sets.of_files()}


def test_declarations_are_read_from_the_source():
    gta5 = sets.declared("gta5", "dataset")
    assert gta5.layout == "images/*.png and labels/*.png"
    assert (gta5.published, gta5.labelled, gta5.class_set) == ({"train": 24_966}, ("train",), "cityscapes")
    folder, streets = sets.declared("folder", "dataset"), sets.declared("streets", "dataset")
    assert folder.published == {} and folder.of_files
    assert streets.layout is None and not streets.of_files
    with pytest.raises(UserError, match="--dataset='citiscapes' is unknown; .*did you mean cityscapes"):
        sets.declared("citiscapes", "--dataset")


@pytest.mark.parametrize("name", sets.names())
def test_every_module_keeps_the_contract(name, tmp_path):
    dataset = sets.declared(name, "dataset")
    module = importlib.import_module(f"{sets.PACKAGE}.{name}")
    assert dataset.summary and hasattr(module, "find" if dataset.of_files else "open_split")
    assert dataset.class_set is None or dataset.class_set in built_in()
    literal = plugins.declarations(sets.PACKAGE, name).constants
    for constant in ("LAYOUT", "LABELLED", "PUBLISHED", "CLASSES", "CLASS_SET", "CLASS_MAPS"):
        assert hasattr(module, constant) == (constant in literal)
    if dataset.of_files:
        assert dataset.layout
        assert not module.find(tmp_path, "train").pairs  # an empty root


def test_sets_of_files_need_no_tensorflow():
    """Nor do Streets, which are drawn in processes of their own."""
    modules = [f"{sets.PACKAGE}.{dataset.name}" for dataset in sets.of_files()]
    imports = ", ".join([*modules, f"{sets.PACKAGE}.streets", "udas_tf.data.datasets", "udas_tf.data.run_splits"])
    code = f"import sys, {imports}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
