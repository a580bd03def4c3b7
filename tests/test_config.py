"""Configs: typed overrides, the round trip through JSON, and what is said about a file that is wrong."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udas_tf import config as configs
from udas_tf.errors import UserError

OWN = sorted(configs.configs_directory().rglob("*.py"))
BASE = configs.base_config()
IMPORT = "from udas_tf.config import base_config\n"


def value(config, key):
    return configs.flatten(config)[key]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_base_is_locked_and_made_anew():
    one, other = configs.base_config(), configs.base_config()
    assert one.is_locked and one.uda.is_locked
    one.seed = 5
    assert other.seed == 0


def test_every_default_has_a_type_that_overrides_know():
    for key, default in configs.flatten(BASE).items():
        assert type(default) in (bool, int, float, str, tuple), key
        assert not isinstance(default, tuple) or default, f"{key}: items of which type?"


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_configs_load_from_any_directory(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configs.load(path.relative_to(configs.configs_directory().parent))
    assert config.is_locked
    assert configs.flatten(config).keys() == configs.flatten(BASE).keys()


@given(
    seed=st.integers(),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    cache=st.booleans(),
    name=st.text(),
)
def test_overrides_take_the_type_of_the_default(seed, rate, cache, name):
    texts = {"seed": str(seed), "uda.learning_rate": repr(rate), "data.cache": str(cache)}
    changed = configs.override(BASE, {**texts, "model.initial_weights": name})
    assert (changed.seed, changed.uda.learning_rate, changed.data.cache) == (seed, rate, cache)
    assert changed.model.initial_weights == name
    assert type(changed.seed) is int and type(changed.uda.learning_rate) is float


@given(
    seed=st.integers(-(2**62), 2**62),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    cache=st.booleans(),
    name=st.text(st.characters(exclude_categories=["Cs"])),
    rates=st.lists(st.integers(0, 100), min_size=1).map(tuple),
)
def test_a_saved_config_loads_as_it_was(tmp_path_factory, seed, rate, cache, name, rates):
    config = configs.base_config()
    config.seed, config.uda.learning_rate, config.data.cache = seed, rate, cache
    config.model.initial_weights, config.model.aspp_rates = name, rates
    path = tmp_path_factory.mktemp("run") / "config.json"
    configs.save(config, path)
    loaded = configs.load(path)
    assert configs.flatten(loaded) == configs.flatten(config)
    assert loaded.model.aspp_rates == rates and isinstance(loaded.data.size, tuple)
    assert configs.differences(config, loaded) == []
    assert [file.name for file in path.parent.iterdir()] == ["config.json"]


def test_an_integer_will_do_for_a_float_and_the_given_config_stays():
    changed = configs.override(BASE, {"uda.learning_rate": "1"})
    assert value(changed, "uda.learning_rate") == 1.0 and type(value(changed, "uda.learning_rate")) is float
    assert BASE.uda.learning_rate == 2.5e-4


@pytest.mark.parametrize("text", ["96,192", "(96, 192)", "[96,192]", "96,192,"])
def test_tuples_are_comma_separated(text):
    assert configs.override(BASE, {"data.size": text}).data.size == (96, 192)


@pytest.mark.parametrize(("text", "expected"), [("true", True), ("True", True), ("1", True), ("0", False)])
def test_booleans(text, expected):
    assert configs.override(BASE, {"data.cache": text}).data.cache is expected


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("uda.steps", "1.5", "a whole number"),
        ("uda.steps", "many", "a whole number"),
        ("uda.steps", "", "a whole number"),
        ("uda.learning_rate", "fast", "a finite number"),
        ("uda.learning_rate", "nan", "a finite number"),
        ("uda.learning_rate", "inf", "a finite number"),
        ("data.cache", "maybe", "true or false"),
        ("data.cache", "2", "true or false"),
        ("data.size", "96", "comma-separated values like 360,640, each a whole number"),
        ("data.size", "96,wide", "comma-separated values"),
        ("data.size", "96,1.5", "comma-separated values"),
    ],
)
def test_a_wrong_type_is_told_with_key_received_and_expected(key, text, expected):
    with pytest.raises(UserError) as caught:
        configs.override(BASE, {key: text})
    message = str(caught.value)
    assert repr(key) in message and repr(text) in message and expected in message


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("uda.learning_rat", "uda.learning_rate"),
        ("model.backbon", "model.backbone"),
        ("student.round", "student.rounds"),
        ("sed", "seed"),
    ],
)
def test_an_unknown_key_names_the_nearest(typed, nearest):
    with pytest.raises(UserError, match=f"unknown config key '{typed}'; the nearest is '{nearest}'"):
        configs.override(BASE, {typed: "1"})


def test_differences_name_the_key_and_both_values():
    changed = configs.override(BASE, {"uda.steps": "300", "data.size": "96,192"})
    assert configs.differences(BASE, changed) == [
        "data.size: (360, 640) in the run, (96, 192) given",
        "uda.steps: 120000 in the run, 300 given",
    ]
    assert configs.differences(BASE, configs.base_config()) == []


def test_keys_a_saved_config_lacks_keep_their_default(tmp_path):
    path = write(tmp_path / "config.json", json.dumps({"uda": {"steps": 7}}))
    assert configs.differences(BASE, configs.load(path)) == ["uda.steps: 120000 in the run, 7 given"]


def test_a_python_file_that_is_rewritten_is_read_anew(tmp_path):
    text = IMPORT + "def get_config():\n    c = base_config()\n    c.seed = {}\n    return c\n"
    path = tmp_path / "mine.py"
    for seed in (1, 2):
        assert configs.load(write(path, text.format(seed))).seed == seed
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.py", "def get_config(:\n", "SyntaxError"),
        ("a.py", "x = 1\n", "needs a get_config()"),
        ("a.py", "def get_config():\n    return {}\n", "needs a get_config() that returns a ConfigDict"),
        ("a.py", "import nothing_of_this_name\n", "line 1: ModuleNotFoundError"),
        ("a.py", "def get_config():\n    return {}['x']\n", "line 2: KeyError: 'x'"),
        (
            "a.py",
            IMPORT + "def get_config():\n    c = base_config()\n    c.uda.stepz = 3\n",
            'Did you mean "steps"',
        ),
        (
            "a.py",
            "import ml_collections\ndef get_config():\n    return ml_collections.ConfigDict({'sed': 3})\n",
            "unknown config key 'sed'; the nearest is 'seed'",
        ),
        ("a.json", "{", "is not JSON"),
        ("a.json", "[1]", "holds a list, expected an object"),
        ("a.json", '{"seed": "x"}', "'seed' received 'x', expected a whole number"),
        ("a.json", '{"seed": true}', "'seed' received True, expected a whole number"),
        ("a.json", '{"seed": 1.0}', "'seed' received 1.0, expected a whole number"),
        ("a.json", '{"data": {"cache": 1}}', "'data.cache' received 1, expected true or false"),
        ("a.json", '{"classes": 19}', "'classes' received 19, expected a text"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_reason(tmp_path, name, text, told):
    path = write(tmp_path / name, text)
    with pytest.raises(UserError) as caught:
        configs.load(path)
    assert str(path) in str(caught.value) and told in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.py", "configs/nowhere.py", ".", "README.md"])
def test_a_missing_file_is_named_with_what_there_is(tmp_path, name):
    with pytest.raises(UserError, match="expected a .py or .json file.* configs/quickstart.py"):
        configs.load(tmp_path / name)


def test_a_place_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UserError, match="choose another --workdir"):
        configs.save(BASE, write(tmp_path / "file", "") / "config.json")


@given(st.sampled_from(list(configs.flatten(BASE))), st.text(max_size=8))
def test_any_text_is_either_of_the_type_or_refused(key, text):
    default = value(BASE, key)
    try:
        received = value(configs.override(BASE, {key: text}), key)
    except UserError:
        return
    assert type(received) is type(default)
    assert not isinstance(received, float) or math.isfinite(received)


# --- a config on another one --------------------------------------------------------------------------------

METHODS = [path.stem for path in OWN if path.parent.name == "methods"]


def test_every_system_has_a_config():
    assert set(METHODS) == {
        *("adaptsegnet_single", "adaptsegnet", "advent", "minent", "seg_uncertainty", "cycada", "udas"),
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("base", ["configs/quickstart.py", "tests/end_to_end/tiny.py"])
def test_a_system_keeps_data_network_and_steps_of_its_base(method, base):
    changed = configs.differences(configs.load(base), configs.load(f"configs/methods/{method}.py:{base}"))
    keys = {line.partition(":")[0] for line in changed}
    own = {"rows", "data.target.labelled", "model.auxiliary"}
    assert all(
        key in own or key.split(".")[0] in ("uda", "translate", "student", "pseudo_label") for key in keys
    )
    steps = ("steps", "schedule_steps", "batch_size", "optimizer", "learning_rate", "size")
    assert not any(key.split(".")[-1] in steps for key in keys)


@pytest.mark.parametrize("method", METHODS)
def test_a_system_without_a_base_has_the_papers_setting(method):
    config = configs.load(f"configs/methods/{method}.py")
    assert (config.data.source.dataset, config.data.target.dataset) == ("gta5", "cityscapes")
    assert config.uda.steps == 120_000


def test_official_learning_rates_are_those_of_the_official_optimiser():
    assert configs.load("configs/methods/cycada.py").uda.learning_rate == 1e-5
    assert configs.load("configs/methods/seg_uncertainty.py").student.learning_rate == 1e-4
    on_adam = configs.load("configs/methods/cycada.py:configs/quickstart.py")
    assert on_adam.uda.learning_rate == configs.load("configs/quickstart.py").uda.learning_rate


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("configs/quickstart.py:configs/base.py", "takes no other config after a colon"),
        ("configs/methods/advent.py:configs/nowhere.py", "no config configs/nowhere.py"),
        ("configs/methods/avdent.py:configs/base.py", "configs/methods/advent.py"),
    ],
)
def test_what_is_wrong_on_either_side_of_the_colon_is_told(name, told):
    with pytest.raises(UserError, match=told):
        configs.load(name)


def test_a_saved_config_may_be_the_base_and_takes_none(tmp_path):
    config = configs.override(BASE, {"seed": "7"})
    configs.save(config, tmp_path / "config.json")
    assert configs.load(f"configs/methods/advent.py:{tmp_path / 'config.json'}").seed == 7
    with pytest.raises(UserError, match="is a finished config and takes no other one"):
        configs.load(f"{tmp_path / 'config.json'}:configs/base.py")


def test_names_may_be_none_and_come_back():
    none = configs.override(configs.base_config(), {"rows": ""})
    assert none.rows == ()
    assert configs.override(none, {"rows": "cutmix"}).rows == ("cutmix",)


@pytest.mark.parametrize("text", ["96", "96,192,3", ""])
def test_a_size_is_a_pair(text):
    with pytest.raises(
        UserError, match="'data.size' received .*, expected comma-separated values like 360,640"
    ):
        configs.override(configs.base_config(), {"data.size": text})
