"""What a run makes, as one graph: artefacts, what each reads, and the config keys it follows from.

The graph gives the order, what can be made in parallel, what runs share, and what a changed key would make anew.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from udas_tf import config as configs
from udas_tf import plugins
from udas_tf.config import METHODS, NETWORK_PARTS
from udas_tf.errors import UserError
from udas_tf.run import Run
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.runs import rows
from udas_tf.runs.rows import Row

TRANSLATE = "translate"  # the method whose training gives the generator
TRANSLATED = "translated"
# Keys that decide which rows there are, or how fast something is made, and nothing of what is made.
IDLE = ("rows", "jobs", "xla", "replicas", "data.cache", "evaluate")
LABEL_BUDGET = ("data.target.labelled", "data.target.label_seed")
FULL_SIZE = "data.target.val_full_size"  # of one set alone
RECORDS = ("seed", "classes", "data.size", "data.shard_images")  # of every set of records
SHUFFLE_BUFFER, REPEAT_FACTOR = "data.shuffle_buffer", "data.repeat_factor_threshold"  # of trainings
JUDGE = "translate.judge"  # counts as an artefact that is needed, where it is


class Kind(enum.Enum):
    """What sort of thing an artefact is."""

    RECORDS = "records"
    TRAINING = "training"
    TRANSLATED = "translated images"
    PSEUDO_LABELS = "pseudo-labels"


@dataclasses.dataclass(frozen=True)
class Artefact:
    """A directory that a run makes as a whole.

    Attributes:
      name: unique in the run.
      kind: what sort of thing it is.
      path: below the run's directory.
      command: what a user types to make it.
      needs: names of the artefacts it reads.
      keys: the config keys it follows from by itself, with their values.
      row: of a training, and of the pseudo-labels made for one.
    """

    name: str
    kind: Kind
    path: Path
    command: str
    needs: tuple[str, ...]
    keys: Mapping[str, Any]
    row: Row | None = None


class Plan:
    """The artefacts of a run by name, in the order of the table, each after what it needs."""

    def __init__(self, artefacts: Iterable[Artefact]) -> None:
        self._artefacts = {artefact.name: artefact for artefact in artefacts}
        self._fingerprints: dict[str, str] = {}

    def __iter__(self) -> Iterator[Artefact]:
        return iter(self._artefacts.values())

    def __getitem__(self, name: str) -> Artefact:
        return self._artefacts[name]

    def __contains__(self, name: str) -> bool:
        return name in self._artefacts

    @property
    def trainings(self) -> list[Row]:
        """What is trained: rows, and methods that are no row."""
        return [made.row for made in self if made.kind is Kind.TRAINING and made.row is not None]

    def fingerprint(self, name: str) -> str:
        """SHA-256 of the keys that an artefact follows from, its own and those of everything it needs."""
        if name not in self._fingerprints:
            artefact = self._artefacts[name]
            content = [dict(artefact.keys), [self.fingerprint(need) for need in artefact.needs]]
            text = json.dumps(content, sort_keys=True, default=list)
            self._fingerprints[name] = hashlib.sha256(text.encode()).hexdigest()
        return self._fingerprints[name]


def plan(run: Run, further: Iterable[Row] = (), translation: bool = False) -> Plan:
    """The plan of a run: every row of its table, and all that the rows need.

    Args:
      further: rows beyond the table.
      translation: whether the plan has the translated images even if no row reads them.

    Raises:
      UserError: the config's rows cannot be trained.
    """
    builder = _Builder(run)
    builder.add_records()
    for row in (*rows.rows(run.config), *further):
        builder.add_training(row)
    if translation:
        builder.add_translation()
    return Plan(builder.artefacts.values())


def plan_of_begun(run: Run) -> Plan:
    """The plan of a run with the rows beyond its table, and the translation, that its directory has."""
    further = [row for row in _begun_rows(run) if row.in_table]
    return plan(run, further, translation=run.dir.training(TRANSLATE).exists())


def changed(before: Plan, now: Plan, run_dir: RunDir) -> list[Artefact]:
    """What a run has begun or finished by the plan `before`, and would make otherwise by the plan `now`."""
    return [
        artefact
        for artefact in now
        if (run_dir.path / artefact.path).exists()
        and artefact.name in before
        and before.fingerprint(artefact.name) != now.fingerprint(artefact.name)
    ]


def finished_rows(run: Run) -> list[Row]:
    """Rows that have been trained, in the table's order.

    Rounds beyond the table's follow the table's, unless a round between is missing; other rows beyond it come last.
    """
    table = rows.rows(run.config)
    for row in sorted(_begun_rows(run), key=lambda row: row.round or 0):
        number = row.round or 1
        if number > 1 and not is_finished(run.dir.training(f"{row.definition}_{number - 1}")):
            continue
        same = [place for place, other in enumerate(table) if other.definition == row.definition]
        table.insert(same[-1] + 1 if same else len(table), row)
    return [row for row in table if is_finished(run.dir.training(row.name))]


def labelled_rows(run: Run) -> list[Row]:
    """Rows whose pseudo-labels are written, each after its teacher."""
    return [
        artefact.row
        for artefact in plan_of_begun(run)
        if artefact.kind is Kind.PSEUDO_LABELS
        and artefact.row is not None
        and is_finished(run.dir.path / artefact.path)
    ]


def _begun_rows(run: Run) -> Iterator[Row]:
    """Rows beyond the table whose directory is there, finished or not."""
    known = {row.name for row in rows.rows(run.config)}
    trainings = run.dir.training(TRANSLATE).parent
    for directory in sorted(trainings.iterdir()) if trainings.is_dir() else ():
        if directory.name not in known and rows.is_named(run.config, directory.name):
            yield rows.named(run.config, directory.name)


def name_of_set(row: Row, role: str) -> str | None:
    """The artefact that has a role in the training of a row; None where the row does without.

    Raises:
      ValueError: a method READS a role that does not exist.
    """
    match role:
        case "source":
            return TRANSLATED if row.translated else "source_train"
        case "plain_source":
            return "source_train"
        case "target":
            return "target_unlabelled"
        case "labelled":
            return "target_labelled"
        case "mixed":
            return "target_labelled" if row.mixed else None
        case "pseudo_labels":
            return f"pseudo_labels/{row.name}"
    raise ValueError(f"methods/{row.stage}.py READS the unknown role {role!r}")


class _Builder:
    """Collects artefacts, each with all that it needs."""

    def __init__(self, run: Run) -> None:
        self.config = run.config
        self.artefacts: dict[str, Artefact] = {}
        self.layout = RunDir("")
        flat = {key: value for key, value in configs.flatten(run.config).items() if not _under(key, IDLE)}
        flat["classes"] = [run.classes.classes, run.classes.colours]  # rather than the name of a file
        self.flat: dict[str, Any] = flat
        of_parts = (*rows.stages(), "model", "row", "translated", "pseudo_label", "data")
        network_parts = {name for package in NETWORK_PARTS for name in plugins.names(package)}
        chosen = {run.config.model.backbone, run.config.model.head}
        self.unused = tuple(f"model.{name}" for name in sorted(network_parts - chosen))
        # A key that no part claims counts for every training: one forgotten here costs time and nothing else.
        self.common = {key: value for key, value in flat.items() if not _under(key, of_parts)}

    def _keys(self, *prefixes: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
        return {key: value for key, value in self.flat.items() if _under(key, prefixes) and not _under(key, without)}

    def _add(
        self,
        name: str,
        kind: Kind,
        path: Path,
        command: str,
        needs: Iterable[str | None],
        keys: dict[str, Any],
        row: Row | None = None,
    ) -> None:
        if name in self.artefacts:
            raise UserError(f"no row can be called {name}: a run makes something else of this name; choose another")
        present = tuple(dict.fromkeys(need for need in needs if need is not None))
        self.artefacts[name] = Artefact(name, kind, path, command, present, keys, row)

    def add_records(self) -> None:
        """The sets that `data prepare` writes."""
        target = self._keys(*RECORDS, "data.target", without=(*LABEL_BUDGET, FULL_SIZE))
        labelled = target | self._keys(*LABEL_BUDGET)
        keys = {
            "source_train": self._keys(*RECORDS, "data.source"),
            "target_unlabelled": target,
            "target_labelled": labelled,
            "target_hidden": labelled,
            "target_val": target,
            "target_val_full": target | self._keys(FULL_SIZE),
        }
        for name, own in keys.items():
            self._add(name, Kind.RECORDS, self.layout.data(name), "data prepare", (), own)

    def add_training(self, row: Row) -> None:
        """A row, after the rows that it starts from and learns from, and what these need."""
        if row.name in self.artefacts and self.artefacts[row.name].row == row:
            return
        for other in (row.start, row.teacher):
            if other is not None:
                self.add_training(rows.named(self.config, other))
        if row.translated:
            self.add_translation()
        if "pseudo_labels" in row.reads:
            self._add_pseudo_labels(row)
        also = plugins.declarations(METHODS, row.stage).constants.get("ALSO", ())
        own = self._keys("model", row.stage, *also, SHUFFLE_BUFFER, REPEAT_FACTOR, without=self.unused)
        keys = self.common | own | {"mixed": row.mixed}
        # The score of a row is sealed with its network, so a row follows from the set that it is scored on, too.
        needs = [*(name_of_set(row, role) for role in row.reads), row.start, "target_val"]
        self._add(row.name, Kind.TRAINING, self.layout.training(row.name), row.command, needs, keys, row)

    def add_translation(self) -> None:
        """The training of the generator, the translated set, and the row that judges them where one does."""
        row, section = Row(TRANSLATE, TRANSLATE, TRANSLATE), self.config[TRANSLATE]
        if TRANSLATE in self.artefacts and self.artefacts[TRANSLATE].row == row:
            return
        checked = self.config.translated.max_disagreement is not None
        if section.weight_semantic or checked:
            self._add_judge(rows.named(self.config, section.judge, JUDGE))
        sets = [name_of_set(row, role) for role in row.reads]
        trained_by = section.judge if section.weight_semantic else None
        keys = self.common | self._keys(TRANSLATE, SHUFFLE_BUFFER, without=(JUDGE,))
        path = self.layout.training(TRANSLATE)
        self._add(TRANSLATE, Kind.TRAINING, path, row.command, [*sets, trained_by], keys, row)
        needs = ["source_train", TRANSLATE, section.judge if checked else None]
        keys = self.common | self._keys(TRANSLATED)
        self._add(TRANSLATED, Kind.TRANSLATED, self.layout.translated, "translate", needs, keys)

    def _add_judge(self, row: Row) -> None:
        if self._reads_translated(row):
            raise UserError(
                f"{JUDGE}={row.name} learns from the translated images that it is to judge; name a row that reads "
                "plain source images, such as no_adaptation"
            )
        self.add_training(row)

    def _reads_translated(self, row: Row) -> bool:
        """Whether a row, or one that it starts from or learns from, reads the translated images."""
        others = (other for other in (row.start, row.teacher) if other is not None)
        return row.translated or any(self._reads_translated(rows.named(self.config, other)) for other in others)

    def _add_pseudo_labels(self, row: Row) -> None:
        keys = self.common | self._keys("pseudo_label.views", "pseudo_label.batch_size")
        command = f"pseudo_label {row.flags.partition(' ')[2]}".strip()
        name, path = f"pseudo_labels/{row.name}", self.layout.pseudo_labels(row.name)
        self._add(name, Kind.PSEUDO_LABELS, path, command, ["target_unlabelled", row.teacher], keys, row)


def _under(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)
