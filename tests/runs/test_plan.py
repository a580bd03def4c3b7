"""The plan of a run: what each artefact needs, what a key costs, and what a changed config would make anew."""

import shlex

import pytest

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import rows
from udas_tf.runs.plan import Kind, changed, finished_rows, labelled_rows, name_of_set, plan, plan_of_begun
from udas_tf.runs.rows import Row


def make_config(keys=None):
    return configs.override(configs.base_config(), keys or {})


def make_plan(keys=None):
    return plan(open_run(make_config(keys), RunDir("nowhere")))


def shared_by(first, second) -> set[str]:
    """What runs of two configs would make alike."""
    one, other = make_plan(first), make_plan(second)
    return {
        made.name for made in one if made.name in other and one.fingerprint(made.name) == other.fingerprint(made.name)
    }


def finished_run(path, keys=None):
    """A run in which everything is finished, and nothing holds anything."""
    run = open_run(make_config(keys), RunDir(path))
    configs.save(run.config, run.dir.config)
    for artefact in plan(run):
        finish(path / artefact.path, {"made_in": path.name})
    return run


def changes(run, keys) -> list[str]:
    """What a run has that it would make otherwise with other keys."""
    now = run.with_config(configs.override(run.config, keys))
    return [artefact.name for artefact in changed(plan_of_begun(run), plan_of_begun(now), run.dir)]


DATA = {
    *("source_train", "target_unlabelled", "target_labelled", "target_hidden", "target_val", "target_val_full"),
}
TRANSLATION = {"translate", "translated"}
UNLABELLED_ROWS = {"no_adaptation", "translation", "adaptation", "translation_adaptation"}
LABELLED_ROWS = {"cutmix", "supervised"}
STUDENTS = {f"{prefix}student_{number}" for number in (1, 2, 3) for prefix in ("", "pseudo_labels/")}
TRAINED = UNLABELLED_ROWS | LABELLED_ROWS | STUDENTS
ALL = DATA | TRANSLATION | TRAINED
ON_TRANSLATED = {"translation", "translation_adaptation", "cutmix"} | STUDENTS
OTHER_HEAD = {"model.backbone": "compact", "model.head": "seg_uncertainty"}


def test_runs_of_one_config_share_everything():
    assert shared_by({}, {}) == ALL


# --- what a key costs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["data.target.labelled", "data.target.label_seed"])
def test_another_label_budget_keeps_what_sees_no_labels(key):
    kept = (DATA - {"target_labelled", "target_hidden"}) | TRANSLATION | UNLABELLED_ROWS
    assert shared_by({}, {key: "7"}) == kept


@pytest.mark.parametrize(
    ("keys", "lost"),
    [
        ({"uda.weight_kl": "0"}, {"adaptation", "translation_adaptation", "cutmix"} | STUDENTS),
        ({"student.weight_consistency": "0"}, STUDENTS - {"pseudo_labels/student_1"}),
        ({"pseudo_label.threshold": "0.9"}, STUDENTS - {"pseudo_labels/student_1"}),
        ({"pseudo_label.views": "1"}, STUDENTS),
        ({"supervised.steps": "100"}, {"supervised"}),
        ({"source.steps": "100"}, {"no_adaptation", "translation"}),
        ({"data.repeat_factor_threshold": "0.1"}, TRAINED),
        ({"data.shuffle_buffer": "7"}, TRAINED | TRANSLATION),
        ({"data.target.val_full_size": "1080,1920"}, {"target_val_full"}),
        ({"data.source.images": "10"}, {"source_train"} | TRANSLATION | TRAINED - {"supervised"}),
        ({"translated.max_disagreement": "0.5"}, {"translated"} | ON_TRANSLATED),
        ({"translate.steps": "100"}, TRANSLATION | ON_TRANSLATED),
        ({"model.auxiliary": "false"}, TRAINED),
        ({"precision": "mixed_bfloat16"}, TRANSLATION | TRAINED),
        ({"row.cutmix.start": "translation"}, {"cutmix"} | STUDENTS),
        ({"row.cutmix.mixed": "false"}, {"cutmix"} | STUDENTS),
        ({"row.cutmix.source": "plain"}, {"cutmix"} | STUDENTS),
        ({"row.student.start": "teacher"}, STUDENTS - {"pseudo_labels/student_1"}),
        ({"row.student.teacher": "adaptation"}, STUDENTS),
    ],
)  # fmt: skip
def test_a_key_costs_what_follows_from_it(keys, lost):
    assert shared_by({}, keys) == ALL - lost


