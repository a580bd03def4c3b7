"""Configs: the schema, typed overrides, rows, the round trip through JSON, and errors that name a wrong file."""

import json
import math
import typing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from udas_tf import config as configs
from udas_tf import schema
from udas_tf.errors import UserError

OWN = sorted(configs.configs_directory().rglob("*.py"))
BASE = configs.base_config()
IMPORT = "from udas_tf.config import base_config\n"
TEXTS = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: text.strip().lower() not in configs.NOT_SET
)


def value(config, key):
    return configs.flatten(config)[key]


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_base_is_locked_and_made_anew():
    one, other = configs.base_config(), configs.base_config()
    assert one.is_locked and one.uda.is_locked and one.model.compact.is_locked and one.row.cutmix.is_locked
    one.seed = 5
    assert other.seed == 0


def test_every_default_is_of_the_type_of_its_key():
    for key, default in configs.flatten(BASE).items():
        hint = configs.key_types(schema.Row)[key.split(".")[-1]] if key.startswith("row.") else configs.key_types()[key]
        assert msgspec.convert(default, hint) == default, key


def test_sections_come_from_the_schema_and_from_modules():
    sections = {key.rpartition(".")[0] for key in configs.flatten(BASE) if not key.startswith("row.")}
    assert sections >= {
        *("", "data", "data.source", "data.target", "model", "translated", "pseudo_label", "evaluate"),
        *("source", "supervised", "translate", "uda", "student"),
        *("model.compact", "model.deeplab_v2", "model.seg_uncertainty", "model.fcn"),
    }


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_configs_load_from_any_directory(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = configs.load(path.relative_to(configs.configs_directory().parent))
    assert config.is_locked
    keys = [key for key in configs.flatten(config) if not key.startswith("row.")]
    assert keys == [key for key in configs.flatten(BASE) if not key.startswith("row.")]


@given(
    seed=st.integers(min_value=0),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    cache=st.booleans(),
    name=TEXTS,
)
def test_overrides_take_the_type_of_the_key(seed, rate, cache, name):
    texts = {"seed": str(seed), "uda.learning_rate": repr(rate), "data.cache": str(cache)}
    changed = configs.override(BASE, {**texts, "model.initial_weights": name})
    assert (changed.seed, changed.uda.learning_rate, changed.data.cache) == (seed, rate, cache)
    assert changed.model.initial_weights == name
    assert type(changed.seed) is int and type(changed.uda.learning_rate) is float


@given(
    seed=st.integers(0, 2**62),
    rate=st.floats(allow_nan=False, allow_infinity=False),
    cache=st.booleans(),
    name=st.none() | TEXTS,
    rates=st.lists(st.integers(0, 100), min_size=1).map(tuple),
)
def test_a_saved_config_loads_as_it_was(tmp_path_factory, seed, rate, cache, name, rates):
    config = configs.base_config()
    config.seed, config.uda.learning_rate, config.data.cache = seed, rate, cache
    config.model.initial_weights, config.model.deeplab_v2.rates = name, rates
    config.row.cutmix.mixed = config.data.target.labelled = None
    path = tmp_path_factory.mktemp("run") / "config.json"
    configs.save(config, path)
    loaded = configs.load(path)
    assert configs.flatten(loaded) == configs.flatten(config)
    assert loaded.model.deeplab_v2.rates == rates and isinstance(loaded.data.size, tuple)
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
        ("uda.steps", "1.5", "a whole number >= 1"),
        ("uda.steps", "many", "a whole number >= 1"),
        ("uda.steps", "", "a whole number >= 1"),
        ("uda.steps", "0", "a whole number >= 1"),
        ("uda.steps", "none", "a whole number >= 1"),
        ("data.target.labelled", "-1", "a whole number >= 0, or none"),
        ("uda.learning_rate", "fast", "a number"),
        ("uda.learning_rate", "nan", "a number"),
        ("uda.learning_rate", "inf", "a number"),
        ("uda.kl_warmup", "1.5", "a number >= 0 and <= 1"),
        ("data.repeat_factor_threshold", "0", "a number > 0 and <= 1, or none"),
        ("uda.scale_range", "inf,1", "2 values separated by commas, each a number > 0, or none"),
        ("data.cache", "maybe", "true or false"),
        ("data.cache", "2", "true or false"),
        ("data.size", "96", "2 values separated by commas, each a whole number >= 1"),
        ("data.size", "96,192,3", "2 values separated by commas, each a whole number >= 1"),
        ("data.size", "", "2 values separated by commas, each a whole number >= 1"),
        ("data.size", "96,wide", "2 values separated by commas, each a whole number >= 1"),
        ("data.size", "96,1.5", "2 values separated by commas, each a whole number >= 1"),
        ("model.compact.blocks", "1,1", "4 values separated by commas, each a whole number"),
        ("precision", "bf16", "one of float32, mixed_bfloat16, mixed_float16"),
        ("row.cutmix.source", "game", "one of plain, translated, or none"),
    ],
)
def test_a_wrong_value_is_named_with_key_received_and_expected(key, text, expected):
    with pytest.raises(UserError) as caught:
        configs.override(BASE, {key: text})
    assert str(caught.value) == f"config key {key!r} received {text!r}, expected {expected}"


