import pytest

from udas_tf.config import base_config, override
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, finish
from udas_tf.stages import rounds


def make_config(labelled=20, number=2, **overrides):
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return override(
        base_config(), {"data.target.labelled": str(labelled), "student.rounds": str(number), **dotted}
    )


def names(rows):
    return [row.name for row in rows]


def test_rows_in_the_order_of_the_table():
    rows = rounds.rows(make_config())
    assert names(rows) == [
        *("no_adaptation", "translation", "adaptation", "translation_adaptation", "cutmix"),
        *("student_1", "student_2", "supervised"),
    ]
    assert [row.stage for row in rows] == [
        "source",
        "source",
        "uda",
        "uda",
        "uda",
        "student",
        "student",
        "supervised",
    ]
    assert names(row for row in rows if row.translated) == [
        *("translation", "translation_adaptation", "cutmix", "student_1", "student_2"),
    ]
    assert names(row for row in rows if row.mixed) == ["cutmix", "student_1", "student_2"]
    assert [row.round for row in rows] == [None] * 5 + [1, 2, None]


def test_every_row_can_be_trained_in_the_order_of_the_table_but_for_the_independent_ones():
    """Whom a row starts from or learns from stands above it."""
    config = make_config(number=3, uda__start_from="source", student__start_from="teacher")
    done = set()
    for row in rounds.rows(config):
        start = rounds.start(config, row)
        assert start is None or start.name in done
        if row.stage == "student":
            assert rounds.teacher(config, row.round).name in done
        done.add(row.name)


def test_without_labels_nothing_is_mixed_or_supervised():
    config = make_config(labelled=0)
    rows = rounds.rows(config)
    assert names(rows) == [
        *("no_adaptation", "translation", "adaptation", "translation_adaptation", "student_1", "student_2"),
    ]
    assert not any(row.mixed for row in rows)
    assert not rounds.has_labels(config)
    assert rounds.teacher(config, 1).name == "translation_adaptation"


@pytest.mark.parametrize("labelled", [1, -1])
def test_any_label_brings_cutmix(labelled):
    config = make_config(labelled=labelled)
    assert rounds.has_labels(config)
    assert rounds.teacher(config, 1).name == "cutmix"


def test_each_student_teaches_the_next():
    config = make_config()
    assert rounds.teacher(config, 2) == rounds.student(config, 1)
    assert rounds.teacher(config, 7).name == "student_6"


def test_no_rounds_no_students():
    assert "student" not in {row.stage for row in rounds.rows(make_config(number=0))}


@pytest.mark.parametrize("number", [0, -1])
def test_rounds_count_from_one(number):
    with pytest.raises(UserError, match=f"--round={number}"):
        rounds.student(make_config(), number)


@pytest.mark.parametrize(
    ("stage", "round_number", "name", "found"),
    [
        ("source", None, None, "no_adaptation"),
        ("source", None, "translation", "translation"),
        ("uda", None, None, "cutmix"),
        ("uda", None, "adaptation", "adaptation"),
        ("uda", None, "translation_adaptation", "translation_adaptation"),
        ("supervised", None, None, "supervised"),
        ("student", 1, None, "student_1"),
        ("student", 9, None, "student_9"),
    ],
)
def test_find(stage, round_number, name, found):
    assert rounds.find(make_config(), stage, round_number, name).name == found


@pytest.mark.parametrize(
    ("labelled", "arguments", "message"),
    [
        (20, ("student", None, None), "--stage=student needs --round=N"),
        (20, ("student", 0, None), "--round=0: rounds count from 1"),
        (20, ("uda", 2, None), "--round=2 was given with --stage=uda"),
        (
            20,
            ("source", None, "cutmix"),
            "--name=cutmix is no row of --stage=source.*no_adaptation, translation",
        ),
        (0, ("uda", None, None), "cutmix needs labelled target images, and data.target.labelled is 0"),
        (0, ("supervised", None, None), "supervised needs labelled target images"),
    ],
)
def test_what_cannot_be_found_says_why(labelled, arguments, message):
    with pytest.raises(UserError, match=message):
        rounds.find(make_config(labelled=labelled), *arguments)


def test_a_name_given_to_a_student_is_not_overlooked():
    with pytest.raises(UserError, match="--name"):
        rounds.find(make_config(), "student", 1, "supervised")


