"""The rows of the table, as the config defines them: names, rounds, teachers, starts.

`config.row.NAME` defines one row; with `rounds` it defines one row per round, NAME_1, NAME_2 and so on, and each of
them teaches the next.
"""

from __future__ import annotations

import collections
import dataclasses
import graphlib
import re

from ml_collections import ConfigDict

from udas_tf import plugins
from udas_tf.config import METHODS, nearest
from udas_tf.errors import UserError

TEACHER = "teacher"  # as `start` of a definition: the row's teacher, whichever that is


@dataclasses.dataclass(frozen=True)
class Row:
    """One training: a row of the table, or the training of a method that is no row, such as "translate".

    Attributes:
      name: of the row, and of its directory.
      definition: name below `config.row` that defines it.
      stage: method that trains it, and section of the config.
      translated: whether it reads the source in the target's style.
      mixed: whether labelled target images enter through Domain CutMix.
      start: row whose weights it starts from; None = `model.initial_weights`.
      teacher: row that labels the target for it.
      round: from 1, of a row that repeats in rounds.
      default: whether `--stage` without `--name` means it.
    """

    name: str
    definition: str
    stage: str
    translated: bool = False
    mixed: bool = False
    start: str | None = None
    teacher: str | None = None
    round: int | None = None
    default: bool = True

    @property
    def flags(self) -> str:
        """The flags that name this row on the command line."""
        name = "" if self.default else f" --name={self.definition}"
        return f"--stage={self.stage}{name}" + ("" if self.round is None else f" --round={self.round}")

    @property
    def command(self) -> str:
        """The command that trains this row."""
        return f"train {self.flags}"

    @property
    def in_table(self) -> bool:
        """Whether its network is a segmenter, which has a score."""
        return self.stage in segmenter_stages()

    @property
    def reads(self) -> tuple[str, ...]:
        """Roles of the sets that its method reads."""
        return plugins.declarations(METHODS, self.stage).constants["READS"]


def stages() -> list[str]:
    """Every method by its module's name."""
    return plugins.names(METHODS)


def segmenter_stages() -> list[str]:
    """The methods that train segmenters, and so rows of the table."""
    return [name for name in stages() if "LEARNS" in plugins.declarations(METHODS, name).constants]


def has_labels(config: ConfigDict) -> bool:
    """Whether the budget allows any target labels."""
    return config.data.target.labelled != 0


def needs_labels(row: Row) -> bool:
    """Whether a row reads labelled target images."""
    return row.mixed or "labelled" in row.reads


def rows(config: ConfigDict) -> list[Row]:
    """The rows of the table in the order of `config.rows`, rounds one after the other.

    Rows that need target labels are left out where the budget allows none.

    Raises:
      UserError: a name is not defined or stands there twice, a definition is wrong, or a row starts from or learns
        from one that is not in the table.
    """
    _check_no_circle(config)
    table: list[Row] = []
    for name in config.rows:
        if name not in config.row:
            known = ", ".join(config.row)
            raise UserError(f"rows holds {name!r}; expected some of {known}, or a row of your own, row.{name}.stage")
        defined = [_row(config, name, number) for number in _rounds(config, name)]
        table += [row for row in defined if has_labels(config) or not needs_labels(row)]
    if not table:
        raise UserError("rows names no row that can be trained; name one, such as no_adaptation")
    _check_names(table)
    return table


def _check_names(table: list[Row]) -> None:
    """UserError where two rows have one name, or a row needs one that is not in the table."""
    names = collections.Counter(row.name for row in table)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise UserError(f"the table has the row {twice[0]!r} twice; name it once in rows, or give one another name")
    for row in table:
        for other in (row.start, row.teacher):
            if other is not None and other not in names:
                raise UserError(f"{row.name} needs {other}, which is not among the config's rows; add it there")


def named(config: ConfigDict, name: str, key: str = "name") -> Row:
    """A row by its name, which for rounds ends in their number.

    Args:
      key: where the name comes from, for the error.

    Raises:
      UserError: there is no such row.
    """
    parts = _split(config, name)
    if parts is None:
        raise _unknown(config, name, key)
    return _row(config, *parts)


def is_named(config: ConfigDict, name: str) -> bool:
    """Whether the config defines a row of this name."""
    return _split(config, name) is not None


def find(config: ConfigDict, stage: str | None, round_number: int | None, name: str | None) -> Row:
    """The row, or the training of a method that is no row, that `--stage`, `--round` and `--name` mean.

    `name` is that of a definition, or of a row, such as student_2.

    Raises:
      UserError: they mean none, or several; or the row needs labels and the budget allows none.
    """
    if stage is not None:
        plugins.require(METHODS, stage, "--stage")
    if stage is not None and stage not in segmenter_stages():
        if round_number is not None or name is not None:
            raise UserError(f"--stage={stage} takes neither --round nor --name")
        return Row(stage, stage, stage)
    _check_no_circle(config)
    if name is not None and round_number is None:
        name, round_number = _split(config, name) or (name, None)
    definition = _definition(config, stage, name)
    section = config.row[definition]
    if section.rounds is not None and round_number is None:
        flag = f"--stage={stage}" if name is None else f"--name={name}"
        raise UserError(f"{flag} needs --round=N, N from 1: {definition} repeats in rounds")
    if section.rounds is None and round_number is not None:
        raise UserError(f"--round={round_number} was given with {definition}, which has no rounds")
    if round_number is not None and round_number < 1:
        raise UserError(f"--round={round_number}: rounds count from 1")
    row = _row(config, definition, round_number)
    if needs_labels(row) and not has_labels(config):
        raise UserError(f"{row.name} needs labelled target images, and data.target.labelled is 0")
    return row