@pytest.mark.parametrize(
    ("typed", "nearest"),
    [
        ("uda.learning_rat", "uda.learning_rate"),
        ("model.backbon", "model.backbone"),
        ("row.student.round", "row.student.rounds"),
        ("row.a.b.stage", "row.NAME.stage"),
        ("model.compact.widht", "model.compact.width"),
        ("sed", "seed"),
    ],
)
def test_an_unknown_key_names_the_nearest(typed, nearest):
    with pytest.raises(UserError, match=f"unknown config key '{typed}'; the nearest is '{nearest}'"):
        configs.override(BASE, {typed: "1"})


@pytest.mark.parametrize(
    ("key", "today"),
    [
        ("data.shuffle_images", "data.shuffle_buffer"),
        ("model.recompute", "model.gradient_checkpointing"),
        ("student.lambda_seg", "student.weight_auxiliary"),
        ("student.rounds", "row.student.rounds"),
        ("uda.start_from", "row.NAME.start, the name of a row"),
    ],
)
def test_a_key_of_an_earlier_version_names_todays(key, today):
    with pytest.raises(UserError, match=f"config key '{key}' is called {today} now"):
        configs.override(BASE, {key: "1"})


def test_every_renamed_key_leads_to_one_that_there_is():
    known = [
        *configs.key_types(),
        *configs.flatten(BASE),
        *(f"row.NAME.{key}" for key in configs.key_types(schema.Row)),
    ]
    for old, today in schema.RENAMED.items():
        assert old not in known
        for key in today.partition(",")[0].split(" or "):
            assert key.replace("*", "uda") in known, key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("uda.scale_range", "none"),
        ("data.target.labelled", "None"),
        ("model.initial_weights", ""),
        ("model.initial_weights", "null"),
        ("row.cutmix.mixed", " none "),
        ("uda.precision", "none"),
    ],
)
def test_a_key_that_may_be_unset_takes_none(key, text):
    assert value(configs.override(BASE, {key: text}), key) is None


def test_a_name_may_be_called_none_where_a_key_cannot_be_unset():
    assert configs.override(BASE, {"classes": "none"}).classes == "none"


def test_differences_name_the_key_and_both_values():
    changed = configs.override(BASE, {"uda.steps": "300", "data.size": "96,192"})
    assert configs.differences(BASE, changed) == [
        "data.size: (360, 640) in the run, (96, 192) now",
        "uda.steps: 120000 in the run, 300 now",
    ]
    assert configs.differences(BASE, configs.base_config()) == []


def test_keys_a_saved_config_lacks_keep_their_default(tmp_path):
    path = write(tmp_path / "config.json", json.dumps({"uda": {"steps": 7}}))
    assert configs.differences(BASE, configs.load(path)) == ["uda.steps: 120000 in the run, 7 now"]