def test_commands_find_their_rows_again():
    config = make_config(number=3)
    for row in rounds.rows(config):
        flags = dict(part.removeprefix("--").split("=") for part in row.command.split()[1:])
        number = int(flags["round"]) if "round" in flags else None
        assert rounds.find(config, flags["stage"], number, flags.get("name")) == row


def test_rows_start_from_the_initial_weights_unless_told_otherwise():
    config = make_config()
    assert all(rounds.start(config, row) is None for row in rounds.rows(config))


def test_adaptation_starts_from_the_network_of_the_same_source():
    config = make_config(uda__start_from="source")
    start = {row.name: rounds.start(config, row) for row in rounds.rows(config)}
    assert {name: row and row.name for name, row in start.items()} == {
        "no_adaptation": None,
        "translation": None,
        "adaptation": "no_adaptation",
        "translation_adaptation": "translation",
        "cutmix": "translation",
        "student_1": None,
        "student_2": None,
        "supervised": None,
    }


def test_students_start_from_their_teachers():
    config = make_config(student__start_from="teacher")
    found = {row.name: rounds.start(config, row) for row in rounds.rows(config)}
    assert {name: row.name for name, row in found.items() if row} == {
        "student_1": "cutmix",
        "student_2": "student_1",
    }


@pytest.mark.parametrize(
    ("key", "value"), [("uda__start_from", "teacher"), ("student__start_from", "source")]
)
def test_an_unknown_start_is_named(key, value):
    with pytest.raises(UserError, match=f"start_from='{value}'; expected '' or"):
        rounds.rows(make_config(**{key: value}))


def test_finished_rows_come_in_the_order_of_the_table_with_later_students(tmp_path):
    config, run = make_config(number=1), RunDir(tmp_path)
    assert rounds.finished_rows(config, run) == []
    for name in ("supervised", "student_3", "student_2", "student_1", "adaptation", "student_5"):
        finish(run.training(name), {})
    (run.training("cutmix")).mkdir(parents=True)  # begun, not finished
    found = rounds.finished_rows(config, run)
    # Round 4 was never trained, so a round 5 is no student of this run.
    assert names(found) == ["adaptation", "student_1", "student_2", "student_3", "supervised"]


def test_a_student_that_no_row_of_the_config_precedes_is_found(tmp_path):
    config, run = make_config(rows="no_adaptation", number=0), RunDir(tmp_path)
    finish(run.training("no_adaptation"), {})
    finish(run.training("student_1"), {})
    assert names(rounds.finished_rows(config, run)) == ["no_adaptation", "student_1"]


def test_a_config_chooses_its_rows():
    config = make_config(rows="adaptation,supervised", student__teacher="adaptation")
    assert names(rounds.rows(config)) == ["adaptation", "student_1", "student_2", "supervised"]


def test_students_see_what_their_first_teacher_saw():
    config = make_config(student__teacher="adaptation", student__start_from="teacher")
    assert (
        rounds.teacher(config, 1).name == rounds.start(config, rounds.student(config, 1)).name == "adaptation"
    )
    assert not rounds.student(config, 2).translated
    assert not rounds.student(config, 2).mixed
    translated = make_config(student__teacher="translation_adaptation")
    assert rounds.student(translated, 1) == rounds.Row("student_1", "student", translated=True, round=1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rows": "adaption"}, "rows holds 'adaption'; expected some of no_adaptation, translation"),
        ({"rows": "adaptation"}, "student_1 needs cutmix, which is not among the config's rows"),
        ({"rows": "cutmix", "uda__start_from": "source"}, "cutmix needs translation, which is not"),
        ({"student__teacher": "translation"}, "--name=translation is no row of --stage=uda"),
    ],
)
def test_rows_that_cannot_be_trained_are_refused(keys, message):
    with pytest.raises(UserError, match=message):
        rounds.rows(make_config(**keys))


def test_sections_that_a_run_trains():
    config = make_config(rows="no_adaptation,cutmix", number=1)
    assert rounds.sections(config) == {
        "source": ["no_adaptation"],
        "translate": ["translation of the source"],
        "uda": ["cutmix"],
        "student": ["student_1"],
    }
    judged = make_config(rows="translation_adaptation", number=0, translate__max_disagreement="0.2")
    assert list(rounds.sections(judged)) == ["source", "translate", "uda"]
    with pytest.raises(UserError, match="rows names none and student.rounds is 0"):
        rounds.sections(make_config(rows="", number=0))