@pytest.mark.parametrize(
    "keys",
    [
        {"jobs": "2"},
        {"xla": "true"},
        {"replicas": "2"},
        {"data.cache": "true"},
        {"evaluate.batch_size": "1"},
        {"evaluate.every": "100"},
        {"rows": "supervised,no_adaptation,translation,adaptation,translation_adaptation,cutmix,student"},
        {"row.mine.stage": "uda"},
        {"row.adaptation.default": "true"},
    ],
)
def test_some_keys_cost_nothing(keys):
    assert shared_by({}, keys) == ALL


@pytest.mark.parametrize(
    "key", ["seed", "classes", "data.size", "data.shard_images", "data.target.val", "data.target.images"]
)
def test_nothing_trained_is_kept_where_all_data_change(key):
    values = {"classes": "camvid", "data.size": "90,160", "data.target.val": "test"}
    kept = shared_by({}, {key: values.get(key, "7")})
    # The source's set does not follow from the target's keys.
    assert kept <= {"source_train"}


def test_a_table_without_a_row_lacks_what_only_that_row_needs():
    plain = make_plan({"rows": "no_adaptation,adaptation"})
    assert {made.name for made in plain} == DATA | {"no_adaptation", "adaptation"}
    assert shared_by({}, {"rows": "no_adaptation,cutmix"}) == DATA | TRANSLATION | {"no_adaptation", "cutmix"}


def test_a_row_follows_from_its_validation_set():
    """Its score is sealed with its network."""
    assert {made.name for made in make_plan() if "target_val" in made.needs} == {
        row.name for row in rows.rows(make_config())
    }
    kept = shared_by({}, {"data.target.val_images": "7"})
    assert not kept & (TRAINED - {name for name in STUDENTS if "/" in name})


@pytest.mark.parametrize(
    ("chosen", "unused", "used"),
    [
        ({}, {"model.compact.width": "8", "model.fcn.dropout": "0.3"}, {"model.deeplab_v2.rates": "1,2"}),
        (OTHER_HEAD, {"model.deeplab_v2.rates": "1,2", "model.fcn.dropout": "0.3"}, {"model.compact.width": "8"}),
        (OTHER_HEAD, {}, {"model.seg_uncertainty.dropout": "0.3"}),
    ],
)
def test_keys_of_other_backbones_and_heads_cost_nothing(chosen, unused, used):
    assert shared_by(chosen, chosen | unused) == ALL
    assert shared_by(chosen, chosen | used) == DATA | TRANSLATION


def test_a_generator_that_is_held_to_a_network_follows_from_it():
    semantic = {"translate.weight_semantic": "1"}
    assert shared_by(semantic, semantic | {"model.auxiliary": "false"}) == DATA
    assert shared_by(semantic, semantic | {"source.steps": "100"}) == DATA | {"supervised", "adaptation"}


def test_a_judge_costs_only_where_it_judges():
    judge = {"translate.judge": "adaptation"}
    assert shared_by({}, judge) == ALL
    checked = {"translated.max_disagreement": "0.5"}
    lost = {"translated"} | ON_TRANSLATED
    assert shared_by(checked, checked | judge) == ALL - lost
    semantic = {"translate.weight_semantic": "1"}
    assert shared_by(semantic, semantic | judge) == ALL - lost - {"translate"}


# --- what there is to make ------------------------------------------------------------------------------------


