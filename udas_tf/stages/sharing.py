"""Runs share what their configs make alike: a finished directory of one is linked into another.

The only place that knows which directory follows from which keys. A key that is not named here counts for everything, so
forgetting one costs time and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from udas_tf import config as configs
from udas_tf.errors import UserError
from udas_tf.run_dir import RunDir, is_finished
from udas_tf.stages import rounds

CONFIG = RunDir("").config  # which marks the directory of a run
LABELS = ("data.target.labelled", "data.target.label_seed")
TRANSLATION = ("data.source", "translate")
REPEATED = "data.repeat_below"  # of the labelled batches
CHECK = ("translate.max_disagreement", "translate.on_disagreement")  # of translations, not of their generator
# Keys and sections that only what names them follows from.
_PARTIAL = (
    "model",
    "source",
    "supervised",
    "uda",
    "pseudo_label",
    "student",
    REPEATED,
    *TRANSLATION,
    *LABELS,
)
# Keys that decide what a run makes, or how fast, and nothing of what is made.
_IDLE = ("rows", "jobs", "xla", "student.rounds", "data.cache", "evaluate.batch_size")


def share(config, run_dir: RunDir, others: Iterable[RunDir]) -> list[Path]:
    """Links into a run what other runs have finished and its own config would make alike.

    Links are relative, so that a directory with all of these runs can be moved.

    Args:
      config: of the run.
      run_dir: of the run; what is there already stays, but for links to what has been removed.
      others: the first that has something gives it. Directories without a saved config are no runs, and skipped.

    Returns:
      What was linked, as paths below the run's directory.
    """
    wanted = artefacts(config)
    for path in wanted:
        here = run_dir.path / path
        if here.is_symlink() and not here.exists():
            here.unlink()
    linked = []
    for other in others:
        if not other.config.is_file() or other.path.resolve() == run_dir.path.resolve():
            continue
        found = artefacts(configs.load(other.config))
        for path, keys in wanted.items():
            here, there = run_dir.path / path, other.path / path
            if found.get(path) == keys and is_finished(there) and not here.exists():
                here.parent.mkdir(parents=True, exist_ok=True)
                here.symlink_to(os.path.relpath(there.resolve(), here.parent.resolve()))
                linked.append(path)
    return linked


def made_otherwise(saved, config, run_dir: RunDir) -> list[Path]:
    """What a run has begun or finished by its saved config and another one would make otherwise, below its directory."""
    before = artefacts(saved)
    return [
        path
        for path, keys in artefacts(config).items()
        if (run_dir.path / path).exists() and before.get(path, keys) != keys
    ]


def runs_in(directories: Iterable[str | os.PathLike[str]]) -> list[RunDir]:
    """The runs at these directories and up to two levels below them, as a sweep has them.

    Raises:
      UserError: a directory has none.
    """
    runs = []
    for directory in map(Path, directories):
        found = [
            RunDir(file.parent)
            for depth in ("", "*/", "*/*/")
            for file in sorted(directory.glob(depth + CONFIG.name))
        ]
        if not found:
            raise UserError(f"{directory} holds no run: no {CONFIG.name} in it, nor up to two levels below")
        runs += found
    return runs


def artefacts(config) -> dict[Path, dict[str, Any]]:
    """What a run makes: each directory, below the run's own -> the config keys, with their values, that it follows from."""
    layout = RunDir("")
    every = {key: value for key, value in configs.flatten(config).items() if not _under(key, _IDLE)}

    def of(*needs: str) -> dict[str, Any]:
        return {key: value for key, value in every.items() if _under(key, needs) or not _under(key, _PARTIAL)}

    seen_by = ("model", "source", REPEATED)  # the network that translations are held to, or checked by
    generator = of(*TRANSLATION, *(seen_by if rounds.semantic(config) else ()))
    found = {
        layout.data("source_train"): of("data.source"),
        layout.data("target_unlabelled"): of(),
        layout.data("target_val"): of(),
        layout.data("target_val_full"): of(),
        layout.data("target_labelled"): of(*LABELS),
        layout.data("target_hidden"): of(*LABELS),
        layout.training("translate"): {key: value for key, value in generator.items() if key not in CHECK},
        layout.translated: of(*TRANSLATION, *seen_by),
    }
    for row in rounds.rows(config):
        found[layout.training(row.name)] = of(*_needs(row))
        if row.stage == "student":
            teacher = rounds.teacher(config, row.round)
            own = ("pseudo_label", "student.teacher", *LABELS)
            found[layout.pseudo_labels(row.round)] = of(*_needs(teacher), *own)
    return found


def _needs(row: rounds.Row) -> tuple[str, ...]:
    """The keys and sections, among the partial ones, that a row's network follows from."""
    if row.stage == "supervised":
        return ("model", "supervised", REPEATED, *LABELS)
    needs = ("model", "data.source", "source", REPEATED)  # an adapted network may start from the source's
    if row.translated:
        needs += TRANSLATION
    match row.stage:
        case "uda":
            return (*needs, "uda", *(LABELS if row.mixed else ()))
        case (
            "student"
        ):  # pseudo-labels may be judged by the labelled images, also where these are not mixed in
            return (*needs, "uda", "pseudo_label", "student", *LABELS)
    return needs


def _under(key: str, prefixes: Iterable[str]) -> bool:
    return any(key == prefix or key.startswith(prefix + ".") for prefix in prefixes)
