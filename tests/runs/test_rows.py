"""The rows of the table: their order, what they read, who teaches them, and rows of one's own."""

import pytest

from udas_tf.config import add_row, base_config, load, override, save
from udas_tf.errors import UserError
from udas_tf.run import open_run
from udas_tf.run_dir import RunDir, finish
from udas_tf.runs import plan, rows
from udas_tf.runs.rows import Row

# Adaptation starts from the network that was trained on the same source images.
FROM_SOURCE = {
    "row.adaptation.start": "no_adaptation",
    "row.translation_adaptation.start": "translation",
    "row.cutmix.start": "translation",
}


def make_config(labelled=20, number=2, keys=None):
    return override(base_config(), {"data.target.labelled": labelled, "row.student.rounds": number} | (keys or {}))


def names(table):
    return [row.name for row in table]


def finished_rows(config, path):
    return names(plan.finished_rows(open_run(config, RunDir(path))))


def test_rows_in_the_order_of_the_table():
    table = rows.rows(make_config())
    assert names(table) == [
        *("no_adaptation", "translation", "adaptation", "translation_adaptation", "cutmix"),
        *("student_1", "student_2", "supervised"),
    ]
    assert [row.stage for row in table] == [*["source"] * 2, *["uda"] * 3, *["student"] * 2, "supervised"]
    assert names(row for row in table if row.translated) == [
        *("translation", "translation_adaptation", "cutmix", "student_1", "student_2"),
    ]
    assert names(row for row in table if row.mixed) == ["cutmix", "student_1", "student_2"]
    assert [row.round for row in table] == [None] * 5 + [1, 2, None]


def test_every_row_stands_below_those_that_it_starts_from_and_learns_from():
    done = set()
    for row in rows.rows(make_config(number=3, keys=FROM_SOURCE | {"row.student.start": "teacher"})):
        assert {row.start, row.teacher} - {None} <= done
        done.add(row.name)


def test_without_labels_nothing_is_mixed_or_supervised():
    config = make_config(labelled=0)
    table = rows.rows(config)
    assert names(table) == [
        *("no_adaptation", "translation", "adaptation", "translation_adaptation", "student_1", "student_2"),
    ]
    assert not any(row.mixed for row in table)
    assert not rows.has_labels(config)


@pytest.mark.parametrize("labelled", [1, None])
def test_any_label_brings_cutmix(labelled):
    config = make_config(labelled=labelled)
    assert rows.has_labels(config)
    assert rows.named(config, "student_1").teacher == "cutmix"


def test_without_labels_another_row_stands_in_as_the_teacher():
    first, second = (rows.named(make_config(labelled=0), name) for name in ("student_1", "student_2"))
    assert (first.teacher, second.teacher) == ("translation_adaptation", "student_1")
    assert first.translated and second.translated and not first.mixed and not second.mixed


def test_a_row_that_stands_in_may_have_a_stand_in_itself():
    keys = {"row.cutmix.without_labels": "supervised", "row.supervised.without_labels": "adaptation"}
    assert rows.named(make_config(labelled=0, keys=keys), "student_1").teacher == "adaptation"


def test_each_student_teaches_the_next():
    config = make_config()
    assert [rows.named(config, f"student_{number}").teacher for number in (1, 2, 7)] == [
        *("cutmix", "student_1", "student_6"),
    ]


def test_a_row_without_rounds_is_one_row():
    config = make_config(number=None)
    assert [row for row in rows.rows(config) if row.stage == "student"] == [
        Row("student", "student", "student", translated=True, mixed=True, teacher="cutmix")
    ]
    assert not rows.is_named(config, "student_1")


@pytest.mark.parametrize("number", [0, -1])
def test_rounds_count_from_one(number):
    with pytest.raises(UserError, match=f"--round={number}: rounds count from 1"):
        rows.find(make_config(), "student", number, None)


@pytest.mark.parametrize(
    ("stage", "round_number", "name", "expected"),
    [
        ("source", None, None, "no_adaptation"),
        ("source", None, "translation", "translation"),
        ("uda", None, None, "cutmix"),
        ("uda", None, "adaptation", "adaptation"),
        ("uda", None, "translation_adaptation", "translation_adaptation"),
        ("supervised", None, None, "supervised"),
        ("student", 1, None, "student_1"),
        ("student", 9, None, "student_9"),
        ("student", 2, "student", "student_2"),
        (None, None, "adaptation", "adaptation"),
        (None, 2, "student", "student_2"),
        (None, None, "student_2", "student_2"),
        ("student", None, "student_2", "student_2"),
    ],
)
def test_find(stage, round_number, name, expected):
    assert rows.find(make_config(), stage, round_number, name).name == expected