@pytest.mark.parametrize("keys", [{}, {"row.cutmix.start": "translation", "translated.max_disagreement": "0.5"}])
def test_every_artefact_comes_after_what_it_needs(keys):
    seen = set()
    for artefact in make_plan(keys):
        assert set(artefact.needs) <= seen
        seen.add(artefact.name)


def test_what_a_student_needs():
    made = make_plan({"row.student.start": "teacher"})
    assert set(made["student_2"].needs) == {
        *("translated", "target_labelled", "pseudo_labels/student_2", "student_1", "target_val"),
    }
    assert made["pseudo_labels/student_2"].needs == ("target_unlabelled", "student_1")
    assert made["translated"].needs == ("source_train", "translate")
    assert made["translate"].needs == ("source_train", "target_unlabelled")


def test_every_artefact_names_the_command_that_makes_it():
    made = make_plan(
        {"row.mine.stage": "student", "row.mine.teacher": "adaptation", "rows": "adaptation,cutmix,student,mine"}
    )
    assert {artefact.command for artefact in made if artefact.kind is Kind.RECORDS} == {"data prepare"}
    commands = {artefact.name: artefact.command for artefact in made if artefact.kind is not Kind.RECORDS}
    assert commands == {
        "adaptation": "train --stage=uda --name=adaptation",
        "translate": "train --stage=translate",
        "translated": "translate",
        "cutmix": "train --stage=uda",
        **{f"student_{number}": f"train --stage=student --round={number}" for number in (1, 2, 3)},
        **{f"pseudo_labels/student_{number}": f"pseudo_label --round={number}" for number in (1, 2, 3)},
        "mine": "train --stage=student --name=mine",
        "pseudo_labels/mine": "pseudo_label --name=mine",
    }


def test_the_row_that_judges_is_made_though_the_table_lacks_it():
    keys = {"rows": "translation", "translated.max_disagreement": "0.5"}
    assert [row.name for row in make_plan(keys).trainings] == ["no_adaptation", "translate", "translation"]
    assert [row.name for row in make_plan({"rows": "translation"}).trainings] == ["translate", "translation"]


@pytest.mark.parametrize("key", ["translate.weight_semantic", "translated.max_disagreement"])
@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ("translation", "translate.judge=translation learns from the translated images that it is to judge"),
        ("adaptation", "translate.judge=adaptation learns from the translated images that it is to judge"),
        ("no_adaption", "translate.judge=no_adaption is no row; the nearest is no_adaptation"),
    ],
)
def test_a_judge_cannot_judge_what_it_learns_from(key, judge, message):
    with pytest.raises(UserError, match=message):
        make_plan({key: "0.5", "translate.judge": judge, "row.adaptation.start": "translation"})


@pytest.mark.parametrize("name", ["translate", "translated", "source_train", "target_val"])
def test_a_row_cannot_have_the_name_of_something_else(name):
    with pytest.raises(UserError, match=f"no row can be called {name}"):
        make_plan({f"row.{name}.stage": "uda", f"row.{name}.source": "translated", "rows": f"no_adaptation,{name}"})


def test_a_method_can_read_only_roles_that_there_are():
    with pytest.raises(ValueError, match=r"methods/uda\.py READS the unknown role 'sauce'"):
        name_of_set(Row("mine", "mine", "uda"), "sauce")


# --- rows of one's own ----------------------------------------------------------------------------------------

OWN = {
    "row.mine.stage": "student",
    "row.mine.teacher": "adaptation",
    "row.mine.start": "teacher",
    "row.mine.rounds": "2",
    "rows": "no_adaptation,adaptation,mine",
}


