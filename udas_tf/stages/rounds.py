"""The order of things: which rows the table has, what each is trained on, and who teaches whom.

The only place that knows the order.
"""

from __future__ import annotations

import dataclasses

from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, is_finished


@dataclasses.dataclass(frozen=True)
class Row:
    """One trained segmenter: a row of the table.

    Attributes:
      name: of the row, and of its directory.
      stage: the section of the config that trains it: source, uda, student or supervised.
      translated: the source is read in the target's style.
      mixed: labelled target images enter through Domain CutMix.
      round: of a student, from 1.
    """

    name: str
    stage: str
    translated: bool = False
    mixed: bool = False
    round: int | None = None

    @property
    def command(self) -> str:
        """What a user types to train this row."""
        if self.stage == "student":
            return f"train --stage=student --round={self.round}"
        default = self.name == DEFAULT_ROWS[self.stage]
        return f"train --stage={self.stage}" + ("" if default else f" --name={self.name}")


DEFAULT_ROWS = {"source": "no_adaptation", "uda": "cutmix", "supervised": "supervised"}

_BEFORE_STUDENTS = (
    Row("no_adaptation", "source"),
    Row("translation", "source", translated=True),
    Row("adaptation", "uda"),
    Row("translation_adaptation", "uda", translated=True),
    Row("cutmix", "uda", translated=True, mixed=True),
)
_SUPERVISED = Row("supervised", "supervised")


def student(config, round_number: int) -> Row:
    """The student of a round; it sees the same source images, and the same mixing, as the first teacher."""
    if round_number < 1:
        raise UserError(f"--round={round_number}: rounds count from 1")
    first = first_teacher(config)
    return Row(f"student_{round_number}", "student", first.translated, first.mixed, round_number)


def first_teacher(config) -> Row:
    """The adapted network that labels the target for round 1."""
    name = config.student.teacher or ("cutmix" if has_labels(config) else "translation_adaptation")
    return find(config, "uda", None, name)


def has_labels(config) -> bool:
    """Whether the budget allows any target labels."""
    return config.data.target.labelled != 0


def rows(config) -> list[Row]:
    """The rows of the table in its order: those that the config names, and the students of its rounds.

    Without target labels there is nothing to mix or to supervise with, and such rows are left out.
    """
    known = [row.name for row in (*_BEFORE_STUDENTS, _SUPERVISED)]
    for name in config.rows:
        if name not in known:
            raise UserError(f"rows holds {name!r}; expected some of {', '.join(known)}")
    before = [row for row in _BEFORE_STUDENTS if has_labels(config) or not row.mixed]
    students = [student(config, number + 1) for number in range(config.student.rounds)]
    fixed = [*before, *([_SUPERVISED] if has_labels(config) else [])]
    chosen = [row for row in fixed if row.name in config.rows]
    place = sum(row.stage != "supervised" for row in chosen)
    table = [*chosen[:place], *students, *chosen[place:]]
    for row in table:
        _check_order(config, row, table)
    return table


def sections(config) -> dict[str, list[str]]:
    """The sections of the config that a run trains, each with its rows, in the table's order."""
    found: dict[str, list[str]] = {}
    for row in rows(config):
        if row.translated and "translate" not in found:
            judging = judge(config)
            if judging and "source" not in found:
                found["source"] = [judging.name]
            found["translate"] = ["translation of the source"]
        if row.name not in found.setdefault(row.stage, []):
            found[row.stage].append(row.name)
    if not found:
        raise UserError("rows names none and student.rounds is 0: there is nothing to train; name a row")
    return found


def _check_order(config, row: Row, table: list[Row]) -> None:
    """Whom a row starts from or learns from must be a row, too."""
    needed = [start(config, row)]
    if row.stage == "student":
        needed.append(teacher(config, row.round))
    for other in needed:
        if other is not None and other not in table:
            raise UserError(
                f"{row.name} needs {other.name}, which is not among the config's rows; add it there"
            )


def finished_rows(config, run_dir: RunDir) -> list[Row]:
    """Rows that have been trained, students of rounds beyond the config's among them, in the table's order."""
    found = rows(config)
    extra = config.student.rounds + 1
    while is_finished(run_dir.training(f"student_{extra}")):
        place = sum(row.stage != "supervised" for row in found)
        found.insert(place, student(config, extra))
        extra += 1
    return [row for row in found if is_finished(run_dir.training(row.name))]


def find(config, stage: str, round_number: int | None, name: str | None) -> Row:
    """The row that `--stage`, `--round` and `--name` mean."""
    if stage == "student":
        if round_number is None:
            raise UserError("--stage=student needs --round=N, N from 1")
        if name is not None:
            raise UserError(f"--name={name} was given with --stage=student; --round alone names a student")
        return student(config, round_number)
    if round_number is not None:
        raise UserError(f"--round={round_number} was given with --stage={stage}; only students have rounds")
    name = name or DEFAULT_ROWS[stage]
    for row in (*_BEFORE_STUDENTS, _SUPERVISED):
        if row.stage == stage and row.name == name:
            break
    else:
        names = [row.name for row in (*_BEFORE_STUDENTS, _SUPERVISED) if row.stage == stage]
        raise UserError(f"--name={name} is no row of --stage={stage}; expected one of {', '.join(names)}")
    if (row.mixed or row.stage == "supervised") and not has_labels(config):
        raise UserError(f"{row.name} needs labelled target images, and data.target.labelled is 0")
    return row


def start(config, row: Row) -> Row | None:
    """The row whose weights a row starts from; None where it starts from `model.initial_weights`."""
    if row.stage not in ("uda", "student") or not config[row.stage].start_from:
        return None
    expected = {"uda": "source", "student": "teacher"}[row.stage]
    if config[row.stage].start_from != expected:
        raise UserError(
            f"{row.stage}.start_from={config[row.stage].start_from!r}; expected '' or {expected!r}"
        )
    if row.stage == "student":
        return teacher(config, row.round)
    return find(config, "source", None, "translation" if row.translated else "no_adaptation")


def semantic(config) -> Row | None:
    """The row whose classes translated images are to keep; None where the translation knows of no classes."""
    return find(config, "source", None, "no_adaptation") if config.translate.weight_semantic else None


def judge(config) -> Row | None:
    """The row, trained on the source alone, by whose eyes a translation is held to its classes or checked; None where it is
    neither."""
    judged = config.translate.weight_semantic or config.translate.max_disagreement
    return find(config, "source", None, "no_adaptation") if judged else None


def teacher(config, round_number: int) -> Row:
    """Who labels the target for a round: the adapted network first, then the student of the round before."""
    return student(config, round_number - 1) if round_number > 1 else first_teacher(config)