def test_find_a_training_that_is_no_row():
    row = rows.find(make_config(), "translate", None, None)
    assert (row.name, row.stage, row.in_table, row.command) == (
        "translate",
        "translate",
        False,
        "train --stage=translate",
    )


@pytest.mark.parametrize(
    ("labelled", "arguments", "message"),
    [
        (20, ("student", None, None), "--stage=student needs --round=N, N from 1: student repeats in rounds"),
        (20, (None, None, "student"), "--name=student needs --round=N"),
        (20, ("student", 0, None), "--round=0: rounds count from 1"),
        (20, ("uda", 2, None), "--round=2 was given with cutmix, which has no rounds"),
        (20, ("source", None, "cutmix"), "--name=cutmix is no row of --stage=source.*no_adaptation, translation"),
        (20, ("student", 1, "supervised"), "--name=supervised is no row of --stage=student; expected one of student"),
        (20, ("sourec", None, None), "--stage='sourec' is unknown; expected one of .*source"),
        (20, (None, None, None), "which row\\? Give --stage or --name"),
        (20, (None, None, "adaption"), "--name=adaption is no row; the nearest is adaptation"),
        (20, ("translate", 1, None), "--stage=translate takes neither --round nor --name"),
        (20, ("translate", None, "cutmix"), "--stage=translate takes neither --round nor --name"),
        (0, ("uda", None, None), "cutmix needs labelled target images, and data.target.labelled is 0"),
        (0, ("supervised", None, None), "supervised needs labelled target images"),
    ],
)
def test_what_cannot_be_found_says_why(labelled, arguments, message):
    with pytest.raises(UserError, match=message):
        rows.find(make_config(labelled=labelled), *arguments)


def test_commands_find_their_rows_again():
    config = make_config(number=3, keys={"row.mine.stage": "uda", "row.bold.stage": "uda", "row.bold.rounds": 2})
    config.rows = (*config.rows, "mine", "bold")
    table = rows.rows(config)
    assert names(table)[-3:] == ["mine", "bold_1", "bold_2"]
    for row in table:
        flags = dict(part.removeprefix("--").split("=") for part in row.command.split()[1:])
        number = int(flags["round"]) if "round" in flags else None
        assert rows.find(config, flags["stage"], number, flags.get("name")) == row


def test_rows_start_from_the_initial_weights_by_default():
    assert all(row.start is None for row in rows.rows(make_config()))


def test_adaptation_starts_where_its_row_says():
    assert {row.name: row.start for row in rows.rows(make_config(keys=FROM_SOURCE))} == {
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
    table = rows.rows(make_config(keys={"row.student.start": "teacher"}))
    assert {row.name: row.start for row in table if row.start} == {"student_1": "cutmix", "student_2": "student_1"}


def test_finished_rows_come_in_the_order_of_the_table_with_later_students(tmp_path):
    config, run = make_config(number=1), RunDir(tmp_path)
    assert finished_rows(config, tmp_path) == []
    for name in ("supervised", "student_3", "student_2", "student_1", "adaptation", "student_5"):
        finish(run.training(name), {})
    (run.training("cutmix")).mkdir(parents=True)  # begun, not finished
    # Round 4 was never trained, so a round 5 is no student of this run.
    assert finished_rows(config, tmp_path) == ["adaptation", "student_1", "student_2", "student_3", "supervised"]


def test_finished_rows_beyond_the_table_come_last(tmp_path):
    config, run = make_config(keys={"rows": "no_adaptation", "row.mine.stage": "uda"}), RunDir(tmp_path)
    for name in ("no_adaptation", "student_1", "mine", "of_an_older_config"):
        finish(run.training(name), {})
    assert finished_rows(config, tmp_path) == ["no_adaptation", "mine", "student_1"]


def test_a_config_chooses_its_rows():
    config = make_config(keys={"rows": "adaptation,student,supervised", "row.student.teacher": "adaptation"})
    assert names(rows.rows(config)) == ["adaptation", "student_1", "student_2", "supervised"]


def test_students_see_what_their_first_teacher_saw():
    config = make_config(keys={"row.student.teacher": "adaptation", "row.student.start": "teacher"})
    first, second = (rows.named(config, name) for name in ("student_1", "student_2"))
    assert first.teacher == first.start == "adaptation"
    assert not second.translated and not second.mixed
    translated = make_config(keys={"row.student.teacher": "translation_adaptation"})
    assert rows.named(translated, "student_1") == Row(
        "student_1", "student", "student", translated=True, teacher="translation_adaptation", round=1
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (True, True)),
        ({"row.student.source": "plain"}, (False, True)),
        ({"row.student.mixed": False}, (True, False)),
        ({"row.cutmix.mixed": False, "row.student.source": "plain", "row.student.mixed": True}, (False, True)),
    ],
)
def test_what_a_row_does_not_say_it_inherits_from_its_teacher(keys, expected):
    for name in ("student_1", "student_2"):
        row = rows.named(make_config(keys=keys), name)
        assert (row.translated, row.mixed) == expected