def test_a_python_file_that_is_rewritten_is_read_anew(tmp_path):
    text = IMPORT + "def get_config():\n    c = base_config()\n    c.seed = {}\n    return c\n"
    path = tmp_path / "mine.py"
    for seed in (1, 2):
        assert configs.load(write(path, text.format(seed))).seed == seed
    assert [file.name for file in tmp_path.iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
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
        (
            "a.py",
            IMPORT + "def get_config():\n    c = base_config()\n    c.uda.auto_share = 3\n",
            "called autoaugment_prob",
        ),
        ("a.py", IMPORT + "def get_config():\n    c = base_config()\n    c.uda.steps = 0\n    return c\n", ">= 1"),
        ("a.json", '{"seed": "x"}', "'seed' received 'x', expected a whole number >= 0"),
        ("a.json", '{"seed": true}', "'seed' received True, expected a whole number >= 0"),
        ("a.json", '{"seed": 1.5}', "'seed' received 1.5, expected a whole number >= 0"),
        ("a.json", '{"seed": null}', "'seed' received None, expected a whole number >= 0"),
        ("a.json", '{"data": {"cache": 1}}', "'data.cache' received 1, expected true or false"),
        ("a.json", '{"classes": 19}', "'classes' received 19, expected a text"),
        ("a.json", '{"row": {"mine": {"source": "plain"}}}', "row.mine is no row; set row.mine.stage to add it"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_reason(tmp_path, name, text, message):
    path = write(tmp_path / name, text)
    with pytest.raises(UserError) as caught:
        configs.load(path)
    assert str(path) in str(caught.value) and message in str(caught.value)


@pytest.mark.parametrize("name", ["nowhere.py", "configs/nowhere.py", ".", "README.md"])
def test_a_missing_file_is_named_with_what_there_is(tmp_path, name):
    with pytest.raises(UserError, match=r"expected a \.py or \.json file.* configs/quickstart\.py"):
        configs.load(tmp_path / name)


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(UserError, match="choose another --workdir"):
        configs.save(BASE, write(tmp_path / "file", "") / "config.json")


@given(st.sampled_from(list(configs.flatten(BASE))), st.text(max_size=8))
def test_any_text_is_either_of_the_type_or_refused(key, text):
    try:
        changed = configs.override(BASE, {key: text})
    except UserError:
        return
    received = value(changed, key)
    hint = configs.key_types(schema.Row)[key.split(".")[-1]] if key.startswith("row.") else configs.key_types()[key]
    assert received is not None or type(None) in typing.get_args(hint)
    assert msgspec.convert(received, hint) == received
    assert not isinstance(received, float) or math.isfinite(received)


# --- rows ---------------------------------------------------------------------------------------------------


def test_a_row_is_added_by_its_stage_and_changed_key_by_key():
    config = configs.override(BASE, {"row.mine.stage": "uda", "row.mine.mixed": "true", "row.cutmix.start": "mine"})
    assert config.row.mine.to_dict() == {
        **configs.flatten(BASE.row.adaptation),
        "stage": "uda",
        "mixed": True,
    }
    assert config.row.is_locked and config.row.mine.is_locked
    assert config.row.cutmix.start == "mine" and "mine" not in config.rows
    assert "mine" not in BASE.row and BASE.row.cutmix.start is None
    assert configs.override(config, {"row.mine.start": "none"}).row.mine.mixed is True


def test_keys_of_a_row_that_is_not_there_name_its_stage():
    with pytest.raises(UserError, match=r"row\.mine is no row; set row\.mine\.stage to add it"):
        configs.override(BASE, {"row.mine.mixed": "true"})


def test_a_config_file_adds_rows_at_the_end_of_the_table():
    config = configs.base_config()
    configs.add_row(config, "mine", stage="uda", start="translation", rounds="none")
    assert config.rows == (*schema.ROWS, "mine") and config.is_locked and config.row.mine.is_locked
    assert (config.row.mine.start, config.row.mine.rounds, config.row.mine.default) == ("translation", None, False)


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("cutmix", {"stage": "uda"}, r"row 'cutmix' exists already; change it as config\.row\.cutmix\.KEY"),
        (
            "mine",
            {"start": "cutmix"},
            "row 'mine' needs stage=METHOD, one of .*source, student, supervised, translate, uda",
        ),
        (
            "mine",
            {"stage": "uda", "rounds": 0},
            r"'row\.mine\.rounds' received 0, expected a whole number >= 1, or none",
        ),
        (
            "mine",
            {"stage": "uda", "round": 1},
            r"unknown config key 'row\.mine\.round'; the nearest is 'row\.mine\.rounds'",
        ),
        ("a.b", {"stage": "uda"}, "unknown config key"),
    ],
)
def test_a_wrong_row_is_refused_and_nothing_is_added(name, keys, message):
    config = configs.base_config()
    with pytest.raises(UserError, match=message):
        configs.add_row(config, name, **keys)
    assert configs.differences(BASE, config) == []


def test_added_rows_come_back_from_the_saved_config(tmp_path):
    config = configs.base_config()
    configs.add_row(config, "mine", stage="uda", mixed=True)
    configs.save(config, tmp_path / "config.json")
    assert configs.differences(config, configs.load(tmp_path / "config.json")) == []


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
    sections = ("uda", "translate", "student", "pseudo_label", "row", "translated")
    assert all(key in own or key.split(".")[0] in sections for key in keys)
    steps = ("steps", "decay_steps", "batch_size", "optimizer", "learning_rate", "size")
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
    ("name", "message"),
    [
        ("configs/quickstart.py:configs/base.py", "takes no other config after a colon"),
        ("configs/methods/advent.py:configs/nowhere.py", "no config configs/nowhere.py"),
        ("configs/methods/avdent.py:configs/base.py", "configs/methods/advent.py"),
    ],
)
def test_what_is_wrong_on_either_side_of_the_colon_is_named(name, message):
    with pytest.raises(UserError, match=message):
        configs.load(name)


def test_a_path_may_have_colons_of_its_own(tmp_path):
    place = tmp_path / "2026-11-28T09:30"
    place.mkdir()
    body = "    config = base_config()\n    config.seed = 5\n    return config\n"
    (place / "mine.py").write_text(f"from udas_tf.config import base_config\ndef get_config():\n{body}")
    assert configs.load(place / "mine.py").seed == 5
    assert configs.load(f"configs/methods/advent.py:{place / 'mine.py'}").seed == 5
    with pytest.raises(UserError, match=r"no config .*2026-11-28T09:30/yours\.py; expected"):
        configs.load(place / "yours.py")


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