def test_ones_own_row_is_planned_with_all_that_it_needs():
    made = make_plan(OWN)
    assert [artefact.name for artefact in made if artefact.kind is not Kind.RECORDS] == [
        *("no_adaptation", "adaptation", "pseudo_labels/mine_1", "mine_1", "pseudo_labels/mine_2", "mine_2"),
    ]
    assert made["pseudo_labels/mine_2"].needs == ("target_unlabelled", "mine_1")
    assert made["mine_2"].needs == ("source_train", "pseudo_labels/mine_2", "mine_1", "target_val")
    for artefact in made:
        if artefact.row is not None and artefact.kind is Kind.TRAINING:
            flags = dict(part.removeprefix("--").split("=") for part in shlex.split(artefact.command)[1:])
            number = int(flags["round"]) if "round" in flags else None
            assert rows.find(make_config(OWN), flags["stage"], number, flags.get("name")) == artefact.row


FROM_ROUND_2 = {"pseudo_labels/mine_2", "mine_2"}


@pytest.mark.parametrize(
    ("keys", "lost"),
    [
        ({"row.mine.rounds": "5"}, set()),
        ({"row.mine.start": "none"}, {"mine_1"} | FROM_ROUND_2),
        ({"row.mine.mixed": "true"}, {"mine_1"} | FROM_ROUND_2),
        ({"row.mine.teacher": "no_adaptation"}, {"pseudo_labels/mine_1", "mine_1"} | FROM_ROUND_2),
        ({"row.adaptation.start": "no_adaptation"}, {"adaptation", "pseudo_labels/mine_1", "mine_1"} | FROM_ROUND_2),
    ],
)
def test_ones_own_row_follows_from_its_definition(keys, lost):
    made = {artefact.name for artefact in make_plan(OWN)}
    assert shared_by(OWN, OWN | keys) == made - lost


# --- what a run has -------------------------------------------------------------------------------------------


def test_what_a_run_has_of_another_config(tmp_path):
    run = finished_run(tmp_path / "run", {"row.student.rounds": "2"})
    assert changes(run, {}) == []
    assert changes(run, {"supervised.steps": "100"}) == ["supervised"]
    finish(run.dir.training("student_3"), {})  # by hand, beyond the config's rounds
    assert changes(run, {"row.student.rounds": "3"}) == []
    assert changes(run, {"student.steps": "100"}) == ["student_1", "pseudo_labels/student_2", "student_2", "student_3"]


def test_what_is_not_begun_may_change(tmp_path):
    run = finished_run(tmp_path / "run", {"rows": "no_adaptation,adaptation"})
    assert changes(run, {"translate.steps": "100", "supervised.steps": "100"}) == []
    run.dir.training("supervised").mkdir()  # begun
    assert changes(run, {"supervised.steps": "100"}) == ["supervised"]
    run.dir.training("translate").mkdir()
    assert changes(run, {"translate.steps": "100"}) == ["translate"]


def test_labels_at_full_size_can_be_added_to_a_finished_run(tmp_path):
    run = open_run(make_config(), RunDir(tmp_path))
    for artefact in plan(run):
        if artefact.name != "target_val_full":
            finish(tmp_path / artefact.path, {})
    assert changes(run, {"data.target.val_full_size": "1080,1920"}) == []


def test_a_row_of_ones_own_can_be_added_to_a_finished_run(tmp_path):
    run = finished_run(tmp_path / "run")
    assert changes(run, {"row.mine.stage": "uda", "rows": "no_adaptation,mine"}) == []


def test_rows_with_pseudo_labels_come_after_their_teachers(tmp_path):
    run = finished_run(tmp_path / "run", OWN)
    assert [row.name for row in labelled_rows(run)] == ["mine_1", "mine_2"]
    (run.dir.pseudo_labels("mine_1") / "manifest.json").unlink()
    assert [row.name for row in labelled_rows(run)] == ["mine_2"]
    for directory in (run.dir.training("mine_3"), run.dir.pseudo_labels("mine_3")):
        finish(directory, {})
    assert [row.name for row in labelled_rows(run)] == ["mine_2", "mine_3"]
    assert [row.name for row in finished_rows(run)] == ["no_adaptation", "adaptation", "mine_1", "mine_2", "mine_3"]