def test_a_row_without_a_teacher_is_plain_and_unmixed():
    row = rows.named(make_config(keys={"row.mine.stage": "uda"}), "mine")
    assert (row.translated, row.mixed, row.start, row.teacher) == (False, False, None, None)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"rows": "adaption"}, "rows holds 'adaption'; expected some of .*no_adaptation.*row.adaption.stage"),
        ({"rows": "none"}, "rows holds 'none'; expected some of"),
        ({"rows": ()}, "rows names no row that can be trained; name one, such as no_adaptation"),
        ({"rows": "adaptation,student"}, "student_1 needs cutmix, which is not among the config's rows; add it there"),
        ({"rows": "cutmix"} | FROM_SOURCE, "cutmix needs translation, which is not"),
        ({"rows": "cutmix,adaptation,cutmix"}, "the table has the row 'cutmix' twice"),
        ({"row.student_1.stage": "uda", "rows": "cutmix,student,student_1"}, "has the row 'student_1' twice"),
        ({"row.student.teacher": "none"}, "row.student learns from pseudo-labels; set row.student.teacher to the row"),
        ({"row.student.teacher": "cutmx"}, "row.student.teacher=cutmx is no row; the nearest is cutmix"),
        ({"row.student.teacher": "cutmix_1"}, "row.student.teacher=cutmix_1 is no row; the nearest is cutmix"),
        (
            {"row.cutmix.start": "student"},
            "row.cutmix.start=student repeats in rounds; name one of them, such as student_1",
        ),
        ({"row.cutmix.start": "teacher"}, "row.cutmix.start=teacher, and row.cutmix.teacher is none; name a row"),
        ({"row.cutmix.stage": "udas"}, "row.cutmix.stage='udas' is unknown; expected one of .*did you mean uda"),
        (
            {"row.cutmix.stage": "translate"},
            "row.cutmix.stage='translate' trains no segmenter; expected one of .*source, s",
        ),
        ({"row.supervised.mixed": True}, "row.supervised.mixed=True, and its stage supervised reads none"),
        (
            {"row.supervised.source": "translated"},
            "row.supervised.source=translated, and its stage supervised reads none",
        ),
        (
            {"row.a/b.stage": "uda", "rows": "a/b"},
            "row 'a/b': a directory gets this name; expected letters, digits and _",
        ),
    ],
)
def test_rows_that_cannot_be_trained_are_refused(keys, message):
    with pytest.raises(UserError, match=message):
        rows.rows(make_config(keys=keys))


@pytest.mark.parametrize(
    ("starts", "circle"),
    [
        ({"cutmix.start": "student_1"}, "cutmix student"),
        ({"adaptation.start": "adaptation"}, "adaptation"),
        ({"student.teacher": "student_2"}, "student"),
        ({"cutmix.start": "translation", "translation.start": "adaptation", "adaptation.start": "cutmix"},
         "cutmix translation adaptation"),
        ({"translation_adaptation.without_labels": "cutmix"}, "cutmix translation_adaptation"),
    ],
)  # fmt: skip
def test_a_circle_of_rows_is_one_clear_line(starts, circle):
    config = make_config(labelled=0, keys={f"row.{key}": other for key, other in starts.items()})
    around = circle.split()
    texts = [
        f"rows wait for each other: {' -> '.join([*around[first:], *around[: first + 1]])}; change a teacher or a start"
        for first in range(len(around))
    ]
    for look in (lambda: rows.rows(config), lambda: rows.find(config, "uda", None, "adaptation")):
        with pytest.raises(UserError) as raised:
            look()
        assert str(raised.value) in texts