def default_student(config: ConfigDict) -> str:
    """The definition that `pseudo_label --round=N` means: the default row that learns from pseudo-labels."""
    for stage in segmenter_stages():
        if "pseudo_labels" in plugins.declarations(METHODS, stage).constants["READS"]:
            return _definition(config, stage, None)
    raise UserError("no method learns from pseudo-labels")


def _definition(config: ConfigDict, stage: str | None, name: str | None) -> str:
    """The definition that `--stage` and `--name` mean."""
    if name is not None and name not in config.row:
        raise _unknown(config, name, "--name")
    if stage is None:
        if name is None:
            raise UserError("which row? Give --stage or --name")
        return name
    of_stage = [row for row in config.row if config.row[row].stage == stage]
    if name is not None:
        if name not in of_stage:
            raise UserError(f"--name={name} is no row of --stage={stage}; expected one of {', '.join(of_stage)}")
        return name
    marked = [row for row in of_stage if config.row[row].default] or of_stage
    if len(marked) != 1:
        raise UserError(f"--stage={stage} has the rows {', '.join(marked) or 'none'}; add --name=ROW")
    return marked[0]


def _split(config: ConfigDict, name: str) -> tuple[str, int | None] | None:
    """The definition and the round that a row's name means; None where it means nothing."""
    if name in config.row and config.row[name].rounds is None:
        return name, None
    definition, _, number = name.rpartition("_")
    if re.fullmatch("[1-9][0-9]*", number) and definition in config.row and config.row[definition].rounds:
        return definition, int(number)
    return None


def _unknown(config: ConfigDict, name: str, key: str) -> UserError:
    if name in config.row:
        return UserError(f"{key}={name} repeats in rounds; name one of them, such as {name}_1")
    return UserError(f"{key}={name} is no row; the nearest is {nearest(name, config.row)}")


def _rounds(config: ConfigDict, name: str) -> list[int | None]:
    count = config.row[name].rounds
    return [None] if count is None else list(range(1, count + 1))


def _row(config: ConfigDict, name: str, number: int | None) -> Row:
    """The row of a definition, or of one of its rounds."""
    section = config.row[name]
    if not re.fullmatch("[A-Za-z0-9_]+", name):
        raise UserError(f"row {name!r}: a directory gets this name; expected letters, digits and _")
    plugins.require(METHODS, section.stage, f"row.{name}.stage")
    if section.stage not in segmenter_stages():
        listed = ", ".join(segmenter_stages())
        raise UserError(f"row.{name}.stage={section.stage!r} trains no segmenter; expected one of {listed}")
    reads = plugins.declarations(METHODS, section.stage).constants["READS"]
    for key, role in (("source", "source"), ("mixed", "mixed")):
        if section[key] and role not in reads:
            raise UserError(
                f"row.{name}.{key}={section[key]}, and its stage {section.stage} reads none; set it to none"
            )
    teacher = _teacher(config, name, number)
    if "pseudo_labels" in reads and teacher is None:
        raise UserError(f"row.{name} learns from pseudo-labels; set row.{name}.teacher to the row that makes them")
    first = _teacher(config, name, None)
    inherited = named(config, first) if first is not None else None
    translated = section.source == "translated" if section.source else bool(inherited and inherited.translated)
    mixed = section.mixed if section.mixed is not None else bool(inherited and inherited.mixed)
    of_stage = [other for other in config.row if config.row[other].stage == section.stage]
    return Row(
        name=name if number is None else f"{name}_{number}",
        definition=name,
        stage=section.stage,
        translated=translated and "source" in reads,
        mixed=mixed and "mixed" in reads,
        start=_start(config, name, teacher),
        teacher=teacher,
        round=number,
        default=section.default or of_stage == [name],
    )


def _teacher(config: ConfigDict, name: str, number: int | None) -> str | None:
    """The teacher of a row: that of the definition in the first round, later the row of the round before."""
    if number is None or number == 1:
        return _with_labels_or_stand_in(config, config.row[name].teacher, f"row.{name}.teacher")
    return f"{name}_{number - 1}"


def _start(config: ConfigDict, name: str, teacher: str | None) -> str | None:
    start = config.row[name].start
    if start == TEACHER:
        if teacher is None:
            raise UserError(f"row.{name}.start={TEACHER}, and row.{name}.teacher is none; name a row")
        return teacher
    return _with_labels_or_stand_in(config, start, f"row.{name}.start")


def _with_labels_or_stand_in(config: ConfigDict, name: str | None, key: str) -> str | None:
    """`name`, or the row that stands in for it where it needs labels and there are none.

    Args:
      key: of the config, which holds the name.
    """
    if name is None:
        return None
    parts = _split(config, name)
    if parts is None:
        raise _unknown(config, name, key)
    definition, _ = parts
    stand_in = config.row[definition].without_labels
    if stand_in is not None and not has_labels(config):
        return _with_labels_or_stand_in(config, stand_in, f"row.{definition}.without_labels")
    return name


def _check_no_circle(config: ConfigDict) -> None:
    """UserError where rows would have to wait for each other."""
    needs: dict[str, set[str]] = {}
    for name, section in config.row.items():
        others = (section.start, section.teacher, section.without_labels)
        parts = [_split(config, other) for other in others if other not in (None, TEACHER)]
        needs[name] = {part[0] for part in parts if part is not None}
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise UserError(f"rows wait for each other: {circle}; change a teacher or a start") from error