# --- rows of one's own ----------------------------------------------------------------------------------------


def test_a_row_of_ones_own_is_added_in_a_config_file():
    config = make_config(number=1)
    add_row(config, "mine", stage="uda", source="translated", start="translation", mixed=True)
    assert names(rows.rows(config))[-2:] == ["supervised", "mine"]
    assert rows.named(config, "mine") == Row(
        "mine", "mine", "uda", translated=True, mixed=True, start="translation", default=False
    )
    assert rows.named(config, "mine").command == "train --stage=uda --name=mine"


def test_a_row_of_ones_own_is_added_on_the_command_line(tmp_path):
    """As text, in any order; and the config that is saved with the run knows the row, too."""
    keys = {
        "row.mine.teacher": "adaptation",
        "row.mine.rounds": "2",
        "row.mine.start": "teacher",
        "row.mine.stage": "student",
    }
    config = make_config(keys=keys | {"rows": "adaptation,mine"})
    save(config, tmp_path / "config.json")
    for known in (config, load(tmp_path / "config.json")):
        assert rows.rows(known) == [
            Row("adaptation", "adaptation", "uda", default=False),
            Row("mine_1", "mine", "student", start="adaptation", teacher="adaptation", round=1, default=False),
            Row("mine_2", "mine", "student", start="mine_1", teacher="mine_1", round=2, default=False),
        ]


def test_a_row_of_ones_own_leaves_the_default_rows_what_they_are():
    config = make_config(number=1)
    add_row(config, "mine", stage="student", teacher="adaptation")
    add_row(config, "labels_alone", stage="supervised")
    assert rows.find(config, "student", 1, None).name == "student_1"
    assert rows.find(config, "supervised", None, None).name == "supervised"
    assert rows.default_student(config) == "student"
    assert rows.find(config, "student", None, "mine").name == "mine"


def test_of_several_default_rows_a_name_is_asked_for():
    config = make_config(keys={"row.mine.stage": "uda", "row.mine.default": True})
    with pytest.raises(UserError, match="--stage=uda has the rows cutmix, mine; add --name=ROW"):
        rows.find(config, "uda", None, None)


def test_ones_own_row_can_be_taught_by_ones_own_row():
    config = make_config(number=1)
    add_row(config, "gentle", stage="uda", source="translated")
    add_row(config, "pupil", stage="student", teacher="gentle", rounds=2)
    add_row(config, "last", stage="student", teacher="pupil_2", start="pupil_1")
    assert [(row.name, row.teacher, row.start, row.translated, row.mixed) for row in rows.rows(config)[-4:]] == [
        ("gentle", None, None, True, False),
        ("pupil_1", "gentle", None, True, False),
        ("pupil_2", "pupil_1", None, True, False),
        ("last", "pupil_2", "pupil_1", True, False),
    ]


def test_the_labels_that_ones_own_row_needs_may_have_a_stand_in():
    config = make_config(labelled=0, number=1)
    add_row(config, "mine", stage="uda", mixed=True, without_labels="adaptation")
    add_row(config, "pupil", stage="student", teacher="mine", start="teacher")
    assert "mine" not in names(rows.rows(config))
    assert rows.named(config, "pupil") == Row(
        "pupil", "pupil", "student", start="adaptation", teacher="adaptation", default=False
    )


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("cutmix", {"stage": "uda"}, "row 'cutmix' exists already; change it as config.row.cutmix.KEY"),
        ("mine", {"source": "translated"}, "row 'mine' needs stage=METHOD, one of .*source, student, supervised"),
        (
            "mine",
            {"stage": "uda", "source": "real"},
            "'row.mine.source' received 'real', expected one of plain, transl",
        ),
        ("mine", {"stage": "uda", "rounds": 0}, "'row.mine.rounds' received 0, expected a whole number >= 1, or none"),
        (
            "mine",
            {"stage": "uda", "techer": "cutmix"},
            "unknown config key 'row.mine.techer'; the nearest is 'row.mine.t",
        ),
    ],
)
def test_a_row_that_cannot_be_added_says_why(name, keys, message):
    with pytest.raises(UserError, match=message):
        add_row(make_config(), name, **keys)


def test_a_row_without_a_stage_is_no_row():
    with pytest.raises(UserError, match=r"row\.mine is no row; set row\.mine\.stage to add it"):
        make_config(keys={"row.mine.teacher": "cutmix"})
